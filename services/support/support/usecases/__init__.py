"""What support does: one function per request or event, one transaction each."""
