"""One function per request, event or due timer; each opens its transactions itself."""
