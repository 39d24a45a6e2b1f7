"""A database that goes away tells so before it hangs up: loops that hear only the first half go on."""

import asyncio
from asyncio import StreamReader
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from comptoir.booking.v1 import events_pb2
from devstack.psql import run_sql
from servicekit import ids, outbox
from servicekit.database import Database
from servicekit.relay import Relay
from servicekit.settings import DatabaseSettings, KafkaSettings
from testkit import eventually
from testkit.wires import Wire

_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'booking-relay';"
)


class NeverHangsUp(Wire):
    """Passes on every byte, but not that the other end is gone."""

    async def read(self, reader: StreamReader) -> bytes:
        return await reader.read(65_536) or await asyncio.Event().wait() or b""

    def key(self, request: bytes) -> object:
        return request

    def answers(self, answer: bytes, key: object) -> bool:
        return answer == key


@pytest.fixture
def behind_wire(database_settings: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """The same database, where nobody notices that a connection was closed."""
    url = urlsplit(database_settings.url.get_secret_value())
    wire = NeverHangsUp(f"{url.hostname}:{url.port}")
    wire.start()
    address = url._replace(netloc=f"{url.username}:{url.password}@{wire.address}").geturl()
    yield database_settings.model_copy(update={"url": SecretStr(address)})
    wire.close()


async def test_a_relay_whose_connection_was_terminated_publishes_on_another(
    behind_wire: DatabaseSettings, db: Database, kafka: KafkaSettings, postgres_url: str
) -> None:
    stop = asyncio.Event()
    running = asyncio.ensure_future(Relay("booking", behind_wire, kafka).run(stop))
    try:
        await _publish(db)
        assert "t" in run_sql(postgres_url, _TERMINATE).split()
        await _publish(db)
        assert not running.done()
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


async def _publish(db: Database) -> None:
    """Says something, and waits until the broker has it."""
    async with db.begin(ids.new()) as tx:
        event = await outbox.add(tx, events_pb2.BookingConfirmed(), key=ids.new())

    async def is_published() -> bool:
        async with db.begin_platform(reason="test") as tx:
            found = sa.select(outbox.OUTBOX.c.published_at).where(outbox.OUTBOX.c.event_id == event)
            return (await tx.execute(found)).scalar_one() is not None

    await eventually(is_published, timeout=90)
