"""A small HTTP/1.1 load generator: keep-alive connections, one request in flight on each. Loopback only."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_LOOPBACK = "127.0.0.1"


@dataclass
class Result:
    """What a run of load saw."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return sum(self.statuses.values()) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds within which this share of requests was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"host: {_LOOPBACK}"]
    if body:
        lines += ["content-type: application/json", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def run(port: int, make: Callable[[], bytes | None], *, connections: int, seconds: float) -> Result:
    """Sends what `make` answers until time is up or it answers None."""
    result = Result()
    started = time.perf_counter()
    limit = started + seconds
    await asyncio.gather(*(_connection(port, make, result, limit) for _ in range(connections)))
    result.seconds = time.perf_counter() - started
    return result


async def _connection(port: int, make: Callable[[], bytes | None], result: Result, limit: float) -> None:
    reader, writer = await asyncio.open_connection(_LOOPBACK, port)
    while time.perf_counter() < limit:
        sent = make()
        if sent is None:
            break
        started = time.perf_counter()
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        await _drain(reader, head.lower())
        result.latencies.append(time.perf_counter() - started)
        result.statuses[int(head[9:12])] += 1
    writer.close()


async def _drain(reader: asyncio.StreamReader, head: bytes) -> None:
    _, found, rest = head.partition(b"content-length: ")
    if found:
        await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    elif b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
