"""How many covers each way of choosing tables accepts, and how fast the engine is. Starts no program."""
