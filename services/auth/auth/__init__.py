"""Accounts, organizations, memberships and sessions. Owns who somebody is, never another service's rules."""
