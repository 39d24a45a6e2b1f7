"""Hands each event to its handler, at least once, in order per key; the hopeless become dead letters."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind
from sqlalchemy.exc import SQLAlchemyError

from servicekit import broker, ids, outbox, telemetry, topics
from servicekit.database import Database
from servicekit.database_positions import DatabasePositions
from servicekit.errors import AppError, Busy, DeadlineExceeded, Unavailable
from servicekit.events import Event, Undecodable, from_record, shown
from servicekit.inbox import INBOX, AlreadyHandled
from servicekit.positions import Positions
from servicekit.settings import KafkaSettings
from servicekit.telemetry import metrics
from servicekit.waiting import finished_before, wait_for_any

A = TypeVar("A")
Handler = Callable[[A, Event], Awaitable[None]]
Handlers = Mapping[type[Message], Handler[A]]

_ATTEMPTS = 5
_BACKOFF_SECONDS = (0.1, 0.5, 2.0, 5.0)
_POLL_MS = 300
_BATCH = 200
_RECONNECT_SECONDS = 1.0

DEAD_CONSUMER = "dlq_consumer"
DEAD_ERROR = "dlq_error"

_log = telemetry.logger(__name__)


class Consumer(Generic[A]):
    """One member of the service's consumer group."""

    def __init__(
        self, service: str, app: A, db: Database, kafka: KafkaSettings, handlers: Handlers[A]
    ) -> None:
        self._service = service
        self._app = app
        self._db = db
        self._kafka = kafka
        self._handlers = {message.DESCRIPTOR.full_name: handler for message, handler in handlers.items()}
        self._topics = topics.followed_by(service)

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set. Waits for the broker as long as it is away."""
        while not stop.is_set():
            positions = Positions(self._service, DatabasePositions(self._db), self._kafka)
            consumer = broker.group_consumer(self._kafka, self._service, self._topics, positions)
            try:
                await broker.ensure_topics(self._kafka, self._topics)
                if await finished_before(stop, consumer.start()):  # it waits for the group to settle
                    await self._consume(consumer, positions, stop)
            except (KafkaError, OSError, AppError, SQLAlchemyError) as error:
                _log.warning("consumer_interrupted", error=_name(error))
                await wait_for_any(stop, timeout=_RECONNECT_SECONDS)
            finally:
                await broker.close(consumer.stop())

    async def _consume(self, consumer: AIOKafkaConsumer, positions: Positions, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await positions.prove(consumer)
            batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
            if not batches or positions.unproven:
                continue
            done = await asyncio.gather(*(self._work(records, stop) for records in batches.values()))
            finished = [record for record in done if record]
            if not finished or positions.unproven:
                continue  # whoever owns these partitions now sees the events again; the inbox knows them
            try:
                await consumer.commit(
                    {TopicPartition(each.topic, each.partition): each.offset + 1 for each in finished}
                )
                await positions.note(finished)
            except (CommitFailedError, IllegalStateError):
                _log.warning("commit_lost_to_rebalance")
            except (AppError, SQLAlchemyError) as error:
                _log.warning("position_not_noted", error=_name(error))  # with the next ones, then

    async def _work(self, records: Sequence[ConsumerRecord], stop: asyncio.Event) -> ConsumerRecord | None:
        """Handles one partition's records in order. Returns the last one that is finished."""
        last = None
        for record in records:
            if stop.is_set():
                break
            if not await self._finish(record, stop):
                break
            last = record
        return last

    async def _finish(self, record: ConsumerRecord, stop: asyncio.Event) -> bool:
        """Handles a record until it is done or dead. False only when `stop` came first."""
        attempt = 0
        while not stop.is_set():
            attempt += 1
            try:
                await self.handle(record)
            except (Unavailable, Busy, DeadlineExceeded) as error:
                _log.warning("event_waits", type=_type_of(record), reason=error.reason)
                await self._pause(attempt, stop)
            except Exception as error:  # noqa: BLE001  # one of the three edges
                if not isinstance(error, Undecodable) and attempt < _ATTEMPTS:
                    _log.warning("event_failed", type=_type_of(record), error=_name(error), attempt=attempt)
                    await self._pause(attempt, stop)
                    continue
                _log.exception("event_died", type=_type_of(record), error=_name(error))
                await self._bury(record, _name(error), stop)
                return True
            else:
                return True
        return False

    async def handle(self, record: ConsumerRecord) -> None:
        """Hands one record to its handler, if there is one. Raises what the handler raises."""
        event = from_record(record.headers, record.value)
        handler = self._handlers.get(event.type)
        if handler is None:
            return
        started = time.perf_counter()
        outcome = "failed"
        with telemetry.server_span(f"consume {event.type}", event.traceparent, kind=SpanKind.CONSUMER):
            try:
                await handler(self._app, event)
                outcome = "handled"
            except AlreadyHandled:
                outcome = "repeated"
            finally:
                metrics.EVENTS_HANDLED.labels(event.type, outcome).inc()
                metrics.EVENTS_SECONDS.labels(event.type).observe(time.perf_counter() - started)
        age = datetime.now(UTC) - event.time
        metrics.EVENTS_LAG_SECONDS.labels(record.topic).set(age.total_seconds())

    async def _pause(self, attempt: int, stop: asyncio.Event) -> None:
        await wait_for_any(stop, timeout=_BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS)) - 1])

    async def _bury(self, record: ConsumerRecord, error: str, stop: asyncio.Event) -> None:
        """Writes a dead letter through the outbox, as safe as any event; waits for the database."""
        headers = {shown(name.encode()): shown(raw) for name, raw in record.headers}
        row = {
            "event_id": ids.new(),
            "organization_id": _uuid_or_none(headers.get("ce_organizationid")),
            "topic": record.topic + topics.DEAD_LETTERS,
            "key": record.key or b"",
            "type": headers.get("ce_type", "undecodable"),
            "subject": headers.get("ce_subject", ""),
            "payload": record.value or b"",
            "headers": headers | {DEAD_CONSUMER: self._service, DEAD_ERROR: error},
        }
        attempt = 0
        while not stop.is_set():
            attempt += 1
            try:
                async with self._db.begin_platform(reason="write a dead letter") as tx:
                    await tx.execute(sa.insert(outbox.OUTBOX), row)
            except (AppError, SQLAlchemyError) as failure:
                _log.warning("dead_letter_waits", error=_name(failure))
                await self._pause(attempt, stop)
            else:
                outbox.nudge()
                metrics.EVENTS_HANDLED.labels(row["type"], "died").inc()
                return

    async def dead_letters(self) -> AsyncIterator[ConsumerRecord]:
        """The dead letters of this service that have not been handled since, oldest first per partition."""
        async for record in broker.everything(
            self._kafka, [topic + topics.DEAD_LETTERS for topic in self._topics]
        ):
            if await self._is_open(record):
                yield record

    async def _is_open(self, record: ConsumerRecord) -> bool:
        headers = dict(record.headers)
        if headers.get(DEAD_CONSUMER) != self._service.encode():
            return False
        event_id = _uuid_or_none(shown(headers.get("ce_id")))
        async with self._db.begin_platform(reason="list dead letters") as tx:
            found = await tx.execute(sa.select(INBOX.c.event_id).where(INBOX.c.event_id == event_id))
            return found.first() is None


def _type_of(record: ConsumerRecord) -> str:
    return shown(dict(record.headers).get("ce_type"))


def _name(error: Exception) -> str:
    return error.reason if isinstance(error, AppError) else type(error).__name__


def _uuid_or_none(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
