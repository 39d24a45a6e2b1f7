"""All SQL of payment: rows to domain and back."""
