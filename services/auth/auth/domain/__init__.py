"""The rules of accounts and sessions. Standard library and servicekit.errors only."""
