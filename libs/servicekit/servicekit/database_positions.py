"""How far a consumer has come, in its service's own database."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from aiokafka import TopicPartition
from sqlalchemy.dialects.postgresql import insert

from servicekit.database import Database
from servicekit.positions import Position

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


class DatabasePositions:
    """Rows of `consumer_positions`, one for each partition."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
        """The positions that are known. Raises what the database raises."""
        async with self._db.begin_platform(reason="look how far a consumer has come") as tx:
            rows = await tx.execute(sa.select(_POSITIONS))
            known = {
                TopicPartition(row.topic, row.partition): Position(row.log_offset, row.record) for row in rows
            }
        return {each: known[each] for each in partitions if each in known}

    async def write(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Replaces these positions and no other ones. Raises what the database raises."""
        rows = [
            {
                "topic": partition.topic,
                "partition": partition.partition,
                "log_offset": position.offset,
                "record": position.record,
            }
            for partition, position in positions.items()
        ]
        async with self._db.begin_platform(reason="note how far a consumer has come") as tx:
            await tx.execute(_NOTE, rows)
