"""What three or more services use. No business word of any one service belongs here."""
