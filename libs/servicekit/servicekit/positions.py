"""Where a group goes on in a log: after the record it handled last, if the log still holds that very record.

A broker that lost its logs and starts empty ones under their names tells nobody, and may take the old offset
of a member that has not noticed yet. So how far a service came stands in its own database, with the name of
the record; the offsets that it commits to the broker tell others, and are never believed.
"""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError
from sqlalchemy.dialects.postgresql import insert

from servicekit import broker, telemetry
from servicekit.database import Database
from servicekit.events import shown
from servicekit.settings import KafkaSettings

_POSITIONS = sa.table(
    "consumer_positions",
    sa.column("topic", sa.Text),
    sa.column("partition", sa.Integer),
    sa.column("log_offset", sa.BigInteger),
    sa.column("record", sa.Text),
)
_NOTE = insert(_POSITIONS)
_NOTE = _NOTE.on_conflict_do_update(
    index_elements=["topic", "partition"],
    set_={"log_offset": _NOTE.excluded.log_offset, "record": _NOTE.excluded.record},
)

_log = telemetry.logger(__name__)


class Positions(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """How far the group has come, for one member of it."""

    def __init__(self, group: str, db: Database, kafka: KafkaSettings) -> None:
        self._group = group
        self._db = db
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
        """Remembers the last record of each partition that is finished. Raises what the database raises.

        A late member may set a position back: then some events are seen again, and none is passed over.
        """
        rows = [
            {
                "topic": each.topic,
                "partition": each.partition,
                "log_offset": each.offset,
                "record": _name(each),
            }
            for each in handled
        ]
        async with self._db.begin_platform(reason="note how far a consumer has come") as tx:
            await tx.execute(_NOTE, rows)

    async def prove(self, consumer: AIOKafkaConsumer) -> None:
        """Sets the member to where the group really is. Raises what broker and database raise."""
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
        async with self._db.begin_platform(reason="look how far a consumer has come") as tx:
            rows = await tx.execute(sa.select(_POSITIONS))
            noted = {TopicPartition(row.topic, row.partition): (row.log_offset, row.record) for row in rows}
        wanted = {partition: noted[partition][0] for partition in given & noted.keys()}
        found = await broker.records_at(self._kafka, wanted)
        # What is committed is noted at once: where nothing is noted, nobody has left an old offset either.
        starts = await broker.committed(self._kafka, self._group, given - noted.keys())
        for partition, offset in wanted.items():
            record = found.get(partition)
            stands = record is not None and (record.offset, _name(record)) == noted[partition]
            starts[partition] = offset + 1 if stands else 0
            if not stands:
                _log.warning("log_was_replaced", topic=partition.topic, partition=partition.partition)
        return starts


def _name(record: ConsumerRecord) -> str:
    """Of one record in one log: the same event, published again, has another time."""
    return f"{shown(dict(record.headers).get('ce_id'))} {record.timestamp}"
