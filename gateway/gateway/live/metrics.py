"""Streams in numbers. No label names a topic or a caller."""

from prometheus_client import Counter, Gauge

CONNECTIONS = Gauge("comptoir_live_connections", "Open streams of this process.", ["transport"])
MESSAGES = Counter(
    "comptoir_live_messages_total",
    "Messages of topics: published by this process, or handed to a client of it.",
    ["stage"],
)
CLOSED = Counter("comptoir_live_closed_total", "Streams that the gateway ended, by why.", ["reason"])
