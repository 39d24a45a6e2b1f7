"""The rules of booking, free of databases and networks."""
