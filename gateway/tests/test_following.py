"""The follower on a real broker and a real Valkey: every event, at least once, and never past one."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAway

from comptoir.booking.v1 import events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from gateway.cache.tags import BEAT, KEY_OF_TAG, Forgetting
from gateway.following.loop import Follower, Reaction
from servicekit import broker, events, ids, topics
from servicekit.events import Event
from servicekit.settings import KafkaSettings
from testkit import eventually
from testkit.brokers import EMBEDDED
from testkit.engines import RunningEngine

ORGANIZATION = ids.new()


class Heard:
    """A reaction that remembers what it was given, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.away = 0
        self.hates: UUID | None = None

    async def __call__(self, given: Sequence[Event]) -> None:
        if self.away:
            self.away -= 1
            raise RedisAway
        if self.hates in {each.id for each in given}:
            raise KeyError
        self.events += given
        self.batches.append(len(given))

    def of(self, sent: Iterable[UUID]) -> list[UUID]:
        """Those of some events that were heard, in order, each time."""
        wanted = set(sent)
        return [each.id for each in self.events if each.id in wanted]


@pytest.fixture
def kafka(broker_engine: RunningEngine) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=broker_engine.url,
        idempotent_producer=False,
        partitions=4,
        session_timeout_ms=EMBEDDED.session_timeout_ms,
    )


@pytest.fixture
async def redis(valkey_engine: RunningEngine) -> AsyncIterator[Any]:
    client: Any = Redis.from_url(valkey_engine.url)
    await client.flushdb()
    yield client
    await client.aclose()


@asynccontextmanager
async def following(kafka: KafkaSettings, redis: Any, *reactions: Reaction) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.ensure_future(Follower(kafka, redis, reactions).run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 60)


async def publish(kafka: KafkaSettings, *messages: Message, key: UUID | None = None) -> list[UUID]:
    """As a relay does it. The ids of the events, in order."""
    await broker.ensure_topics(kafka, topics.followed_by("gateway"))
    producer: AIOKafkaProducer = broker.producer(kafka, "test")
    await producer.start()
    sent = []
    try:
        for message in messages:
            service = message.DESCRIPTOR.full_name.split(".")[1]
            row = {
                "event_id": ids.new(),
                "type": message.DESCRIPTOR.full_name,
                "created_at": datetime.now(UTC),
                "subject": "bkg_1",
                "organization_id": ORGANIZATION,
                "headers": {},
            }
            await producer.send_and_wait(
                f"comptoir.{service}.v1",
                key=(key or row["event_id"]).bytes,
                value=message.SerializeToString(),
                headers=events.to_headers(row, service),
            )
            sent.append(row["event_id"])
    finally:
        await producer.stop()
    return sent


def booked(venue: str = "ven_1") -> events_pb2.BookingConfirmed:
    return events_pb2.BookingConfirmed(
        booking=events_pb2.BookingSnapshot(venue_id=venue, service_date="2027-10-31")
    )


async def test_events_of_all_services_are_heard_whole_and_in_order(kafka: KafkaSettings, redis: Any) -> None:
    heard = Heard()
    async with following(kafka, redis, heard):
        sent = await publish(kafka, *[booked() for _ in range(20)], key=ids.new())
        sent += await publish(kafka, payment_events.PaymentSucceeded(payment_id="pay_1"))
        await eventually(lambda: len(heard.of(sent)) >= 21, timeout=90)
    assert [each for each in heard.of(sent) if each in sent[:20]] == sent[:20]
    first = next(each for each in heard.events if each.id == sent[0])
    assert first.type == "comptoir.booking.v1.BookingConfirmed"
    assert (first.organization, first.subject) == (ORGANIZATION, "bkg_1")
    assert first.message == booked()
    assert first.time.tzinfo is not None


async def test_who_follows_after_a_restart_goes_on_behind_what_is_done(
    kafka: KafkaSettings, redis: Any
) -> None:
    first, second = Heard(), Heard()
    async with following(kafka, redis, first):
        before = await publish(kafka, booked())
        await eventually(lambda: first.of(before), timeout=90)
        await eventually(lambda: redis.exists(BEAT), timeout=60)  # so the position is noted
    after = await publish(kafka, booked())
    async with following(kafka, redis, second):
        await eventually(lambda: second.of(after), timeout=90)
    assert second.of(before) == []
    assert second.of(after) == after


async def test_while_redis_is_away_nothing_is_passed_over(kafka: KafkaSettings, redis: Any) -> None:
    heard = Heard()
    heard.away = 3
    async with following(kafka, redis, heard):
        sent = await publish(kafka, booked(), booked())
        await eventually(lambda: len(heard.of(sent)) == 2, timeout=90)
    assert heard.away == 0


async def test_what_is_not_done_at_the_end_is_there_at_the_next_start(
    kafka: KafkaSettings, redis: Any
) -> None:
    stuck, later = Heard(), Heard()
    stuck.away = 1_000_000
    async with following(kafka, redis, stuck):
        sent = await publish(kafka, booked())
        await eventually(lambda: stuck.away < 1_000_000, timeout=90)
    async with following(kafka, redis, later):
        await eventually(lambda: later.of(sent), timeout=90)


