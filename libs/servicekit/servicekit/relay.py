"""Publishes outbox rows in order, one relay at a time, and refills a broker that lost what it had taken."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from servicekit import broker, events, outbox, telemetry, topics
from servicekit.settings import DatabaseSettings, KafkaSettings
from servicekit.telemetry import metrics
from servicekit.waiting import wait_for_any

_BATCH = 500
_LOCK = 0x636F6D70  # any number that every relay of one database agrees on
_INSPECT_SECONDS = 2.0
_RETRY_SECONDS = 0.5
_IDLE_SECONDS, _SLOWER = 0.25, 1.2
"""While nobody publishes anything, the pauses between two looks grow by and by to a quarter of a second."""
_PRUNE_SECONDS = 600.0
_WHOLE_TABLE_SECONDS = 300.0
"""For what may read or write a week's rows."""
# Has the server, too, look for a relay that is cut off: the lock that it holds is for another.
_KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

_PENDING = "SELECT * FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT $1"
_MARK = (
    "UPDATE outbox o SET published_at = now(), partition = d.partition, log_offset = d.log_offset"
    " FROM unnest($1::bigint[], $2::int[], $3::bigint[]) AS d (position, partition, log_offset)"
    " WHERE o.position = d.position"
)
# Rows that were published together share published_at.
_LAST = (
    "SELECT DISTINCT ON (topic, partition) topic, partition,"
    " min(log_offset) AS first, max(max(log_offset)) OVER (PARTITION BY topic, partition) AS highest"
    " FROM outbox WHERE log_offset IS NOT NULL AND published_at IS NOT NULL"
    " GROUP BY topic, partition, published_at ORDER BY topic, partition, published_at DESC"
)
_CONFIRM = (
    "INSERT INTO relay_confirmations AS c (topic, partition, log_offset) VALUES ($1, $2, $3)"
    " ON CONFLICT (topic, partition) DO UPDATE SET log_offset = excluded.log_offset"
    " WHERE c.log_offset < excluded.log_offset"
)
_REFILL = (
    "UPDATE outbox SET published_at = CASE WHEN log_offset < $3 THEN published_at END,"
    " partition = NULL, log_offset = NULL"
    " WHERE topic = $1 AND partition = $2"
)
_CONFIRMED = "SELECT log_offset FROM relay_confirmations WHERE topic = $1 AND partition = $2"
_FORGET_CONFIRMATION = "DELETE FROM relay_confirmations WHERE topic = $1 AND partition = $2"
# The inbox outlives the outbox, so that nothing that can still be published again is handled twice.
_PRUNE = (
    "WITH o AS (DELETE FROM outbox WHERE published_at < now() - make_interval(days => $1)),"
    " i AS (DELETE FROM inbox WHERE handled_at < now() - make_interval(days => $1 * 3)),"
    " a AS (DELETE FROM answers WHERE created_at < now() - interval '24 hours')"
    " DELETE FROM idempotency_keys WHERE created_at < now() - interval '2 days'"
)
_REPLAY = (
    "UPDATE outbox SET published_at = NULL WHERE created_at >= $1 AND created_at < $2"
    " AND published_at IS NOT NULL AND ($3::text IS NULL OR type = $3)"
)

_log = telemetry.logger(__name__)


class LogLost(Exception):
    """The broker's log is shorter than what it had taken: everything starts anew, on fresh connections."""


_Failures = (
    LogLost,
    KafkaError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server has ended, but not hung up yet
    OSError,
    TimeoutError,
)


