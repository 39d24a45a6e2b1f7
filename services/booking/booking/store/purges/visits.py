"""Visits that are long over: their guests, or what these wished for, go. What is live is never touched.

Visits are gone through by their service days. A day notes the version that it was purged at: whatever happens
to it later raises its version, and it is looked at again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from booking.store import privacy
from booking.tables import BOOKING_CHANGES, BOOKINGS, GUESTS, SERVICE_DAYS
from servicekit.database import Transaction
from servicekit.purging import Purged

_DAYS = 30
_MOMENT = sa.DateTime(timezone=True)
_B, _G, _D = BOOKINGS.c, GUESTS.c, SERVICE_DAYS.c
_organization = sa.bindparam("organization", type_=sa.Uuid)
_before = sa.bindparam("before", type_=_MOMENT)

_these = (
    sa.func.unnest(sa.bindparam("venues", type_=ARRAY(sa.Uuid)), sa.bindparam("dates", type_=ARRAY(sa.Date)))
    .table_valued(sa.column("venue_id", sa.Uuid), sa.column("service_date", sa.Date), name="these")
    .render_derived()
)
# A visit that nobody ended is over when its time is. A hold or a request runs out before its start.
_over = sa.and_(_B.end_at < _before, sa.or_(_B.hold_expires_at.is_(None), _B.hold_expires_at < _before))
WISHED = _G.preferences != sa.text("'{}'::jsonb")
"""Whether a guest wished for anything."""
KNOWN = sa.or_(WISHED, _G.name != "", _G.email != "", _G.phone != "", _G.marketing_consent_at.is_not(None))
"""Whether a guest is somebody."""
# Counted, visit by visit: as EXISTS it would be looked up in all changes of the tenant at once.
_reasoned = (
    sa.select(sa.func.count())
    .select_from(BOOKING_CHANGES)
    .where(
        BOOKING_CHANGES.c.organization_id == _B.organization_id,
        BOOKING_CHANGES.c.booking_id == _B.id,
        BOOKING_CHANGES.c.reason != "",
    )
    .scalar_subquery()
    > 0
)
FORGET_WISHES = (
    sa.update(GUESTS)
    .where(_G.id == sa.any_(sa.bindparam("guests", type_=ARRAY(sa.Uuid))))
    .values(preferences={})
)
_FORGET_NOTES = (
    sa.update(BOOKINGS).where(_B.id == sa.any_(sa.bindparam("visits", type_=ARRAY(sa.Uuid)))).values(notes="")
)


def _days(mark: sa.Column[Any]) -> sa.Select[Any]:
    """Days that may be over, and have changed since they were purged: the oldest first, and locked.

    Without an index: one of what is not purged yet would have to be written with every booking, and a venue
    has few days. A day that somebody is changing is left for the next round.
    """
    return (
        sa.select(_D.venue_id, _D.service_date)
        .where(
            _D.organization_id == _organization,
            _D.service_date <= sa.bindparam("last", type_=sa.Date),
            mark.is_distinct_from(_D.version),
        )
        .order_by(_D.service_date, _D.venue_id)
        .limit(_DAYS)
        .with_for_update(skip_locked=True)
    )


def _visits(left: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Some visits of these days that are over, and have something left. By `bookings_day`."""
    return (
        sa.select(_B.id, _B.guest_id)
        .select_from(_these)
        .join(
            BOOKINGS,
            sa.and_(_B.venue_id == _these.c.venue_id, _B.service_date == _these.c.service_date),
        )
        .join(GUESTS, sa.and_(_G.organization_id == _B.organization_id, _G.id == _B.guest_id))
        .where(_B.organization_id == _organization, _over, left)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .with_for_update(of=BOOKINGS)
    )


def _mark(mark: sa.Column[Any]) -> sa.Update:
    """Notes which of these days have no visit any more that is not over."""
    not_over = sa.exists().where(
        _B.organization_id == _D.organization_id,
        _B.venue_id == _D.venue_id,
        _B.service_date == _D.service_date,
        sa.not_(_over),
    )
    return (
        sa.update(SERVICE_DAYS)
        .where(
            _D.organization_id == _organization,
            sa.tuple_(_D.venue_id, _D.service_date).in_(sa.select(_these)),
            sa.not_(not_over),
        )
        .values({mark: _D.version})
    )


Forget = Callable[[Transaction, Sequence[UUID], Sequence[UUID]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two things that go, each after a time of its own."""

    days: sa.Select[Any]
    visits: sa.Select[Any]
    mark: sa.Update
    forget: Forget


async def _forget_wishes(tx: Transaction, guests: Sequence[UUID], visits: Sequence[UUID]) -> None:
    await tx.execute(FORGET_WISHES, {"guests": guests})
    await tx.execute(_FORGET_NOTES, {"visits": visits})


_GUESTS = _Kind(
    _days(_D.guests_purged),
    _visits(sa.or_(KNOWN, _B.notes != "", _B.reason != "", _reasoned)),
    _mark(_D.guests_purged),
    privacy.forget_visits,
)
_WISHES = _Kind(
    _days(_D.wishes_purged),
    _visits(sa.or_(WISHED, _B.notes != "")),
    _mark(_D.wishes_purged),
    _forget_wishes,
)


async def purge_guests(tx: Transaction, before: datetime, most: int) -> Purged:
    """Makes the guests of visits nobody that were over before a moment, and takes every word out of these."""
    return await _purge(tx, _GUESTS, before, most)


async def purge_wishes(tx: Transaction, before: datetime, most: int) -> Purged:
    """Forgets what guests noted and wished for, of visits that were over before a moment."""
    return await _purge(tx, _WISHES, before, most)


async def _purge(tx: Transaction, kind: _Kind, before: datetime, most: int) -> Purged:
    # East of Greenwich a day may be over before its date begins in UTC.
    last = before.date() + timedelta(days=1)
    days = (await tx.execute(kind.days, {"organization": tx.organization, "last": last})).all()
    if not days:
        return Purged(0, more=False)
    these = {
        "organization": tx.organization,
        "venues": [day.venue_id for day in days],
        "dates": [day.service_date for day in days],
        "before": before,
    }
    visits = (await tx.execute(kind.visits, these | {"most": most})).all()
    if visits:
        await kind.forget(tx, [each.guest_id for each in visits], [each.id for each in visits])
    if len(visits) == most:
        return Purged(most, more=True)
    marked = (await tx.execute(kind.mark, these)).rowcount
    return Purged(len(visits), more=len(days) == _DAYS and marked > 0)
