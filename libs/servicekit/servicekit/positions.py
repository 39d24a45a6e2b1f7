"""Where a group goes on in a log: after the record it handled last, if the log still holds that very record.

A broker that lost its logs and starts empty ones under their names tells nobody, and may take the old offset
of a member that has not noticed yet. So how far a group came stands in a store of its own, with the name of
the record; the offsets that it commits to the broker tell others, and are believed only where nothing stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from servicekit import broker, telemetry
from servicekit.events import shown
from servicekit.settings import KafkaSettings

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Position:
    """A record of one partition, by which a log is known again."""

    offset: int
    record: str
    """The name of the record: the same event, published again, has another time and so another name."""


class PositionStore(Protocol):
    """Where the positions of one group stand. Nothing but `write` changes them."""

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
        """The position of each of these partitions that has one."""

    async def write(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Replaces the positions of these partitions, and of no other ones."""


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """How far the group has come, for one member of it."""

    def __init__(self, group: str, store: PositionStore, kafka: KafkaSettings) -> None:
        self._group = group
        self._store = store
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

    async def note(self, handled: Sequence[ConsumerRecord]) -> None:
        """Remembers the last record of each partition that is finished. Raises what the store raises.

        A late member may set a position back: then some events are seen again, and none is passed over.
        """
        await self._store.write(
            {TopicPartition(each.topic, each.partition): _position(each) for each in handled}
        )

    async def prove(self, consumer: AIOKafkaConsumer) -> None:
        """Sets the member to where the group really is. Raises what broker and store raise."""
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
        noted = await self._store.read(given)
        found = await broker.records_at(self._kafka, {each: noted[each].offset for each in noted})
        # What is committed is noted at once: where nothing is noted, nobody has left an old offset either.
        starts = await broker.committed(self._kafka, self._group, given - noted.keys())
        for partition, position in noted.items():
            record = found.get(partition)
            stands = record is not None and _position(record) == position
            starts[partition] = position.offset + 1 if stands else 0
            if not stands:
                _log.warning("log_was_replaced", topic=partition.topic, partition=partition.partition)
        return starts


def _position(record: ConsumerRecord) -> Position:
    return Position(record.offset, f"{shown(dict(record.headers).get('ce_id'))} {record.timestamp}")
