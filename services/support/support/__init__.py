"""Support requests about bookings. Owns what guests and staff write, never the booking."""
