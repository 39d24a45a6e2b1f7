"""What people and events ask of booking: one function each, one transaction each."""
