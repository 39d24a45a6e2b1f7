"""`python -m tools.bench.live`: what open streams cost one gateway process, and how fast they hear.

A real Valkey, one `python -m gateway serve`, and WebSocket clients in this process, all on loopback. Each
connection listens to the feed of its organization; messages are published as the gateway's follower does.
"""

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import psutil
import uvloop

from devstack.commands import Command, python_module
from devstack.engines import ValkeyEngine
from devstack.ports import LOOPBACK
from devstack.process import ManagedProcess
from gateway.live.facts import Told
from gateway.live.settings import LiveSettings
from gateway.live.store import Store, client
from gateway.live.tickets import Authority, Tickets
from servicekit import ids
from servicekit.contract import CONTEXTS
from servicekit.identity import Caller, CallerKind
from servicekit.settings import RedisSettings
from testkit.keys import Keys
from tools.bench.cpu import spent

_MEGABYTE = 1024 * 1024
_MOST_MEGABYTES, _MOST_MS = 300, 100
_AT_ONCE = 50
_ALL_FROM_ONE_ADDRESS = "1000000/60"
_SETTLE_SECONDS, _LATEST_TENTHS = 2.0, 100
_TEXT, _PING, _PONG, _LONG = 0x81, 0x89, 0x8A, 126
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


@dataclass
class Heard:
    """What all clients received."""

    milliseconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """What was measured: megabytes before and after connecting, seconds, CPU seconds, messages."""

    empty: float
    idle: float
    took: float
    cpu: float
    count: int
    wanted: int


class Client(asyncio.Protocol):
    """A WebSocket client that does next to nothing: of each message it reads one number."""

    def __init__(self, host: str, ticket: str, heard: Heard) -> None:
        self._head = b"GET /v1/stream?ticket=%s HTTP/1.1\r\nHost: %s\r\n" % (ticket.encode(), host.encode())
        self._heard = heard
        self._upgraded = False
        self._unread = b""
        self.subscribed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Shakes hands."""
        self._transport = cast("asyncio.Transport", transport)
        offer = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        self._transport.write(self._head + offer + b"Sec-WebSocket-Key: " + _KEY + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        """Reads whole frames."""
        self._unread += data
        if not self._upgraded:
            _, found, self._unread = self._unread.partition(b"\r\n\r\n")
            self._upgraded = bool(found)
            self._say(_TEXT, b'{"subscribe":["feed"]}')
        while len(self._unread) >= 4:  # noqa: PLR2004  # the longest head of a frame of less than 64 KiB
            short = self._unread[1]
            start = 4 if short == _LONG else 2
            end = start + (int.from_bytes(self._unread[2:4], "big") if short == _LONG else short)
            if len(self._unread) < end:
                return
            kind, payload = self._unread[0], self._unread[start:end]
            self._unread = self._unread[end:]
            self._hear(kind, payload)

    def _hear(self, kind: int, payload: bytes) -> None:
        if kind == _PING:
            self._say(_PONG, payload)
        elif b'"subscribed"' in payload:
            self.subscribed.set_result(None)
        elif b'"sent":' in payload:
            sent = float(payload.partition(b'"sent":')[2].partition(b"}")[0])
            self._heard.milliseconds.append((time.time() - sent) * 1000)

    def _say(self, kind: int, payload: bytes) -> None:
        """Sends a frame, masked with zeros."""
        self._transport.write(bytes([kind, 0x80 | len(payload)]) + b"\0\0\0\0" + payload)

    def connection_lost(self, _error: Exception | None) -> None:
        """Fails who still waits for the subscription."""
        if not self.subscribed.done():
            self.subscribed.set_exception(ConnectionError("the gateway hung up"))


class Gateway(ManagedProcess):
    """One serving gateway; no service is behind it."""

    def __init__(self, directory: Path, redis_url: str, connections: int) -> None:
        super().__init__("gateway", port=0, log_file=directory / "gateway.log")
        keys = Keys(directory)
        self._environment = {
            "ENVIRONMENT": "development",
            "HTTP__LISTEN": f"{LOOPBACK}:{self.port}",
            "ADMIN__LISTEN": f"{LOOPBACK}:0",
            "REDIS__URL": redis_url,
            "IDENTITY__SIGNING_KEY_FILE": str(keys.file("gateway")),
            "IDENTITY__TRUSTED_KEYS_FILE": str(keys.trusted),
            "LIVE__CONNECTIONS": str(connections + 1),
            "RATES__UNVALIDATED": _ALL_FROM_ONE_ADDRESS,
            **{f"PEERS__{name.upper()}": f"{LOOPBACK}:1" for name in CONTEXTS},
        }

    def command(self) -> Command:
        """The role that serves."""
        named = {f"GATEWAY_{name}": value for name, value in self._environment.items()}
        return Command(python_module("gateway", "serve"), environment=os.environ | named)

    def probe(self) -> bool:
        """Whether it takes connections."""
        with socket.create_connection((LOOPBACK, self.port), timeout=1):
            return True

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.pid).memory_info().rss) / _MEGABYTE

    @property
    def cpu_seconds(self) -> float:
        """CPU so far, of the program and of the system for it: sockets are the system's work."""
        assert self.pid is not None  # noqa: S101  # it was started
        return spent(self.pid)


