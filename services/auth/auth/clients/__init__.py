"""Whom auth asks outside: log-in providers and DNS. Never decides about people."""
