"""Numbers for owners. Owns facts taken from events and what they add up to; asks no other service."""
