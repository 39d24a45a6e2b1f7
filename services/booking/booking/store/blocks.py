"""Blocks and what they occupy. A block has whatever no booking has of its time, also when a booking goes."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from booking.domain.blocks import LONGEST, Block, Span, fillings
from booking.store.sweeps import room_appeared
from booking.tables import ALLOCATIONS, BLOCKS, BOOKINGS
from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page

_MOMENT = sa.DateTime(timezone=True)
_venue = sa.bindparam("venue", type_=sa.Uuid)
_start, _end = sa.bindparam("start", type_=_MOMENT), sa.bindparam("end", type_=_MOMENT)
_block = sa.bindparam("block", type_=sa.Uuid)

_TOUCHING = (
    sa.select(BLOCKS)
    .where(
        BLOCKS.c.venue_id == _venue,
        BLOCKS.c.start_at > sa.bindparam("earliest", type_=_MOMENT),
        BLOCKS.c.start_at < _end,
        BLOCKS.c.end_at > _start,
    )
    .order_by(BLOCKS.c.start_at, BLOCKS.c.id)
)
_PAGES = Keyset(_TOUCHING, BLOCKS.c.start_at, BLOCKS.c.id)
_GET = sa.select(BLOCKS).where(BLOCKS.c.venue_id == _venue, BLOCKS.c.id == _block)
_OCCUPY = insert(ALLOCATIONS).on_conflict_do_nothing()
_RELEASE = (
    sa.delete(ALLOCATIONS)
    .where(ALLOCATIONS.c.block_id == _block)
    .returning(
        ALLOCATIONS.c.venue_id, ALLOCATIONS.c.resource_id, ALLOCATIONS.c.start_at, ALLOCATIONS.c.end_at
    )
)
_DELETE = sa.delete(BLOCKS).where(BLOCKS.c.id == _block)
_TAKEN = (
    sa.select(
        ALLOCATIONS.c.resource_id,
        ALLOCATIONS.c.start_at,
        ALLOCATIONS.c.end_at,
        ALLOCATIONS.c.booking_id,
        sa.func.coalesce(ALLOCATIONS.c.expires_at > sa.func.now(), sa.true()).label("live"),
    )
    .where(
        ALLOCATIONS.c.venue_id == _venue,
        ALLOCATIONS.c.start_at > _start - sa.text("interval '24 hours'"),
        ALLOCATIONS.c.start_at < _end,
        ALLOCATIONS.c.end_at > _start,
        ALLOCATIONS.c.resource_id == sa.any_(sa.bindparam("resources", type_=sa.ARRAY(sa.Uuid))),
    )
    .order_by(ALLOCATIONS.c.start_at, ALLOCATIONS.c.booking_id)
)
_DAYS_OF = sa.select(BOOKINGS.c.service_date).where(
    BOOKINGS.c.id == sa.any_(sa.bindparam("bookings", type_=sa.ARRAY(sa.Uuid)))
)


async def insert_block(tx: Transaction, block: Block) -> None:
    """Adds a block; `occupy` gives it what it occupies."""
    await tx.execute(
        sa.insert(BLOCKS),
        {
            "organization_id": tx.organization,
            "id": block.id,
            "venue_id": block.venue_id,
            "resource_ids": list(block.resource_ids),
            "start_at": block.start,
            "end_at": block.end,
            "reason": block.reason,
            "created_by": block.created_by,
            "created_at": block.created_at,
        },
    )


async def get_block(tx: Transaction, venue_id: UUID, block_id: UUID) -> Block | None:
    """A block of the venue."""
    row = (await tx.execute(_GET, {"venue": venue_id, "block": block_id})).mappings().one_or_none()
    return None if row is None else _of(row)


async def list_touching(tx: Transaction, venue_id: UUID, start: datetime, end: datetime) -> list[Block]:
    """The blocks of a venue that have some of [start, end), by start."""
    values = {"venue": venue_id, "start": start, "end": end, "earliest": start - LONGEST}
    return [_of(row) for row in (await tx.execute(_TOUCHING, values)).mappings()]


async def page_of_touching(
    tx: Transaction, venue_id: UUID, start: datetime, end: datetime, page: Page
) -> tuple[list[Block], str]:
    """A page of the same by start and id, and the token of the next."""
    values = {"venue": venue_id, "start": start, "end": end, "earliest": start - LONGEST}
    rows, token = await _PAGES.read(tx, page, values)
    return [_of(row) for row in rows], token


async def list_taken(tx: Transaction, block: Block) -> list[tuple[Span, UUID | None, bool]]:
    """What others have of a block's time, by start: the booking, if it is one, and whether it is live."""
    values = {
        "venue": block.venue_id,
        "start": block.start,
        "end": block.end,
        "resources": list(block.resource_ids),
    }
    return [
        (Span(row.resource_id, row.start_at, row.end_at), row.booking_id, row.live)
        for row in await tx.execute(_TAKEN, values)
    ]


async def list_service_dates(tx: Transaction, booking_ids: Iterable[UUID]) -> set[Any]:
    """The service days of some bookings."""
    return set((await tx.execute(_DAYS_OF, {"bookings": list(booking_ids)})).scalars())


async def occupy(tx: Transaction, venue_id: UUID, pieces: Iterable[tuple[UUID, Span]]) -> bool:
    """Gives blocks some time. False when somebody has some of it."""
    rows = [
        {
            "organization_id": tx.organization,
            "block_id": block_id,
            "resource_id": span.resource_id,
            "venue_id": venue_id,
            "start_at": span.start,
            "end_at": span.end,
        }
        for block_id, span in sorted(pieces, key=lambda each: (each[1].resource_id, each[1].start))
    ]
    for row in rows:
        if not (await tx.execute(_OCCUPY, row)).rowcount:
            return False
    return True


async def delete_block(tx: Transaction, block_id: UUID) -> None:
    """Frees what a block occupies; where another lies over it, that one takes it."""
    freed = (await tx.execute(_RELEASE, {"block": block_id})).all()
    await tx.execute(_DELETE, {"block": block_id})
    if freed:
        await fill_gaps(tx, freed)
        await room_appeared(tx, freed)


async def fill_gaps(tx: Transaction, freed: Sequence[sa.Row[Any]]) -> None:
    """Gives blocks what just became free in their time. Rows of one venue: resource, start, end."""
    venue_id = freed[0].venue_id
    start, end = min(row.start_at for row in freed), max(row.end_at for row in freed)
    blocks = await list_touching(tx, venue_id, start, end)
    if blocks:
        spans = [Span(row.resource_id, row.start_at, row.end_at) for row in freed]
        await occupy(tx, venue_id, fillings(spans, blocks))


def _of(row: sa.RowMapping) -> Block:
    return Block(
        id=row["id"],
        venue_id=row["venue_id"],
        resource_ids=tuple(row["resource_ids"]),
        start=row["start_at"],
        end=row["end_at"],
        reason=row["reason"],
        created_by=row["created_by"],
        created_at=row["created_at"],
    )
