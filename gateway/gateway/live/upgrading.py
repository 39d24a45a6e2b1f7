"""From HTTP/1.1 to WebSocket, on the one path that has it; and the means to cut a stream off."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from gateway import metrics
from gateway.live.settings import LiveSettings

STREAM_PATH = "/v1/stream"
ABORT = "comptoir.abort"
"""The name in an ASGI scope of what cuts a connection off, also from a client that does not read."""
FRAMES = "comptoir.frames"
"""The type of an ASGI event of our own: `count` frames came that are no messages."""

_PATH = STREAM_PATH.encode()
_MOST_HEADERS = 100
_LARGEST_HEAD = 8 * 1024
_UNACKNOWLEDGED_MS = 60_000

Headers = Sequence[tuple[bytes, bytes]]


def is_stream(url: bytes) -> bool:
    """Whether a request's target is the stream."""
    return url.partition(b"?")[0] == _PATH


def wants_websocket(method: bytes, url: bytes, headers: Headers) -> bool:
    """Whether a request with an offer to upgrade is a handshake (RFC 6455 §4.2.1) that can be taken.

    An offer that is not is ignored, as the server may (RFC 9110 §7.8). The bounds are those of the library,
    which says nothing to who breaks them.
    """
    if method != b"GET" or not is_stream(url) or not url.isascii():
        return False
    given = dict(headers)
    fits = len(headers) <= _MOST_HEADERS and len(url) + sum(map(len, sum(headers, ()))) <= _LARGEST_HEAD
    tokens = {token.strip().lower() for token in given.get(b"connection", b"").split(b",")}
    return (
        fits
        and b"upgrade" in tokens
        and given.get(b"upgrade", b"").lower() == b"websocket"
        and given.get(b"sec-websocket-version") == b"13"
        and b"sec-websocket-key" in given
        and not given.keys() & {b"content-length", b"transfer-encoding"}
    )


def notice_dead_peers(transport: Any) -> None:
    """Has the kernel give up a peer that acknowledges nothing for a minute, where it can."""
    raw = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if raw is not None and option is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, option, _UNACKNOWLEDGED_MS)


def server_options(settings: LiveSettings) -> dict[str, Any]:
    """What uvicorn must know. Messages are short: to compress them would only cost each connection memory."""
    return {
        "ws": StreamWire,
        "ws_max_size": settings.message_bytes,
        "ws_per_message_deflate": False,
        "ws_ping_interval": settings.heartbeat_seconds,
        "ws_ping_timeout": settings.heartbeat_seconds,
    }


class StreamWire(WebSocketsSansIOProtocol):
    """One WebSocket: uvicorn's, whose application may cut it off, and hears of every frame.

    Pings, pongs that answer nothing and parts of messages cost the peer next to nothing, and uvicorn keeps
    them to itself. So each read that had some is told, and nothing more is read until that is heard.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log handshakes, with tickets and tokens in them, and every message
        self._untold = 0
        self._ending: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """The peer is gone."""
        if self._ending is not None:
            self._ending.cancel()
        super().connection_lost(exc)
        metrics.CONNECTIONS.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Hands on what came, and how many frames it was."""
        super().data_received(data)
        count, self._untold = self._untold, 0
        if not count or self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": FRAMES, "count": count})  # type: ignore[arg-type]
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def handle_connect(self, event: Request) -> None:
        """The handshake is read."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else it was refused
            self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]

    def handle_ping(self) -> None:
        """A ping has its pong, unless the peer does not read: it needs the latest only (RFC 6455 §5.5.3)."""
        self._untold += 1
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_pong(self, event: Frame) -> None:
        """The answer to our ping, or nothing that anybody asked for."""
        self._untold += bytes(event.data) != self.pending_ping_payload
        super().handle_pong(event)

    def handle_cont(self, event: Frame) -> None:
        """A part of a message; its last one is counted as the message."""
        self._untold += not event.fin
        super().handle_cont(event)

    def keepalive_timeout(self) -> None:
        """The peer did not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """The application is done. A peer that does not take the rest is cut off, too."""
        super().on_task_complete(task)
        if not self.disconnected:
            self._ending = self.loop.call_later(self.close_timeout, self.transport.abort)
