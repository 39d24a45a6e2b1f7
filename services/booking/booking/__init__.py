"""Finding a time, booking it, and living with the booking. Never sells one resource twice."""
