"""Deposits, refunds and what the provider says of them. Owns money, never what a booking costs."""
