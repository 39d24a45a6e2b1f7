"""From HTTP/1.1 to WebSocket, on the one path that has it; and the means to cut a stream off."""

import socket
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.live.settings import LiveSettings

STREAM_PATH = "/v1/stream"
ABORT = "comptoir.abort"
"""The name in an ASGI scope of what cuts a connection off, also from a client that does not read."""

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
    """One WebSocket: uvicorn's, whose application may cut it off."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log handshakes, with tickets and tokens in them, and every message

    def handle_connect(self, event: Request) -> None:
        """The handshake is read."""
        super().handle_connect(event)
        if hasattr(self, "scope"):  # else it was refused
            self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]

    def keepalive_timeout(self) -> None:
        """The peer did not answer a ping."""
        super().keepalive_timeout()
        self.transport.abort()
