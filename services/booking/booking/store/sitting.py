"""Who sits where at this moment, whatever time was planned for them. Reads only."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import Status
from booking.domain.occupancy import Allocation
from booking.tables import ALLOCATIONS, BOOKINGS
from servicekit.database import Transaction

_NEAR = timedelta(days=2)
_OVERDUE = timedelta(hours=2)
"""Who was to leave longer ago has left, whether anybody said so or not."""
_LINGERS = 30 * 60
"""For so many seconds from now on, at least, who stays too long is taken to stay."""
_NOW = sa.bindparam("now", type_=sa.DateTime(timezone=True))
_LAST = BOOKINGS.c.end_at - timedelta(seconds=1)
# Who sits too early has what their visit begins with, who stays too long what it ends with.
_AT = sa.func.least(sa.func.greatest(_NOW, BOOKINGS.c.start_at), _LAST)
_SITTING = (
    sa.select(ALLOCATIONS.c.resource_id, ALLOCATIONS.c.booking_id, ALLOCATIONS.c.start_at)
    .join(BOOKINGS, BOOKINGS.c.id == ALLOCATIONS.c.booking_id)
    .where(
        ALLOCATIONS.c.venue_id == sa.bindparam("venue"),
        ALLOCATIONS.c.start_at.between(_NOW - _NEAR, _NOW + _NEAR),
        BOOKINGS.c.status == Status.SEATED.value,
        BOOKINGS.c.end_at > _NOW - _OVERDUE,
        ALLOCATIONS.c.start_at <= _AT,
        ALLOCATIONS.c.end_at > _AT,
    )
)


async def occupied_now(tx: Transaction, venue_id: UUID, *, now: datetime) -> list[Allocation]:
    """Where somebody sits, as taken from now on: until their time begins, or for a while after it."""
    rows = await tx.execute(_SITTING, {"venue": venue_id, "now": now})
    second = int(now.timestamp())
    return [
        Allocation(
            row.resource_id,
            second,
            max(int(row.start_at.timestamp()), second + _LINGERS),
            row.booking_id,
            live=True,
        )
        for row in rows
    ]
