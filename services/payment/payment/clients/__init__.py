"""Calls to vendors: the payment provider."""
