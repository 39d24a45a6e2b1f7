"""What mails say and how they look: from a booking, an answer or a verification to the bytes of a message."""
