"""What auth does: one function per request, each one transaction. Only this package and timers open any."""
