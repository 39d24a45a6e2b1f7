"""What counts on an offering, and what goes with it. Knows no rule of its own."""

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import OCCUPYING, Status
from booking.domain.offerings import OfferingNotFound
from booking.domain.waitlist import EntryStatus
from booking.tables import BOOKINGS, DATE_EXCEPTIONS, OFFERINGS, PACING_RULES, SHIFTS, WAITLIST_ENTRIES
from servicekit.database import Transaction

_venue = sa.bindparam("venue", type_=sa.Uuid)
_offering = sa.bindparam("offering", type_=sa.Uuid)
_E = WAITLIST_ENTRIES.c

_ON_SALE = sa.select(OFFERINGS.c.id).where(
    OFFERINGS.c.venue_id == _venue, OFFERINGS.c.id == _offering, OFFERINGS.c.retired_at.is_(None)
)
_WAITING = (
    sa.select(_E.id)
    .where(
        _E.venue_id == _venue,
        _E.offering_id == _offering,
        _E.status.in_([EntryStatus.WAITING.value, EntryStatus.OFFERED.value]),
        ~_E.unproven,
    )
    .order_by(_E.id)
)
_TO_COME = (
    sa.select(BOOKINGS.c.id)
    .where(
        BOOKINGS.c.venue_id == _venue,
        BOOKINGS.c.offering_id == _offering,
        BOOKINGS.c.service_date >= sa.bindparam("first", type_=sa.Date),
        BOOKINGS.c.start_at > sa.func.now(),
        BOOKINGS.c.status.in_(sorted({*OCCUPYING, Status.REQUESTED})),
    )
    .order_by(BOOKINGS.c.start_at, BOOKINGS.c.id)
)
_OWN = tuple(
    sa.delete(table).where(table.c.venue_id == _venue, table.c.offering_id == _offering)
    for table in (SHIFTS, DATE_EXCEPTIONS, PACING_RULES)
)


async def refuse_unless_on_sale(tx: Transaction, venue_id: UUID, offering_id: UUID) -> None:
    """Raises OfferingNotFound for one that the venue took off sale, or never had."""
    found = await tx.execute(_ON_SALE, {"venue": venue_id, "offering": offering_id})
    if found.scalar_one_or_none() is None:
        raise OfferingNotFound


async def list_to_come(tx: Transaction, venue_id: UUID, offering_id: UUID, first: date) -> list[UUID]:
    """The bookings of an offering from a service day on that have not begun, by start.

    A hold that ran out counts until that is written down: it may be paid.
    """
    values = {"venue": venue_id, "offering": offering_id, "first": first}
    return list((await tx.execute(_TO_COME, values)).scalars())


async def list_waiting(tx: Transaction, venue_id: UUID, offering_id: UUID) -> list[UUID]:
    """Who waits for an offering, in their order."""
    return list((await tx.execute(_WAITING, {"venue": venue_id, "offering": offering_id})).scalars())


async def delete_rules(tx: Transaction, venue_id: UUID, offering_id: UUID) -> None:
    """Deletes the hours and the pacing rules that are an offering's own."""
    for statement in _OWN:
        await tx.execute(statement, {"venue": venue_id, "offering": offering_id})
