"""What payment does, one function per request or event."""
