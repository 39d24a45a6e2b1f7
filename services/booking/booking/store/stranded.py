"""What live bookings count on, for the question which of them a change strands. Reads no personal data."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import OCCUPYING, Status
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Rule
from booking.domain.stranded import Commitment
from booking.tables import ALLOCATIONS, BOOKINGS
from servicekit.database import Transaction

_LIVE = tuple(sorted({*OCCUPYING, Status.REQUESTED}))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which bookings of a venue a change can touch: of some service days and, if any are named, offerings."""

    first: date
    last: date
    offering_ids: tuple[UUID, ...] = ()


_HELD = (
    sa.select(
        sa.func.array_agg(ALLOCATIONS.c.resource_id).label("held"),
        sa.func.array_agg(sa.extract("epoch", ALLOCATIONS.c.start_at)).label("held_from"),
        sa.func.array_agg(sa.extract("epoch", ALLOCATIONS.c.end_at)).label("held_until"),
    )
    .where(
        ALLOCATIONS.c.organization_id == BOOKINGS.c.organization_id, ALLOCATIONS.c.booking_id == BOOKINGS.c.id
    )
    .lateral()
)
_COMMITMENTS = (
    sa.select(
        BOOKINGS.c.id,
        BOOKINGS.c.offering_id,
        BOOKINGS.c.service_date,
        sa.extract("epoch", BOOKINGS.c.start_at).label("starts"),
        sa.extract("epoch", BOOKINGS.c.end_at).label("ends"),
        BOOKINGS.c.party_size,
        BOOKINGS.c.resource_ids,
        BOOKINGS.c.overridden,
        _HELD,
    )
    .join(_HELD, sa.true())
    .where(
        BOOKINGS.c.venue_id == sa.bindparam("venue", type_=sa.Uuid),
        BOOKINGS.c.service_date >= sa.bindparam("first", type_=sa.Date),
        BOOKINGS.c.service_date <= sa.bindparam("last", type_=sa.Date),
        BOOKINGS.c.start_at > sa.func.now(),
        BOOKINGS.c.status.in_(_LIVE),
        sa.func.coalesce(BOOKINGS.c.hold_expires_at > sa.func.now(), sa.true()),
    )
    .order_by(BOOKINGS.c.start_at, BOOKINGS.c.id)
)
_OF_OFFERINGS = _COMMITMENTS.where(
    BOOKINGS.c.offering_id == sa.any_(sa.bindparam("offerings", type_=sa.ARRAY(sa.Uuid)))
)


async def list_commitments(tx: Transaction, venue_id: UUID, scope: Scope) -> list[Commitment]:
    """What the future live bookings of a venue count on, by start."""
    query = _OF_OFFERINGS if scope.offering_ids else _COMMITMENTS
    values = {"venue": venue_id, "first": scope.first, "last": scope.last}
    if scope.offering_ids:
        values["offerings"] = list(scope.offering_ids)
    return [
        Commitment(
            booking_id=row.id,
            offering_id=row.offering_id,
            service_date=row.service_date,
            start=int(row.starts),
            end=int(row.ends),
            party_size=row.party_size,
            resource_ids=tuple(row.resource_ids),
            occupations=tuple(
                Occupation(resource_id, int(since), int(until))
                for resource_id, since, until in zip(
                    row.held or (), row.held_from or (), row.held_until or (), strict=True
                )
            ),
            overridden=frozenset(map(Rule, row.overridden)),
        )
        for row in await tx.execute(query, values)
    ]
