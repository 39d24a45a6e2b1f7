"""How much streams may take, and how long they remember."""

from pydantic import Field

from servicekit.settings import Part


class LiveSettings(Part):
    """Limits of one serving process, but for the history, which all share in Redis."""

    connections: int = Field(default=5000, ge=1)
    """Open streams of one process."""
    connections_per_caller: int = Field(default=20, ge=1)
    """Of one person or API key, in one process."""
    topics_per_connection: int = Field(default=20, ge=1, le=100)
    messages_per_minute: int = Field(default=600, ge=1)
    """What one person or API key may send over WebSockets, all that they have in one process."""
    message_bytes: int = Field(default=16 * 1024, ge=1024)
    """The longest message of a client."""
    queue_messages: int = Field(default=256, ge=1)
    """What waits for a slow reader before it is disconnected."""
    queue_bytes: int = Field(default=512 * 1024, ge=1024)
    heartbeat_seconds: float = Field(default=25, gt=0)
    """A comment over SSE and a ping over WebSocket; who does not answer a ping for as long is gone."""
    longest_seconds: float = Field(default=900, gt=0, le=900)
    """After this a stream ends however long its credentials hold, so that changed permissions count."""
    ticket_seconds: int = Field(default=30, ge=1, le=120)
    history_messages: int = Field(default=500, ge=1, le=10_000)
    """What a topic remembers for those who come back."""
    history_seconds: int = Field(default=3600, ge=1)
    check_seconds: float = Field(default=25, gt=0)
    """How often the place in each topic is compared with Redis, in case a message got lost on the way."""
