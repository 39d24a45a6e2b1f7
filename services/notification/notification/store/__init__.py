"""All SQL of notification: rows to domain and back."""
