"""Outbox, relay, broker, consumer and inbox together: nothing lost, nothing doubled."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, TopicPartition

from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.payment.v1 import events_pb2 as payment_events
from devstack.engines import BrokerEngine
from servicekit import broker, ids, inbox, outbox, topics
from servicekit.consumer import Consumer
from servicekit.database import Database
from servicekit.events import Event
from servicekit.relay import Relay
from servicekit.settings import DatabaseSettings, KafkaSettings
from servicekit.telemetry import metrics
from testkit import eventually
from testkit.outbox import published


@asynccontextmanager
async def running(*loops: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(loop(stop)) for loop in loops]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 90)


class Seen:
    """An app whose one use case counts what it was given, in the transaction of the inbox."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.payments: Counter[str] = Counter()
        self.failures = 0

    async def handle(self, event: Event) -> None:
        if self.failures:
            self.failures -= 1
            raise ValueError("not today")
        async with self.db.begin(event.tenant) as tx:
            await inbox.claim(tx, event)
            self.payments[event.message.payment_id] += 1


async def say(db: Database, organization: UUID, *payments: str) -> None:
    for payment in payments:
        async with db.begin(organization) as tx:
            await outbox.add(tx, payment_events.PaymentSucceeded(payment_id=payment), key=ids.new())


def parts(
    db: Database, settings: DatabaseSettings, kafka: KafkaSettings
) -> tuple[Seen, Relay, Consumer[Seen]]:
    """One database plays both sides: payment's relay publishes what booking's consumer handles."""
    seen = Seen(db)
    handlers: Any = {payment_events.PaymentSucceeded: Seen.handle}
    relay = Relay("booking", settings, kafka)
    relay._topics = (*topics.published_by("payment"), *topics.published_by("booking"))
    return seen, relay, Consumer("booking", seen, db, kafka, handlers)


async def test_events_arrive_once(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    seen, relay, consumer = parts(db, database_settings, kafka)
    names = [f"pay-{ids.new()}" for _ in range(30)]
    async with running(relay.run, consumer.run):
        await say(db, ids.new(), *names)
        await eventually(lambda: all(seen.payments[name] for name in names), timeout=90)
    assert all(seen.payments[name] == 1 for name in names)


async def test_a_rolled_back_change_says_nothing(db: Database) -> None:
    with pytest.raises(KeyError):
        async with db.begin(ids.new()) as tx:
            await outbox.add(tx, booking_events.BookingConfirmed(), key=ids.new())
            raise KeyError
    assert await published(db) == []


async def test_a_broker_that_came_back_empty_is_refilled(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings, broker_engine: BrokerEngine
) -> None:
    seen, relay, consumer = parts(db, database_settings, kafka)
    organization = ids.new()
    before, after = [f"before-{ids.new()}" for _ in range(20)], [f"after-{ids.new()}" for _ in range(5)]
    async with running(relay.run):
        await say(db, organization, *before)
        await eventually(lambda: all_published(db), timeout=90)
        await asyncio.to_thread(broker_engine.kill)
        await asyncio.to_thread(broker_engine.start)
        await say(db, organization, *after)
        async with running(consumer.run):
            await eventually(lambda: all(seen.payments[name] for name in before + after), timeout=90)
    assert set(seen.payments.values()) == {1}


async def test_an_old_offset_in_a_new_log_hides_nothing(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings, broker_engine: BrokerEngine
) -> None:
    """A member that has not noticed yet tells an empty broker how far it came in the old log."""
    seen, relay, consumer = parts(db, database_settings, kafka)
    organization = ids.new()
    # So many that every partition gets some: what the group then commits replaces the old offset, which would
    # hide the events of the tests to come, who start with an empty database and the same broker.
    before, after = [f"before-{ids.new()}" for _ in range(80)], [f"after-{ids.new()}" for _ in range(60)]
    async with running(relay.run):
        async with running(consumer.run):
            await say(db, organization, *before)
            await eventually(lambda: all(seen.payments[name] for name in before), timeout=90)
        await _confirm_all(db)
        offsets = await _committed(kafka)
        await asyncio.to_thread(broker_engine.kill)
        await asyncio.to_thread(broker_engine.start)
        await broker.ensure_topics(kafka, _PAYMENTS)
        await _commit(kafka, offsets)
        await say(db, organization, *after)
        await eventually(lambda: all_published(db), timeout=90)
        async with running(consumer.run):
            await eventually(lambda: all(seen.payments[name] for name in after), timeout=90)
    assert set(seen.payments.values()) == {1}


_PAYMENTS = topics.published_by("payment")


async def _confirm_all(db: Database) -> None:
    """As if every subscriber had handled everything: then only what is new fills a new log."""
    async with db.begin_platform(reason="test") as tx:
        await tx.execute(
            sa.text(
                "INSERT INTO relay_confirmations AS c"
                " SELECT topic, partition, max(log_offset) + 1 FROM outbox GROUP BY topic, partition"
                " ON CONFLICT (topic, partition) DO UPDATE SET log_offset = excluded.log_offset"
            )
        )


async def _committed(kafka: KafkaSettings) -> dict[TopicPartition, int]:
    partitions = [TopicPartition(topic, number) for topic in _PAYMENTS for number in range(kafka.partitions)]
    found = await broker.committed(kafka, "booking", partitions)
    return {partition: offset for partition, offset in found.items() if offset}


async def _commit(kafka: KafkaSettings, offsets: dict[TopicPartition, int]) -> None:
    """As somebody who is no member: brokers take that while a group is empty."""
    outsider = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id="booking", enable_auto_commit=False
    )
    await outsider.start()
    try:
        outsider.assign(list(offsets))
        await outsider.commit(offsets)
    finally:
        await broker.close(outsider.stop())


