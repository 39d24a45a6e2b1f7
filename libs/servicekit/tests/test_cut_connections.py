"""A database that goes away tells so before it hangs up: loops that hear only the first half go on."""

import asyncio
from asyncio import StreamReader
from collections.abc import Iterator
from urllib.parse import urlsplit
from weakref import WeakSet

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from comptoir.booking.v1 import events_pb2
from devstack.psql import run_sql
from servicekit import ids, outbox
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.relay import Relay
from servicekit.settings import DatabaseSettings, KafkaSettings
from testkit import eventually
from testkit.wires import Wire

_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'booking-relay';"
)


class NeverHangsUp(Wire):
    """Passes on every byte, but not that the other end is gone."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._open: WeakSet[StreamReader] = WeakSet()
        self._silent: WeakSet[StreamReader] = WeakSet()

    def silence(self) -> None:
        """From now on nothing passes on the connections that there are, and nobody is told."""
        self._silent.update(list(self._open))

    async def read(self, reader: StreamReader) -> bytes:
        self._open.add(reader)
        passed = await reader.read(65_536)
        if not passed or reader in self._silent:
            await asyncio.Event().wait()
        return passed

    def key(self, request: bytes) -> object:
        return request

    def answers(self, answer: bytes, key: object) -> bool:
        return answer == key


@pytest.fixture
def wire(database_settings: DatabaseSettings) -> Iterator[NeverHangsUp]:
    url = urlsplit(database_settings.url.get_secret_value())
    wire = NeverHangsUp(f"{url.hostname}:{url.port}")
    wire.start()
    yield wire
    wire.close()


@pytest.fixture
def behind_wire(database_settings: DatabaseSettings, wire: NeverHangsUp) -> DatabaseSettings:
    """The same database, where nobody hears that a connection was closed. Statements take a second."""
    url = urlsplit(database_settings.url.get_secret_value())
    address = url._replace(netloc=f"{url.username}:{url.password}@{wire.address}").geturl()
    changed = {"url": SecretStr(address), "statement_timeout_ms": 1_000}
    return database_settings.model_copy(update=changed)


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
        await asyncio.wait_for(running, 60)


async def test_a_relay_whose_connection_falls_silent_publishes_on_another(
    behind_wire: DatabaseSettings, wire: NeverHangsUp, db: Database, kafka: KafkaSettings, postgres_url: str
) -> None:
    """The end of its session on the server lets its lock go; the relay hears nothing of that."""
    stop = asyncio.Event()
    running = asyncio.ensure_future(Relay("booking", behind_wire, kafka).run(stop))
    try:
        await _publish(db)
        wire.silence()
        assert "t" in run_sql(postgres_url, _TERMINATE).split()
        await _publish(db)
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


async def test_a_transaction_on_a_connection_that_falls_silent_is_given_up(
    behind_wire: DatabaseSettings, wire: NeverHangsUp
) -> None:
    behind = Database(behind_wire.model_copy(update={"pool_size": 1}), name="booking")

    async def ask() -> int:
        async with behind.begin_platform(reason="test") as tx:
            return int((await tx.execute(sa.select(sa.literal(1)))).scalar_one())

    try:
        assert await ask() == 1
        wire.silence()
        with pytest.raises(Unavailable):
            await asyncio.wait_for(ask(), 60)
        assert await ask() == 1
    finally:
        await behind.close()


async def _publish(db: Database) -> None:
    """Says something, and waits until the broker has it."""
    async with db.begin(ids.new()) as tx:
        event = await outbox.add(tx, events_pb2.BookingConfirmed(), key=ids.new())

    async def is_published() -> bool:
        async with db.begin_platform(reason="test") as tx:
            found = sa.select(outbox.OUTBOX.c.published_at).where(outbox.OUTBOX.c.event_id == event)
            return (await tx.execute(found)).scalar_one() is not None

    await eventually(is_published, timeout=90)
