"""Facts about blocks. Each carries all that others need; why staff blocked is nobody else's business."""

from zoneinfo import ZoneInfo

from booking.domain.blocks import Block
from booking.events.messages import moment
from comptoir.booking.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction


async def resources_blocked(tx: Transaction, block: Block, zone: ZoneInfo) -> None:
    """Resources are out of sale for a while."""
    message = events_pb2.ResourcesBlocked(
        block_id=ids.show("blk", block.id),
        venue_id=ids.show("ven", block.venue_id),
        resource_ids=[ids.show("res", each) for each in block.resource_ids],
        start=moment(zone, block.start),
        end=moment(zone, block.end),
    )
    await outbox.add(tx, message, key=block.id)


async def resources_unblocked(tx: Transaction, block: Block) -> None:
    """Resources are on sale again."""
    message = events_pb2.ResourcesUnblocked(
        block_id=ids.show("blk", block.id), venue_id=ids.show("ven", block.venue_id)
    )
    await outbox.add(tx, message, key=block.id)
