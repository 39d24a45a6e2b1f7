"""A request as ASGI gives it and an answer as ASGI takes it. Decides nothing."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.client_address import client_address
from gateway.errors import PayloadTooLarge, RequestTimeout
from gateway.note import Note
from servicekit import ids

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Stream = Callable[[Send], Awaitable[None]]
Header = tuple[bytes, bytes]

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 16 * 1024 * 1024
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_SAFE = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    # Browsers heed it over https alone (RFC 6797 §8.1).
    b"strict-transport-security": b"max-age=31536000; includeSubDomains",
    b"cache-control": b"no-store",
    # No page of another site loads it as an image or a script; reading it is what CORS is for.
    b"cross-origin-resource-policy": b"same-origin",
}
JSON = b"application/json"


class Disconnected(Exception):
    """The client went away before its request was complete: nobody is left to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    stream: Stream | None = None
    """Sends the body bit by bit until it ends, instead of `body`. It must not raise."""

    def having(self, header: Header) -> "Answer":
        """The same with one header more."""
        return replace(self, headers=(*self.headers, header))


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose body is still to come."""

    id: str
    method: str
    path: bytes
    """As sent, still percent-encoded."""
    query: bytes
    headers: dict[bytes, bytes]
    """Lower-case names; values of a repeated header are joined by ", " (RFC 9110 §5.2)."""
    address: str
    """The client's, as far as the proxies in front of us are trusted."""
    scope: Scope
    receive: Receive
    note: Note = field(default_factory=Note, compare=False)

    @classmethod
    def of(cls, scope: Scope, receive: Receive, *, trusted_proxies: int) -> "Request":
        """Reads the scope. A well-formed X-Request-Id is kept, any other is replaced."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = headers[name] + b", " + value if name in headers else value
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else str(ids.new())
        path = scope.get("raw_path") or scope["path"].encode()
        peer = str(scope["client"][0]) if scope.get("client") else ""
        return cls(
            request_id,
            scope["method"],
            path,
            scope["query_string"],
            headers,
            client_address(peer, headers.get(b"x-forwarded-for", b""), trusted_proxies),
            scope,
            receive,
        )

    async def body(self, *, limit: int, seconds: float) -> bytes:
        """The whole body.

        Raises:
            PayloadTooLarge: it has more than `limit` bytes; no more than these were kept.
            RequestTimeout: it did not arrive within `seconds`.
            Disconnected: the client went away.
        """
        declared = self.headers.get(b"content-length", b"0")
        if len(declared) > 15 or (declared.isdigit() and int(declared) > limit):  # noqa: PLR2004
            await self._discard()
            raise PayloadTooLarge
        try:
            async with asyncio.timeout(seconds):
                return await self._receive_all(limit)
        except TimeoutError:
            raise RequestTimeout from None
        except PayloadTooLarge:
            await self._discard()
            raise

    async def _receive_all(self, limit: int) -> bytes:
        received = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            received += message.get("body", b"")
            if len(received) > limit:
                raise PayloadTooLarge
            if not message.get("more_body", False):
                return bytes(received)

    async def _discard(self) -> None:
        """Reads on for a while: a client still sending would be cut off before it reads the refusal."""
        discarded = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while discarded < _LINGER_BYTES:
                    message = await self.receive()
                    if not message.get("more_body", False):
                        return
                    discarded += len(message.get("body", b""))


def safe(headers: Iterable[Header], *, cache_control: bytes | None = None) -> tuple[Header, ...]:
    """The headers with those that every answer carries, unless they are set already."""
    given = tuple(headers)
    names = {name for name, _ in given}
    defaults = _SAFE if cache_control is None else _SAFE | {b"cache-control": cache_control}
    return given + tuple((name, value) for name, value in defaults.items() if name not in names)
