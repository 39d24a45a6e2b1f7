"""From one service's outbox through the broker to another's dead letter and back."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids, inbox, outbox
from servicekit.consumer import Consumer
from servicekit.database import Database
from servicekit.events import Event, Undecodable, from_record
from servicekit.relay import Relay
from servicekit.settings import KafkaSettings
from testkit import eventually
from testkit.databases import ServiceDatabases
from testkit.plugin import OpenDatabase

pytestmark = pytest.mark.kafka


@dataclass
class Desk:
    """Notes payments, but not those of `refused`."""

    db: Database
    refused: set[str] = field(default_factory=set)
    noted: Counter[str] = field(default_factory=Counter)

    async def note(self, event: Event) -> None:
        if event.message.payment_id in self.refused:
            raise ValueError("not this one")
        async with self.db.begin(event.tenant) as tx:
            await inbox.claim(tx, event)
            self.noted[event.message.payment_id] += 1


@contextlib.asynccontextmanager
async def running(*loops: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(loop(stop)) for loop in loops]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 90)


async def test_a_refused_event_becomes_a_dead_letter_and_holds_up_nobody(
    kafka: KafkaSettings, service_database: OpenDatabase, service_databases: ServiceDatabases
) -> None:
    payment, booking = await service_database("payment"), await service_database("booking")
    poison, healthy, organization = f"poison-{ids.new()}", f"healthy-{ids.new()}", ids.new()
    desk, key = Desk(booking, refused={poison}), ids.new()
    handlers: Any = {payment_events.PaymentSucceeded: Desk.note}
    consumer = Consumer("booking", desk, booking, kafka, handlers)
    relays = [
        Relay(service, service_databases.settings(service), kafka) for service in ("payment", "booking")
    ]

    async with running(*(relay.run for relay in relays), consumer.run):
        for name in (poison, healthy):
            async with payment.begin(organization) as tx:
                await outbox.add(tx, payment_events.PaymentSucceeded(payment_id=name), key=key)
        await eventually(lambda: desk.noted[healthy], timeout=90)
        letter = await eventually(lambda: _letter(consumer, poison), timeout=90)
    headers = dict(letter.headers)
    assert (headers["dlq_consumer"], headers["dlq_error"]) == (b"booking", b"ValueError")
    assert (letter.topic, letter.key) == ("comptoir.payment.v1.dlq", key.bytes)

    desk.refused.clear()
    await consumer.handle(letter)
    assert desk.noted == {healthy: 1, poison: 1}
    assert await _letter(consumer, poison) is None


async def _letter(consumer: Consumer[Desk], payment: str) -> ConsumerRecord | None:
    """The dead letter of a payment, among those of other tests, some of which nobody can decode."""
    async for record in consumer.dead_letters():
        with contextlib.suppress(Undecodable):
            if from_record(record.headers, record.value).message.payment_id == payment:
                return record
    return None
