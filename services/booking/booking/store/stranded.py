"""What live bookings count on, for the question which of them a change strands. Reads no personal data."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import OCCUPYING, ChangeKind, Status
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Rule
from booking.domain.stranded import Commitment
from booking.tables import ALLOCATIONS, BOOKING_CHANGES, BOOKINGS
from servicekit.database import Transaction

_LIVE = tuple(sorted({*OCCUPYING, Status.REQUESTED}))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which bookings of a venue a change can touch.

    Those of some service days and, if any are named, of some offerings, and at some resources.
    """

    first: date
    last: date
    offering_ids: tuple[UUID, ...] = ()
    resource_ids: tuple[UUID, ...] = ()


_CHUNK = 500
_PLACED = (ChangeKind.MOVED, ChangeKind.ASSIGNED, ChangeKind.SWAPPED, ChangeKind.RESEATED)
_BY_STAFF = (ChangeKind.ASSIGNED, ChangeKind.SWAPPED)
_PLACED_LAST = (
    sa.select(BOOKING_CHANGES.c.kind)
    .where(
        BOOKING_CHANGES.c.organization_id == BOOKINGS.c.organization_id,
        BOOKING_CHANGES.c.booking_id == BOOKINGS.c.id,
        BOOKING_CHANGES.c.kind.in_(_PLACED),
    )
    .order_by(BOOKING_CHANGES.c.version.desc())
    .limit(1)
    .correlate(BOOKINGS)
    .scalar_subquery()
)
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
        BOOKINGS.c.start_at,
        sa.extract("epoch", BOOKINGS.c.start_at).label("starts"),
        sa.extract("epoch", BOOKINGS.c.end_at).label("ends"),
        BOOKINGS.c.party_size,
        BOOKINGS.c.resource_ids,
        BOOKINGS.c.overridden,
        BOOKINGS.c.area_id,
        BOOKINGS.c.attributes,
        sa.or_(BOOKINGS.c.pinned, sa.func.coalesce(_PLACED_LAST, "").in_(_BY_STAFF)).label("placed_by_staff"),
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
    .limit(_CHUNK)
)
_OF_OFFERINGS = BOOKINGS.c.offering_id == sa.any_(sa.bindparam("offerings", type_=sa.ARRAY(sa.Uuid)))
_AT_RESOURCES = BOOKINGS.c.resource_ids.op("&&", is_comparison=True)(
    sa.bindparam("resources", type_=sa.ARRAY(sa.Uuid))
)
_BEHIND = sa.tuple_(BOOKINGS.c.start_at, BOOKINGS.c.id) > sa.tuple_(
    sa.bindparam("start", type_=sa.DateTime(timezone=True)), sa.bindparam("booking", type_=sa.Uuid)
)


async def list_commitments(
    tx: Transaction, venue_id: UUID, scope: Scope, *, after: tuple[datetime, UUID] | None = None
) -> AsyncIterator[list[Commitment]]:
    """What the future live bookings of a venue count on, by start and id, some hundred at a time.

    `after`: only those behind this start and id.
    """
    query, values = _COMMITMENTS, {"venue": venue_id, "first": scope.first, "last": scope.last}
    if scope.offering_ids:
        query, values = query.where(_OF_OFFERINGS), values | {"offerings": list(scope.offering_ids)}
    if scope.resource_ids:
        query, values = query.where(_AT_RESOURCES), values | {"resources": list(scope.resource_ids)}
    if after is None:
        rows = (await tx.execute(query, values)).all()
    else:
        behind = {"start": after[0], "booking": after[1]}
        rows = (await tx.execute(query.where(_BEHIND), values | behind)).all()
    while rows:
        yield [_commitment(row) for row in rows]
        if len(rows) < _CHUNK:
            return
        behind = {"start": rows[-1].start_at, "booking": rows[-1].id}
        rows = (await tx.execute(query.where(_BEHIND), values | behind)).all()


def _commitment(row: sa.Row[Any]) -> Commitment:
    return Commitment(
        booking_id=row.id,
        offering_id=row.offering_id,
        service_date=row.service_date,
        start_at=row.start_at,
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
        area_id=row.area_id,
        attributes=frozenset(row.attributes),
        placed_by_staff=row.placed_by_staff,
    )
