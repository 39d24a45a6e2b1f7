"""Where mails and spans end in development. It never sends anything itself."""
