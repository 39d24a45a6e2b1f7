"""One open stream: what waits to be written, and why it ends. Knows no transport."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from gateway.live import metrics
from gateway.live.errors import (
    GoingAway,
    SlowConsumer,
    StreamExpired,
    TooManyMessages,
)
from gateway.live.room import Subscription
from gateway.live.settings import LiveSettings
from gateway.live.store import Entry
from servicekit.errors import AppError, Unauthenticated
from servicekit.identity import Caller

CODES: Mapping[type[AppError], int] = MappingProxyType(
    {
        GoingAway: 1012,
        TooManyMessages: 1008,
        Unauthenticated: 4001,
        StreamExpired: 4002,
        SlowConsumer: 4008,
    }
)
"""The close codes of WebSocket (RFC 6455 §7.4), by what ends a stream; those from 4000 are ours."""

_DELIVERED = metrics.MESSAGES.labels("delivered")

Frame = Callable[["Connection", str, str], str]
"""Puts a message into the form of a transport: connection, name of what it tells, JSON."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How a stream ends."""

    error: AppError
    retry_after_ms: int = 0

    @property
    def code(self) -> int:
        """The close code."""
        return CODES[type(self.error)]


class Connection:
    """A stream of one caller. Messages wait in a bounded queue; who does not read them in time is closed."""

    def __init__(
        self, caller: Caller, until: float, *, transport: str, settings: LiveSettings, frame: Frame
    ) -> None:
        """`until`: epoch seconds after which the caller's authority is over."""
        self.caller = caller
        self.until = until
        self.transport = transport
        self.subscriptions: dict[str, Subscription] = {}
        self.closing: Closing | None = None
        self._settings = settings
        self._frame = frame
        self._queue: deque[str] = deque()
        self._bytes = 0
        self._something = asyncio.Event()

    def deliver(self, _subscription: Subscription, entry: Entry) -> None:
        """Queues an entry."""
        _DELIVERED.inc()
        self._put("message", entry.text)

    def tell_place(self, subscription: Subscription, *, recovered: bool) -> None:
        """Queues word of where a subscription goes on."""
        self.subscriptions[subscription.topic] = subscription
        place = subscription.position
        self.tell(
            "subscribed",
            topic=subscription.topic,
            epoch=place.epoch,
            offset=place.offset,
            recovered=recovered,
        )

    def refuse(self, error: AppError, *, topic: str = "") -> None:
        """Queues a refusal; the stream goes on."""
        about = {"topic": topic} if topic else {}
        more = {"metadata": error.metadata} if error.metadata else {}
        self.tell("refused", **about, reason=error.reason, detail=error.detail, **more)

    def tell(self, control: str, **said: Any) -> None:
        """Queues a message that is of no topic."""
        self._put(control, orjson.dumps({"control": control} | said).decode())

    def close(self, error: AppError, *, retry_after_ms: int = 0) -> None:
        """Ends the stream after what waits; a slow reader gets nothing of that any more."""
        if self.closing is not None:
            return
        metrics.CLOSED.labels(error.reason).inc()
        self.closing = Closing(error, retry_after_ms)
        if isinstance(error, SlowConsumer):
            self._queue.clear()
        said = orjson.dumps(
            {"control": "closing", "reason": error.reason, "detail": error.detail}
            | ({"retry_after_ms": retry_after_ms} if retry_after_ms else {})
        )
        self._queue.append(self._frame(self, "closing", said.decode()))
        self._something.set()

    def hang_up(self) -> None:
        """The client is gone: wakes who waits for something to write."""
        self._something.set()

    @property
    def pending(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._queue)

    async def waiting(self) -> list[str]:
        """What is to be written next. Empty only when the client is gone."""
        await self._something.wait()
        self._something.clear()
        taken = list(self._queue)
        self._queue.clear()
        self._bytes = 0
        return taken

    def _put(self, name: str, said: str) -> None:
        if self.closing is not None:
            return
        framed = self._frame(self, name, said)
        self._bytes += len(framed)
        if len(self._queue) >= self._settings.queue_messages or self._bytes > self._settings.queue_bytes:
            self.close(SlowConsumer())
            return
        self._queue.append(framed)
        self._something.set()
