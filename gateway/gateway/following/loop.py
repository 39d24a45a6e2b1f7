"""Follows the logs of all services: each event reaches each reaction at least once, in order by partition."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.cache.tags import BEAT
from gateway.following.redis_positions import RedisPositions
from servicekit import broker, telemetry, topics
from servicekit.events import Event, Undecodable, from_record
from servicekit.positions import Positions
from servicekit.settings import KafkaSettings
from servicekit.telemetry import metrics
from servicekit.waiting import finished_before, wait_for_any

GROUP: Final = "gateway"
BEAT_MS: Final = 1_000
_FRESH_SECONDS: Final = 1.0
"""How long ago the broker may have said last that there is nothing more. With BEAT_MS: two seconds."""

_POLL_MS: Final = 300
_BATCH: Final = 1_000
_RECONNECT_SECONDS: Final = 1.0
_BACKOFF_SECONDS: Final = (0.1, 0.5, 1.0, 2.0)
_AWAY: Final = (RedisError, OSError, TimeoutError)

_log = telemetry.logger(__name__)

Reaction: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
"""Does what must be done about some events, in order per partition; any of them may have been seen before.

Raises RedisError, OSError or TimeoutError when it cannot now: it is then called again with the same events.
"""


class Follower:
    """The one member of the gateway's group. More are safe: each follows a part then, and nobody beats."""

    def __init__(self, kafka: KafkaSettings, redis: "Redis", reactions: Iterable[Reaction]) -> None:
        self._kafka = kafka
        self._redis: Any = redis
        self._reactions = tuple(reactions)
        self._topics = topics.followed_by(GROUP)

    async def run(self, stop: asyncio.Event) -> None:
        """Follows until `stop` is set. Waits for broker and Redis as long as they are away."""
        while not stop.is_set():
            positions = Positions(GROUP, RedisPositions(self._redis), self._kafka)
            consumer = broker.group_consumer(self._kafka, GROUP, self._topics, positions)
            try:
                await broker.ensure_topics(self._kafka, self._topics)
                if await finished_before(stop, consumer.start()):  # it waits for the group to settle
                    await self._follow(consumer, positions, stop)
            except (KafkaError, *_AWAY) as error:
                _log.warning("follower_interrupted", error=type(error).__name__)
                await wait_for_any(stop, timeout=_RECONNECT_SECONDS)
            finally:
                await broker.close(consumer.stop())

    async def _follow(self, consumer: AIOKafkaConsumer, positions: Positions, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await positions.prove(consumer)
            batches: Mapping[TopicPartition, Sequence[ConsumerRecord]] = await consumer.getmany(
                timeout_ms=_POLL_MS, max_records=_BATCH
            )
            if positions.unproven:
                continue  # what was read is of a place that nobody has looked at
            if batches:
                if not await self._react([each for records in batches.values() for each in records], stop):
                    return
                await self._advance(consumer, positions, [records[-1] for records in batches.values()])
            await self._beat(consumer)

    async def _advance(
        self, consumer: AIOKafkaConsumer, positions: Positions, last: Sequence[ConsumerRecord]
    ) -> None:
        """Notes how far everything is done. Whoever is given a partition meanwhile sees events again."""
        if positions.unproven:
            return
        try:
            await consumer.commit(
                {TopicPartition(each.topic, each.partition): each.offset + 1 for each in last}
            )
            await positions.note(last)
        except (CommitFailedError, IllegalStateError):
            _log.warning("commit_lost_to_rebalance")

    async def _react(self, records: Sequence[ConsumerRecord], stop: asyncio.Event) -> bool:
        """Hands the events to every reaction. False only when `stop` came before all had them."""
        events = [event for event in map(_read, records) if event is not None]
        for reaction in self._reactions:
            if events and not await self._insist(reaction, events, stop):
                return False
        for event in events:
            metrics.EVENTS_HANDLED.labels(event.type, "handled").inc()
        now = datetime.now(UTC)
        for topic, newest in {_topic(event): event.time for event in events}.items():
            metrics.EVENTS_LAG_SECONDS.labels(topic).set((now - newest).total_seconds())
        return True

    async def _insist(self, reaction: Reaction, events: Sequence[Event], stop: asyncio.Event) -> bool:
        """Repeats a reaction while Redis is away. An event that breaks it is left out, and no other one."""
        attempt = 0
        while not stop.is_set():
            try:
                await reaction(events)
            except _AWAY as error:
                wait = _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS) - 1)]
                attempt += 1
                _log.warning("events_wait", count=len(events), error=type(error).__name__)
                await wait_for_any(stop, timeout=wait)
            except Exception as error:  # noqa: BLE001  # the edge of reactions
                if len(events) > 1:
                    return all([await self._insist(reaction, [each], stop) for each in events])
                _log.exception("event_died", type=events[0].type, error=type(error).__name__)
                metrics.EVENTS_HANDLED.labels(events[0].type, "died").inc()
                return True
            else:
                return True
        return False

    async def _beat(self, consumer: AIOKafkaConsumer) -> None:
        """Says that nothing is left to follow, if it is so. Raises RedisError."""
        if self._caught_up(consumer, await self._places(consumer)):
            await self._redis.set(BEAT, b"1", px=BEAT_MS)

    async def _places(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        return {each: await consumer.position(each) for each in consumer.assignment()}

    def _caught_up(self, consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, int]) -> bool:
        """Whether this member follows all logs, and the broker said lately that they go no further."""
        since = (time.time() - _FRESH_SECONDS) * 1000
        every = {
            TopicPartition(topic, number)
            for topic in self._topics
            for number in consumer.partitions_for_topic(topic) or {-1}
        }
        return every == places.keys() and all(
            (consumer.last_poll_timestamp(each) or 0) >= since and (consumer.highwater(each) or 0) <= place
            for each, place in places.items()
        )


def _read(record: ConsumerRecord) -> Event | None:
    """The event; None for a record that holds none that this version of the contract knows."""
    try:
        return from_record(record.headers, record.value)
    except Undecodable as error:
        _log.warning("record_not_understood", topic=record.topic, error=str(error))
        metrics.EVENTS_HANDLED.labels("undecodable", "died").inc()
        return None


def _topic(event: Event) -> str:
    return event.type.rpartition(".")[0]
