"""Who joins a topic is told of it from then on, whatever becomes of others who come or leave."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from gateway.live.room import Subscription
from gateway.live.store import PREFIX, Position, Reading, Store
from servicekit.errors import Unavailable
from testkit import eventually

from .hubs import Reader, everything, hub, told


class Forgetful(Store):
    """A store that nobody resumes from."""

    async def read(self, channel: str, since: Position | None, *, trusted: bool = False) -> Reading:
        if not trusted:
            raise Unavailable
        return await super().read(channel, since, trusted=trusted)


class Slow(Redis):
    """A Redis that hears of no topic that somebody wants to listen to, until it may."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.may = asyncio.Event()
        self.said = False
        self.broken = False
        """Whether the connection is closed beneath the next one who wants to."""

    def pubsub(self, **_options: Any) -> "SlowPubSub":
        return SlowPubSub(self)


class SlowPubSub(PubSub):
    """Its connection for listening."""

    def __init__(self, redis: Slow) -> None:
        super().__init__(redis.connection_pool)
        self.redis = redis

    async def subscribe(self, *channels: Any, **_handlers: Any) -> None:
        if any(each.endswith("/feed") for each in channels):
            self.redis.said = True
            await self.redis.may.wait()
            broken, self.redis.broken = self.redis.broken, False
            if broken:
                raise RuntimeError("the handler is closed")  # as uvloop says it
        await super().subscribe(*channels)


def subscription() -> Subscription:
    return Subscription("feed", Reader(), everything)


async def listened_to(redis: Redis, channel: str) -> bool:
    """Whether Redis tells somebody of the topic."""
    ((_, listeners),) = await redis.pubsub_numsub(PREFIX + channel)
    return bool(listeners)


async def test_a_subscription_that_fails_leaves_nothing_behind(redis_url: str) -> None:
    channel = f"{uuid4()}/feed"
    async with hub(redis_url, Forgetful) as (opened, _, redis):
        await opened.join(channel, there := subscription(), None)
        assert await eventually(lambda: listened_to(redis, channel))
        with pytest.raises(Unavailable):
            await opened.join(channel, subscription(), Position("other", 3))
        opened.leave(channel, there)

        async def left() -> bool:
            return not await listened_to(redis, channel)

        assert await eventually(left)


async def test_a_topic_is_listened_to_though_whoever_came_first_left_before_redis_heard_of_it(
    redis_url: str,
) -> None:
    channel, slow = f"{uuid4()}/feed", Slow.from_url(redis_url)
    async with hub(redis_url, redis=slow) as (opened, _, redis):
        await opened.join(f"{uuid4()}/other", subscription(), None)  # it is connected
        first = asyncio.create_task(opened.join(channel, subscription(), None))
        await eventually(lambda: slow.said)
        second = asyncio.create_task(opened.join(channel, subscription(), None))
        await asyncio.sleep(0)  # it has come
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        slow.may.set()
        await second
        assert await eventually(lambda: listened_to(redis, channel))


async def test_a_topic_is_listened_to_though_the_connection_broke_as_redis_was_told_of_it(
    redis_url: str,
) -> None:
    channel, other, slow = f"{uuid4()}/feed", f"{uuid4()}/other", Slow.from_url(redis_url)
    slow.broken = True
    slow.may.set()
    async with hub(redis_url, redis=slow) as (opened, store, redis):
        await opened.join(other, subscription(), None)  # it is connected

        async def joined() -> bool:
            await store.publish([told(other, "e")])  # whoever listens looks up
            try:
                await opened.join(channel, subscription(), None)
            except Unavailable:
                return False
            return True

        assert await eventually(joined)
        assert await eventually(lambda: listened_to(redis, channel))
        assert not slow.broken
