"""Hubs on a real Redis, and readers that remember what they were told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from gateway.live.facts import Told
from gateway.live.hub import Hub
from gateway.live.room import Subscription
from gateway.live.settings import LiveSettings
from gateway.live.store import Entry, Position, Store, client
from servicekit.settings import RedisSettings

HISTORY = 8


def told(channel: str, event: str) -> Told:
    return Told(channel, event, "bookings.read", "", b'{"type":"t","n":"' + event.encode() + b'"}')


@dataclass
class Reader:
    """A client that remembers what it read, and how far."""

    read: list[str] = field(default_factory=list)
    place: Position | None = None
    refetched: int = 0
    """How many times it was told that something may be lost."""

    def deliver(self, subscription: Subscription, entry: Entry) -> None:
        self.read.append(entry.text.partition('"n":"')[2].partition('"')[0])
        self.place = subscription.position

    def tell_place(self, subscription: Subscription, *, recovered: bool) -> None:
        if not recovered:
            self.refetched += 1
            self.read.append("?")
        self.place = subscription.position


def everything(_entry: Entry) -> bool:
    return True


@asynccontextmanager
async def hub(
    url: str, kept: type[Store] = Store, redis: Redis | None = None
) -> AsyncIterator[tuple[Hub, Store, Redis]]:
    """A hub that runs, over its store and Redis."""
    redis = redis or client(RedisSettings.model_validate({"url": url}))
    assert redis
    store = kept(redis, LiveSettings(history_messages=HISTORY))
    opened = Hub(redis, store, check_seconds=1)
    running = asyncio.create_task(opened.run())
    try:
        yield opened, store, redis
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await redis.aclose()
