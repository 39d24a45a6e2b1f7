"""Where the follower goes on in a log: after the record it followed last, if the log still holds that one.

The gateway has no database, so this stands in Redis. Offsets that the broker keeps are believed only when
nothing stands there: a broker that lost its logs tells nobody (see servicekit.positions).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from redis.asyncio import Redis

from servicekit import broker, telemetry
from servicekit.events import shown
from servicekit.settings import KafkaSettings

_KEY = "edge:positions"

_log = telemetry.logger(__name__)


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """How far the group has come, for one member of it."""

    def __init__(self, group: str, redis: "Redis", kafka: KafkaSettings) -> None:
        self._group = group
        self._redis: Any = redis
        self._kafka = kafka
        self._unproven: frozenset[TopicPartition] = frozenset()

    @property
    def unproven(self) -> bool:
        """Whether partitions were given since the last `prove`: what was read since does not count."""
        return bool(self._unproven)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing to do: who is given them next looks for themselves."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Notes that they are to be looked at."""
        self._unproven = frozenset(assigned)

    async def note(self, followed: Sequence[ConsumerRecord]) -> None:
        """Remembers the last record of each partition that is done. Raises RedisError."""
        await self._redis.hset(
            _KEY, mapping={_field(each.topic, each.partition): _name(each) for each in followed}
        )

    async def prove(self, consumer: AIOKafkaConsumer) -> None:
        """Sets the member to where it really is. Raises RedisError, KafkaError."""
        while given := self._unproven:
            starts = await self._starts(given)
            if given is not self._unproven:
                continue
            self._unproven = frozenset()
            try:
                for partition, offset in starts.items():
                    consumer.seek(partition, offset)
            except IllegalStateError:
                return  # given to somebody else meanwhile, of which we are told in a moment

    async def _starts(self, given: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        """The next offset of each; 0 is the beginning, wherever retention has moved that to."""
        ordered = sorted(given)
        kept = await self._redis.hmget(_KEY, [_field(each.topic, each.partition) for each in ordered])
        noted = {each: name.decode() for each, name in zip(ordered, kept, strict=True) if name}
        wanted = {partition: int(name.partition(" ")[0]) for partition, name in noted.items()}
        found = await broker.records_at(self._kafka, wanted)
        starts = await broker.committed(self._kafka, self._group, given - noted.keys())
        for partition, offset in wanted.items():
            record = found.get(partition)
            stands = record is not None and _name(record) == noted[partition]
            starts[partition] = offset + 1 if stands else 0
            if not stands:
                _log.warning("log_was_replaced", topic=partition.topic, partition=partition.partition)
        return starts


def _field(topic: str, partition: int) -> str:
    return f"{topic}:{partition}"


def _name(record: ConsumerRecord) -> str:
    """Of one record in one log: the same event, published again, has another time."""
    return f"{record.offset} {shown(dict(record.headers).get('ce_id'))} {record.timestamp}"
