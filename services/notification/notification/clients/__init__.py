"""Typed calls to other services, the mail server and partners; their failures in our words."""
