"""Facts, local days and opening hours as instants, and the figures. Never does I/O."""