async def all_published(db: Database) -> bool:
    async with db.begin_platform(reason="test") as tx:
        waiting = sa.select(sa.func.count()).where(outbox.OUTBOX.c.published_at.is_(None))
        return (await tx.execute(waiting)).scalar_one() == 0


async def test_a_passing_failure_is_retried(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    seen, relay, consumer = parts(db, database_settings, kafka)
    name = f"pay-{ids.new()}"
    seen.failures = 2
    async with running(relay.run, consumer.run):
        await say(db, ids.new(), name)
        await eventually(lambda: seen.payments[name], timeout=90)
    assert seen.payments[name] == 1


async def test_what_fails_for_good_becomes_a_dead_letter_that_can_be_replayed(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    seen, relay, consumer = parts(db, database_settings, kafka)
    poison, healthy = f"poison-{ids.new()}", f"healthy-{ids.new()}"
    seen.failures = 5
    async with running(relay.run, consumer.run):
        await say(db, ids.new(), poison)
        await eventually(lambda: seen.failures == 0, timeout=90)
        await say(db, ids.new(), healthy)
        await eventually(lambda: seen.payments[healthy], timeout=90)
        assert not seen.payments[poison]
        letters = await eventually(lambda: _letters(consumer), timeout=90)
        assert [dict(letter.headers)["dlq_error"] for letter in letters] == [b"ValueError"]
        await consumer.handle(letters[0])
        assert seen.payments[poison] == 1
        assert await _letters(consumer) == []


async def _letters(consumer: Consumer[Seen]) -> list[Any]:
    return [letter async for letter in consumer.dead_letters()]


async def test_a_relay_that_does_not_lead_stops_at_once_and_takes_over_otherwise(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    seen, first, consumer = parts(db, database_settings, kafka)
    _, second, _ = parts(db, database_settings, kafka)
    name = f"pay-{ids.new()}"
    async with running(first.run):
        await say(db, ids.new(), "led")
        await eventually(lambda: all_published(db), timeout=90)
        async with asyncio.timeout(30), running(second.run):
            await asyncio.sleep(0)
    async with running(second.run, consumer.run):
        await say(db, ids.new(), name)
        await eventually(lambda: seen.payments[name], timeout=90)


async def test_a_healthy_broker_is_not_taken_for_one_that_lost_its_log(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    """The embedded broker tells the end of a log one batch too early; many events of one key make a batch."""
    _, relay, _ = parts(db, database_settings, kafka)
    republished = metrics.EVENTS_REPUBLISHED.labels("comptoir.payment.v1")._value
    organization, key = ids.new(), ids.new()
    async with db.begin(organization) as tx:
        for number in range(20):
            await outbox.add(tx, payment_events.PaymentSucceeded(payment_id=str(number)), key=key)
    before = republished.get()
    for known_by in (
        relay,
        parts(db, database_settings, kafka)[1],
    ):  # the other knows of the log by the database
        async with running(known_by.run):
            await eventually(lambda: all_published(db), timeout=90)
            await _inspected_twice(known_by)
    assert republished.get() == before


async def _inspected_twice(relay: Relay) -> None:
    first = relay._inspected
    await eventually(lambda: relay._inspected > first + 3, timeout=90)


@pytest.mark.parametrize("value", [b"a\x00b", b"\xff\xfe", None, b""])
async def test_junk_in_a_topic_is_buried_and_stops_nobody(
    value: bytes | None, db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    seen, relay, consumer = parts(db, database_settings, kafka)
    name = f"pay-{ids.new()}"
    producer = broker.producer(kafka, "vandal")
    await broker.ensure_topics(kafka, ["comptoir.payment.v1"])
    await producer.start()
    headers = [("ce_type", value), ("ce_id", value), ("ce_organizationid", value)]
    for partition in range(kafka.partitions):
        await producer.send_and_wait("comptoir.payment.v1", b"junk", headers=headers, partition=partition)
    await producer.stop()
    async with running(relay.run, consumer.run):
        await say(db, ids.new(), name)
        await eventually(lambda: seen.payments[name], timeout=90)
