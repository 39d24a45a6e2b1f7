"""A request as ASGI gives it and an answer as ASGI takes it. Decides nothing."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import PayloadTooLarge, RequestTimeout
from servicekit import ids

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
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
    stream: Callable[[Send], Awaitable[None]] | None = None
    """Sends the body bit by bit until it ends, instead of `body`. It must be run, and it must not raise."""

    def having(self, header: Header) -> "Answer":
        """The same with one header more."""
        return Answer(self.status, (*self.headers, header), self.body)


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

    @classmethod
    def of(cls, scope: Scope, receive: Receive, *, trusted_proxies: int) -> "Request":
        """Reads the scope. A well-formed X-Request-Id is kept, any other is replaced."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = headers[name] + b", " + value if name in headers else value
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode("ascii") if _REQUEST_ID.fullmatch(given) else str(ids.new())
        path = scope.get("raw_path") or scope["path"].encode()
        return cls(
            request_id,
            scope["method"],
            path,
            scope["query_string"],
            headers,
            _address(scope, headers, trusted_proxies),
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


def _address(scope: Scope, headers: dict[bytes, bytes], trusted_proxies: int) -> str:
    """The client's address: what the outermost trusted proxy wrote, else the peer of the connection."""
    if trusted_proxies:
        hops = headers.get(b"x-forwarded-for", b"").split(b",")
        if len(hops) >= trusted_proxies:
            found = hops[-trusted_proxies].strip().decode("latin-1")
            if found:
                return found[:64]
    client = scope.get("client")
    return str(client[0]) if client else ""
