"""Turns the contract in proto/ into Python packages, documents and a descriptor image."""
