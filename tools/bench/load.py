"""A small HTTP/1.1 load generator: keep-alive connections, one request in flight on each. Loopback only."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

_LOOPBACK = "127.0.0.1"
_LAST_ANSWERS_SECONDS = 15.0

Make = Callable[[int], bytes | None]
"""The next request of a connection, by its number from 0; None ends the connection."""


class ConnectionLost(Exception):
    """The server closed a connection that still waited for an answer."""


@dataclass
class Result:
    """What a run of load saw."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """How many requests were answered, whatever the answer was."""
        return self.statuses.total()

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answers / self.seconds


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {_LOOPBACK}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def run(port: int, make: Make, *, connections: int, seconds: float) -> Result:
    """Sends what `make` answers until time is up or it answers None; waits for every answer.

    Raises:
        ConnectionLost, OSError: the server went away.
        TimeoutError: the last answers did not come.
    """
    loop = asyncio.get_running_loop()
    result = Result()
    started = time.perf_counter()
    opened: list[_Connection] = []
    for number in range(connections):
        _, connection = await loop.create_connection(
            lambda number=number: _Connection(number, make, result, started + seconds),  # type: ignore[misc]
            _LOOPBACK,
            port,
        )
        opened.append(connection)
    async with asyncio.timeout(seconds + _LAST_ANSWERS_SECONDS):
        await asyncio.gather(*(connection.done for connection in opened))
    result.seconds = time.perf_counter() - started
    return result


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, number: int, make: Make, result: Result, limit: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number, self._make, self._result, self._limit = number, make, result, limit
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end >= 0 and len(self._buffer) >= end + 4 + _content_length(self._buffer[:end]):
            now = time.perf_counter()
            self._result.latencies.append(now - self._sent)
            self._result.statuses[int(self._buffer[9:12])] += 1
            self._buffer = b""
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(ConnectionLost())

    def _send(self) -> None:
        sent = self._make(self._number) if time.perf_counter() < self._limit else None
        if sent is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(sent)


def _content_length(head: bytes) -> int:
    """The length that the head declares; every server measured here declares one unless the body is empty."""
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0