async def test_an_event_that_breaks_a_reaction_costs_no_other_one(kafka: KafkaSettings, redis: Any) -> None:
    picky, calm = Heard(), Heard()
    sent = await publish(kafka, *[booked() for _ in range(10)], key=ids.new())
    picky.hates = sent[4]
    async with following(kafka, redis, picky, calm):
        await eventually(lambda: len(calm.of(sent)) >= 10, timeout=90)
    assert picky.of(sent) == [*sent[:4], *sent[5:]]


async def test_a_record_that_is_no_event_of_ours_is_left_out(kafka: KafkaSettings, redis: Any) -> None:
    heard = Heard()
    producer: AIOKafkaProducer = broker.producer(kafka, "test")
    await producer.start()
    await producer.send_and_wait("comptoir.booking.v1", key=b"k", value=b"?")
    await producer.stop()
    async with following(kafka, redis, heard):
        sent = await publish(kafka, booked())
        await eventually(lambda: heard.of(sent), timeout=90)


async def test_many_events_are_few_batches(kafka: KafkaSettings, redis: Any) -> None:
    """A reaction's trip to Redis is one for hundreds of events."""
    heard = Heard()
    sent = await publish(kafka, *[booked() for _ in range(400)])
    async with following(kafka, redis, heard):
        await eventually(lambda: len(heard.of(sent)) >= 400, timeout=90)
    assert max(heard.batches) > 50


async def test_it_says_that_it_has_followed_everything_only_when_it_has(
    kafka: KafkaSettings, redis: Any, broker_engine: RunningEngine
) -> None:
    heard = Heard()
    async with following(kafka, redis, heard):
        await eventually(lambda: redis.exists(BEAT), timeout=90)
        heard.away = 1_000_000
        await publish(kafka, booked())
        await eventually(lambda: heard.away < 1_000_000, timeout=90)
        await eventually(lambda: absent(redis), timeout=30)
        heard.away = 0
        await eventually(lambda: redis.exists(BEAT), timeout=90)
        await asyncio.to_thread(broker_engine.kill)
        try:
            await eventually(lambda: absent(redis), timeout=30)
        finally:
            await asyncio.to_thread(broker_engine.start)
        await eventually(lambda: redis.exists(BEAT), timeout=120)
    await eventually(lambda: absent(redis), timeout=30)


async def absent(redis: Any) -> bool:
    return not await redis.exists(BEAT)


async def test_two_followers_share_and_neither_vouches_for_all(kafka: KafkaSettings, redis: Any) -> None:
    first, second = Heard(), Heard()
    async with following(kafka, redis, first):
        await eventually(lambda: redis.exists(BEAT), timeout=90)
        async with following(kafka, redis, second):
            await eventually(lambda: absent(redis), timeout=90)
            sent = await publish(kafka, *[booked() for _ in range(40)])
            await eventually(lambda: {*first.of(sent), *second.of(sent)} == {*sent}, timeout=90)
        await eventually(lambda: redis.exists(BEAT), timeout=90)


async def test_a_broker_that_came_back_empty_hides_nothing(
    kafka: KafkaSettings, redis: Any, broker_engine: RunningEngine
) -> None:
    """Its offsets begin again below those that stand in Redis."""
    first, second = Heard(), Heard()
    key = ids.new()
    async with following(kafka, redis, first):
        before = await publish(kafka, *[booked() for _ in range(30)], key=key)
        await eventually(lambda: len(first.of(before)) >= 30, timeout=90)
        await eventually(lambda: redis.exists(BEAT), timeout=60)
        await asyncio.to_thread(broker_engine.kill)
        await asyncio.to_thread(broker_engine.start)
        after = await publish(kafka, *[booked() for _ in range(5)], key=key)
        await eventually(lambda: len(set(first.of(after))) == 5, timeout=120)
    await asyncio.to_thread(broker_engine.kill)  # and the same while nobody follows
    await asyncio.to_thread(broker_engine.start)
    last = await publish(kafka, *[booked() for _ in range(3)], key=key)
    async with following(kafka, redis, second):
        await eventually(lambda: len(set(second.of(last))) == 3, timeout=120)


async def test_events_end_kept_answers(kafka: KafkaSettings, redis: Any) -> None:
    venue, other = ids.show("ven", ids.new()), ids.show("ven", ids.new())
    for each in (venue, other):
        await redis.set(f"{KEY_OF_TAG}day:{each}:2027-10-31", b"name", ex=60)
    async with following(kafka, redis, Forgetting(redis)):
        await publish(kafka, booked(venue))

        async def forgotten() -> bool:
            return not await redis.exists(f"{KEY_OF_TAG}day:{venue}:2027-10-31")

        await eventually(forgotten, timeout=90)
    assert await redis.exists(f"{KEY_OF_TAG}day:{other}:2027-10-31")
