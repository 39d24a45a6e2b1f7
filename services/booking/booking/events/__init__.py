"""What booking tells the world. No event carries a secret or a person's data."""
