"""Wires between a process and what it talks to: they pass everything on, until a test pins a moment.

A pin holds back one request, or the answer to it, for as long as the test likes: time enough for kill -9 in
between two things that otherwise follow each other at once. Nothing that was held is ever passed on.
"""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, ClassVar

from devstack.ports import LOOPBACK, pick_port

_CLOSE_SECONDS = 10.0
_MOST_BYTES = 64 * 1024 * 1024
_CHUNK = 64 * 1024


class Moment(Enum):
    """On which side of the other end's work a pin holds."""

    BEFORE = auto()
    """The request is held back: the other end has not heard of it."""
    AFTER = auto()
    """The answer is held back: the other end has done it, and the process does not know."""


@dataclass(eq=False, slots=True)
class Pin:
    """One moment to hold, from the first request that is `wanted` on."""

    moment: Moment
    wanted: Callable[[bytes], bool]
    """Called in the wire's thread with each request; may take its time, and ask a database."""
    held: threading.Event = field(default_factory=threading.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def reached(self) -> bool:
        """Whether something is held back."""
        return self.held.is_set()


class Wire(ABC):
    """Listens on a free loopback port and passes on to `target`. Lives in a thread: no test can stall it."""

    def __init__(self, target: str) -> None:
        """`target` is `host:port`; nothing has to listen there yet."""
        host, _, port = target.rpartition(":")
        self.target = (host, int(port))
        self.port = pick_port()
        self.delay = 0.0
        """Seconds by which answers are late from now on: the other end answers, but slowly."""
        self.delayed = 0
        """How many were late."""
        self._pin: Pin | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"wire-{self.port}", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """What to give to the process, `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Listens from now on."""
        self._thread.start()
        self._call(self._listen())

    def close(self) -> None:
        """Cuts every connection and listens no more."""
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        self._loop.close()

    def pin(self, moment: Moment, wanted: Callable[[bytes], bool]) -> Pin:
        """Holds the first request that is `wanted`, or its answer, and all like it, until `cut`."""
        self._pin = Pin(moment, wanted)
        return self._pin

    def cut(self) -> None:
        """Ends the pin: connections that hold something break, and what they held is gone."""
        pin, self._pin = self._pin, None
        if pin is not None:
            self._loop.call_soon_threadsafe(pin.over.set)

    @abstractmethod
    async def read(self, reader: StreamReader) -> bytes:
        """The next whole request or answer. Raises: IncompleteReadError at the end."""

    @abstractmethod
    def key(self, request: bytes) -> object:
        """What tells the answer to this request from others on the same connection."""

    @abstractmethod
    def answers(self, answer: bytes, key: object) -> bool:
        """Whether `answer` is the one to the request of `key`."""

    def shown(self, answer: bytes) -> bytes:
        """What the process gets to see of an answer."""
        return answer

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_CLOSE_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port, limit=_MOST_BYTES)

    async def _shut(self) -> None:
        assert self._server is not None  # noqa: S101  # started before
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None  # noqa: S101  # asyncio makes one for each connection
        self._links.add(link)
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target, limit=_MOST_BYTES)
            try:
                await self._pass_on((reader, writer), (far_reader, far_writer))
            finally:
                far_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # the target is away, or the wire closes: either way the process sees a broken connection
        finally:
            writer.transport.abort()
            self._links.discard(link)

    async def _pass_on(
        self, near: tuple[StreamReader, StreamWriter], far: tuple[StreamReader, StreamWriter]
    ) -> None:
        """Until either end is gone, or a pin that holds something here is over."""
        link = _Link()
        passing = [
            asyncio.create_task(self._requests(near[0], far[1], link)),
            asyncio.create_task(self._answers(far[0], near[1], link)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)

    async def _requests(self, reader: StreamReader, writer: StreamWriter, link: "_Link") -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await self.read(reader)
                pin = self._pin
                if pin is not None and pin.wanted(request):
                    if pin.moment is Moment.BEFORE:
                        await _hold(pin)
                        return
                    link.awaited.append((self.key(request), pin))
                writer.write(request)
                await writer.drain()

    async def _answers(self, reader: StreamReader, writer: StreamWriter, link: "_Link") -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                answer = await self.read(reader)
                for key, pin in link.awaited:
                    if self.answers(answer, key):
                        await _hold(pin)
                        return
                if self.delay:
                    self.delayed += 1
                    await asyncio.sleep(self.delay)
                writer.write(self.shown(answer))
                await writer.drain()


@dataclass(slots=True)
class _Link:
    """One connection: the requests on it whose answers are to be held back."""

    awaited: list[tuple[object, Pin]] = field(default_factory=list)


async def _hold(pin: Pin) -> None:
    pin.held.set()
    await pin.over.wait()


class KafkaWire(Wire):
    """Understands Kafka's frames, and names itself wherever the broker names its own address."""

    PRODUCE: ClassVar[int] = 0
    OFFSET_COMMIT: ClassVar[int] = 8

    def pin_call(self, call: int, moment: Moment, *, when: Callable[[bytes], bool]) -> Pin:
        """Pins requests of one kind, `PRODUCE` or `OFFSET_COMMIT`, for which `when` holds."""
        kind = call.to_bytes(2, "big")
        return self.pin(moment, lambda frame: frame[4:6] == kind and when(frame))

    async def read(self, reader: StreamReader) -> bytes:
        """Length, then so many bytes (Kafka protocol guide, "Common Request and Response Structure")."""
        size = await reader.readexactly(4)
        return size + await reader.readexactly(int.from_bytes(size, "big"))

    def key(self, request: bytes) -> object:
        """The correlation id, behind the kind of call and its version."""
        return request[8:12]

    def answers(self, answer: bytes, key: object) -> bool:
        """An answer begins with the correlation id of its request."""
        return answer[4:8] == key

    def shown(self, answer: bytes) -> bytes:
        """A host is always followed by its port, in four bytes: replaced, the frame keeps its length."""
        host = self.target[0].encode()
        return answer.replace(host + self.target[1].to_bytes(4, "big"), host + self.port.to_bytes(4, "big"))


class SmtpWire(Wire):
    """Understands lines: what SMTP consists of, mails included (RFC 5321)."""

    def pin_mail(self, moment: Moment) -> Pin:
        """Pins the end of a mail: before the server has the last line, or when it has taken the mail."""
        return self.pin(moment, lambda line: line == b".\r\n")

    async def read(self, reader: StreamReader) -> bytes:
        """The next line."""
        return await reader.readuntil(b"\n")

    def key(self, request: bytes) -> object:
        """None is needed: SMTP answers in order."""
        del request
        return None

    def answers(self, answer: bytes, key: object) -> bool:
        """Whatever comes next."""
        del answer, key
        return True


class ByteWire(Wire):
    """Understands nothing: a request, or an answer, is whatever has come. For delays, with any protocol."""

    async def read(self, reader: StreamReader) -> bytes:
        """Whatever has come."""
        if not (read := await reader.read(_CHUNK)):
            raise asyncio.IncompleteReadError(read, None)
        return read

    def key(self, request: bytes) -> object:
        """Requests are not told apart."""
        del request
        return None

    def answers(self, answer: bytes, key: object) -> bool:
        """Whatever comes next."""
        del answer, key
        return True