class Relay:
    """The publisher of one service's events. Delivery is at least once, in order per key."""

    def __init__(self, service: str, database: DatabaseSettings, kafka: KafkaSettings) -> None:
        self._service = service
        self._database = database
        self._kafka = kafka
        self._topics = topics.published_by(service)
        self._wake = asyncio.Event()
        self._highest: dict[TopicPartition, int] = {}
        self._first: dict[TopicPartition, int] = {}
        """The first offset of what was last published together. The embedded broker tells the end of a log as
        the first offset of its last batch plus one: an end at or below this one is shorter on any broker."""
        self._inspected = self._pruned = 0.0
        self._settled = False
        """Whether every subscriber had confirmed all of it when that was looked at last."""
        outbox.on_nudge(self._wake.set)

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until `stop` is set. Waits for the broker and the database as long as they are away."""
        while not stop.is_set():
            try:
                async with self._connected() as connection:
                    if await self._lead(connection, stop):
                        await self._publish_or_wait(stop, connection)
            except _Failures as error:
                _log.warning("relay_interrupted", error=type(error).__name__)
                await wait_for_any(stop, timeout=_RETRY_SECONDS)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own, as the platform role."""
        connection = await asyncpg.connect(
            self._database.url.get_secret_value(),
            timeout=5,
            command_timeout=self._database.silence_seconds,
            server_settings={"application_name": f"{self._service}-relay", **_KEEPALIVE},
        )
        try:
            await connection.execute(f"SET ROLE {self._service}_platform")
            yield connection
        finally:
            with contextlib.suppress(*_Failures):
                await connection.close(timeout=2)

    async def _lead(self, connection: asyncpg.Connection, stop: asyncio.Event) -> bool:
        """Waits for the advisory lock: at most one relay works, a dead one lets go. False when stopped."""
        while not stop.is_set():
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return True
            await wait_for_any(stop, timeout=_RETRY_SECONDS)
        return False

    async def _publish_or_wait(self, stop: asyncio.Event, connection: asyncpg.Connection) -> None:
        """Fills a lost log again once its readers have noticed: from an old offset they would pass over some.

        The lock is held meanwhile, so that no other relay is faster.
        """
        try:
            await self._publish_until(stop, connection)
        except LogLost:
            await wait_for_any(stop, timeout=self._kafka.session_timeout_ms / 1000)
            raise

    async def _publish_until(self, stop: asyncio.Event, connection: asyncpg.Connection) -> None:
        await broker.ensure_topics(self._kafka, self._topics)
        rows = await connection.fetch(_LAST, timeout=_WHOLE_TABLE_SECONDS)
        self._highest = {TopicPartition(row["topic"], row["partition"]): row["highest"] for row in rows}
        self._first = {TopicPartition(row["topic"], row["partition"]): row["first"] for row in rows}
        self._inspected, self._settled = 0.0, False
        producer = broker.producer(self._kafka, f"{self._service}-relay")
        await producer.start()
        try:
            shortest = pause = self._kafka.poll_interval_ms / 1000
            while not stop.is_set():
                if self._wake.is_set():
                    self._wake.clear()
                    pause = shortest
                if time.monotonic() - self._inspected > _INSPECT_SECONDS:
                    await self._inspect(connection)
                if await self._publish_batch(connection, producer):
                    pause = shortest
                else:
                    await wait_for_any(stop, self._wake, timeout=pause)
                    pause = min(pause * _SLOWER, max(shortest, _IDLE_SECONDS))
        finally:
            await broker.close(producer.stop())

    async def _publish_batch(self, connection: asyncpg.Connection, producer: AIOKafkaProducer) -> int:
        rows = await connection.fetch(_PENDING, _BATCH)
        if not rows:
            metrics.OUTBOX_AGE_SECONDS.set(0)
            return 0
        metrics.OUTBOX_AGE_SECONDS.set(max(0.0, time.time() - rows[0]["created_at"].timestamp()))
        sends = [
            await producer.send(
                row["topic"],
                key=row["key"],
                value=row["payload"],
                headers=events.to_headers(_plain(row), self._service),
            )
            for row in rows
        ]
        results = await asyncio.gather(*sends, return_exceptions=True)
        taken = [
            (row, result)
            for row, result in zip(rows, results, strict=True)
            if isinstance(result, RecordMetadata)
        ]
        if any(self._is_behind(result) for _, result in taken):
            await self._refill_all(connection)
            raise LogLost
        await connection.execute(
            _MARK,
            [row["position"] for row, _ in taken],
            [result.partition for _, result in taken],
            [result.offset for _, result in taken],
        )
        for _, result in reversed(taken):
            self._first[result.topic_partition] = result.offset
        self._settled = False
        for _, result in taken:
            self._highest[result.topic_partition] = result.offset
            metrics.EVENTS_PUBLISHED.labels(result.topic).inc()
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(taken)

    def _is_behind(self, result: RecordMetadata) -> bool:
        """Offsets only rise: a lower one than before was given by a broker that lost its log."""
        return bool(result.offset <= self._highest.get(result.topic_partition, -1))

    async def _inspect(self, connection: asyncpg.Connection) -> None:
        """Notes what every subscriber has confirmed, and notices a log that has become shorter."""
        self._inspected = time.monotonic()
        if self._highest:
            ends = await self._log_ends()
            if any(ends.get(partition, 0) <= self._first[partition] for partition in self._highest):
                await self._refill_all(connection)
                raise LogLost
            if not self._settled:
                await self._confirm(connection)
        if self._inspected - self._pruned > _PRUNE_SECONDS:
            self._pruned = self._inspected
            await connection.execute(_PRUNE, self._kafka.retention_days, timeout=_WHOLE_TABLE_SECONDS)

    async def _confirm(self, connection: asyncpg.Connection) -> None:
        """Notes how far everybody is. Once all have everything, nothing changes before more is published."""
        confirmed = await self._confirmed()
        for partition, offset in confirmed.items():
            await connection.execute(_CONFIRM, partition.topic, partition.partition, offset)
        self._settled = all(offset > self._highest[partition] for partition, offset in confirmed.items())

    async def _log_ends(self) -> dict[TopicPartition, int]:
        reader = broker.reader(self._kafka)
        await reader.start()
        try:
            ends: dict[TopicPartition, int] = await reader.end_offsets(list(self._highest))
        finally:
            await broker.close(reader.stop())
        return ends

    async def _confirmed(self) -> dict[TopicPartition, int]:
        """The offset below which every subscribed group has committed, by partition."""
        lowest: dict[TopicPartition, int] = {}
        for topic in {partition.topic for partition in self._highest}:
            partitions = [partition for partition in self._highest if partition.topic == topic]
            for group in topics.SUBSCRIBERS.get(topic, ()):
                offsets = await broker.committed(self._kafka, group, partitions)
                for partition, offset in offsets.items():
                    # Further than this log goes: said of an earlier one, by somebody who had not noticed yet.
                    seen = offset if offset <= self._highest[partition] + 1 else 0
                    lowest[partition] = min(lowest.get(partition, seen), seen)
        return lowest

    async def _refill_all(self, connection: asyncpg.Connection) -> None:
        """Has what some subscriber has not confirmed published again, on every partition: a broker loses all.

        What the fresh log took before it was noticed is sent again too. Consumers know repetitions by id.
        """
        for partition in list(self._highest):
            where = (partition.topic, partition.partition)
            async with connection.transaction():
                confirmed = await connection.fetchval(_CONFIRMED, *where) or 0
                status = await connection.execute(_REFILL, *where, confirmed, timeout=_WHOLE_TABLE_SECONDS)
                await connection.execute(_FORGET_CONFIRMATION, *where)
            count = int(status.split()[-1])
            metrics.EVENTS_REPUBLISHED.labels(partition.topic).inc(count)
            _log.warning(
                "broker_lost_its_log", topic=partition.topic, partition=partition.partition, rows=count
            )


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    found = dict(row)
    found["headers"] = orjson.loads(found["headers"])
    return found


async def replay(
    service: str, database: DatabaseSettings, *, since: datetime, until: datetime, event_type: str | None
) -> int:
    """Has the relay publish the events of a time range again. Subscribers that handled one ignore it."""
    connection = await asyncpg.connect(database.url.get_secret_value(), timeout=5)
    try:
        await connection.execute(f"SET ROLE {service}_platform")
        status: str = await connection.execute(_REPLAY, since, until, event_type)
    finally:
        await connection.close()
    return int(status.rsplit(maxsplit=1)[-1])