def main() -> int:
    """0 when both targets are met."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.live", description=__doc__)
    parser.add_argument("--connections", type=int, default=2000)
    parser.add_argument("--topics", type=int, default=100, help="they share the connections")
    parser.add_argument("--rate", type=int, default=200, help="messages a second")
    parser.add_argument("--seconds", type=float, default=10)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="comptoir-live-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        valkey = ValkeyEngine(directory / "valkey", durable=False)
        valkey.start()
        stack.callback(valkey.stop)
        gateway = Gateway(directory, valkey.url, chosen.connections)
        gateway.start()
        stack.callback(gateway.stop)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_measure(gateway, valkey.url, chosen))


async def _measure(gateway: Gateway, redis_url: str, chosen: argparse.Namespace) -> int:
    redis = client(RedisSettings.model_validate({"url": redis_url}))
    assert redis is not None  # noqa: S101  # it has a URL
    organizations = [ids.new() for _ in range(chosen.topics)]
    tickets, heard = Tickets(redis, seconds=120), Heard()
    empty = gateway.megabytes
    opened: list[Client] = []

    async def connect(number: int) -> None:
        caller = Caller(
            CallerKind.MEMBER,
            "gateway",
            organization=organizations[number % len(organizations)],
            user=ids.new(),
            permissions=frozenset({"bookings.read"}),
        )
        ticket, _ = await tickets.issue(Authority(caller, time.time() + 3600))
        host, port = f"{LOOPBACK}:{gateway.port}", gateway.port
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: Client(host, ticket, heard), LOOPBACK, port
        )
        await made.subscribed
        opened.append(made)

    for start in range(0, chosen.connections, _AT_ONCE):
        await asyncio.gather(
            *(connect(each) for each in range(start, min(start + _AT_ONCE, chosen.connections)))
        )
    await asyncio.sleep(_SETTLE_SECONDS)
    idle = gateway.megabytes
    cpu = gateway.cpu_seconds
    store = Store(redis, LiveSettings())
    count, began = int(chosen.rate * chosen.seconds), time.perf_counter()
    for number in range(count):
        late = began + number / chosen.rate - time.perf_counter()
        if late > 0:
            await asyncio.sleep(late)
        organization = organizations[number % len(organizations)]
        body = b'{"type":"bench","data":{"sent":%.6f}}' % time.time()
        await store.publish([Told(f"{organization}/feed", str(ids.new()), "bookings.read", "", body)])
    took = time.perf_counter() - began
    wanted = sum(len(range(n % chosen.topics, chosen.connections, chosen.topics)) for n in range(count))
    for _ in range(_LATEST_TENTHS):
        if len(heard.milliseconds) >= wanted:
            break
        await asyncio.sleep(0.1)
    used = gateway.cpu_seconds - cpu
    await redis.aclose()
    return _report(heard, chosen, Figures(empty, idle, took, used, count, wanted))


def _report(heard: Heard, chosen: argparse.Namespace, figures: Figures) -> int:
    empty, idle, took, cpu = figures.empty, figures.idle, figures.took, figures.cpu
    count, wanted = figures.count, figures.wanted
    ages = sorted(heard.milliseconds)
    p50, p95, worst = (ages[min(len(ages) - 1, int(len(ages) * each))] for each in (0.5, 0.95, 1))
    each = (idle - empty) * 1024 / chosen.connections
    say = sys.stdout.write
    say(f"{chosen.connections} idle connections, {chosen.topics} topics\n")
    say(f"  gateway: {empty:.0f} MB without them, {idle:.0f} MB with them, {each:.0f} KB each;")
    say(f" target < {_MOST_MEGABYTES} MB\n")
    say(f"{count / took:.0f} messages/s for {took:.0f} s, {len(ages)} of {wanted} deliveries\n")
    say(f"  from publishing to the client: p50 {p50:.1f} ms, p95 {p95:.1f} ms, worst {worst:.1f} ms;")
    say(f" target p95 < {_MOST_MS} ms\n")
    say(f"  CPU of the gateway: {cpu / took * 100:.0f} % of a core\n")
    return 0 if idle < _MOST_MEGABYTES and p95 < _MOST_MS and len(ages) == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
