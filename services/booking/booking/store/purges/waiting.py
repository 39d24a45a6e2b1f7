"""Waits and series that are long over, and the people in them. What is live is never touched."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from booking.domain.waitlist import LIVE
from booking.store import privacy
from booking.store.purges.visits import FORGET_WISHES, KNOWN, WISHED
from booking.tables import BOOKINGS, GUESTS, SERIES, WAITLIST_ENTRIES, WAITLIST_OFFERS, WAITLIST_TOKENS
from servicekit.database import Transaction
from servicekit.purging import Purged

_LONGEST_DAY = timedelta(days=2)
"""A day is over everywhere, with all that began on it, so long after its date begins in UTC."""
_E, _S, _B, _G = WAITLIST_ENTRIES.c, SERIES.c, BOOKINGS.c, GUESTS.c
_organization = sa.bindparam("organization", type_=sa.Uuid)
_most = sa.bindparam("most", type_=sa.Integer)
_date = sa.bindparam("date", type_=sa.Date)
_entries = sa.any_(sa.bindparam("entries", type_=ARRAY(sa.Uuid)))
_guests = sa.any_(sa.bindparam("guests", type_=ARRAY(sa.Uuid)))

_OVER = (
    sa.select(_E.id, _E.guest_id)
    .where(
        _E.organization_id == _organization,
        _E.status.not_in([each.value for each in LIVE]),
        _E.last_date < _date,
    )
    .order_by(_E.last_date, _E.id)
    .limit(_most)
    .with_for_update(skip_locked=True, of=WAITLIST_ENTRIES)
)
_WISHING = _OVER.join(GUESTS, sa.and_(_G.organization_id == _E.organization_id, _G.id == _E.guest_id)).where(
    sa.or_(_E.notes != "", WISHED)
)
_FORGET_NOTES = sa.update(WAITLIST_ENTRIES).where(_E.id == _entries).values(notes="")
_DELETE_LINKS = sa.delete(WAITLIST_TOKENS).where(WAITLIST_TOKENS.c.entry_id == _entries)
_DELETE_OFFERS = sa.delete(WAITLIST_OFFERS).where(WAITLIST_OFFERS.c.entry_id == _entries)
_DELETE = sa.delete(WAITLIST_ENTRIES).where(_E.id == _entries)


async def purge_entries(tx: Transaction, before: datetime, most: int) -> Purged:
    """Deletes entries that wait no more, with offers and links, and makes their guests nobody."""
    found = await _find(tx, _OVER, before, most)
    if found:
        entries = {"entries": [each.id for each in found]}
        for statement in (_DELETE_LINKS, _DELETE_OFFERS, _DELETE):
            await tx.execute(statement, entries)
        # An entry's guest is its own. Rows of people stay, empty: to delete one, all bookings would be read.
        await privacy.forget_visits(tx, [each.guest_id for each in found], [])
    return Purged(len(found), more=len(found) == most)


async def purge_entry_wishes(tx: Transaction, before: datetime, most: int) -> Purged:
    """Forgets what people noted who waited, and wait no more."""
    found = await _find(tx, _WISHING, before, most)
    if found:
        await tx.execute(FORGET_WISHES, {"guests": [each.guest_id for each in found]})
        await tx.execute(_FORGET_NOTES, {"entries": [each.id for each in found]})
    return Purged(len(found), more=len(found) == most)


async def _find(tx: Transaction, query: sa.Select[Any], before: datetime, most: int) -> Sequence[Any]:
    values = {"organization": tx.organization, "date": (before - _LONGEST_DAY).date(), "most": most}
    return (await tx.execute(query, values)).all()


# The parts of a split series share a guest: all of them have to be over. A series has bookings for all its
# days from the start, and moved ones stay with it. By `bookings_series`; an organization has few series.
_visited = sa.exists().where(
    _B.organization_id == _S.organization_id,
    _B.series_id == _S.id,
    sa.or_(
        _B.end_at >= sa.bindparam("before", type_=sa.DateTime(timezone=True)),
        _B.hold_expires_at > sa.func.now(),
    ),
)
_series_over = sa.and_(
    _S.created_at < sa.bindparam("before", type_=sa.DateTime(timezone=True)),
    _S.first_date < _date,
    sa.not_(_visited),
)


def _groups(left: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(_S.guest_id)
        .join(GUESTS, sa.and_(_G.organization_id == _S.organization_id, _G.id == _S.guest_id))
        .where(_S.organization_id == _organization)
        .group_by(_S.guest_id)
        .having(sa.func.bool_and(_series_over), sa.func.bool_or(left))
        .order_by(_S.guest_id)
        .limit(_most)
    )


_LOCK = sa.select(_S.id).where(_S.guest_id == _guests).order_by(_S.id).with_for_update()
_FORGET_SERIES_NOTES = sa.update(SERIES).where(_S.guest_id == _guests, _S.notes != "").values(notes="")
_SERIES_KNOWN = _groups(sa.or_(KNOWN, _S.notes != ""))
_SERIES_WISHED = _groups(sa.or_(WISHED, _S.notes != ""))


async def purge_series(tx: Transaction, before: datetime, most: int) -> Purged:
    """Makes the guests of series nobody whose last visit was over before a moment."""
    guests = await _lock_series(tx, _SERIES_KNOWN, before, most)
    if guests:
        await privacy.forget_visits(tx, guests, [])
        await tx.execute(_FORGET_SERIES_NOTES, {"guests": guests})
    return Purged(len(guests), more=len(guests) == most)


async def purge_series_wishes(tx: Transaction, before: datetime, most: int) -> Purged:
    """Forgets what was noted of series whose last visit was over before a moment."""
    guests = await _lock_series(tx, _SERIES_WISHED, before, most)
    if guests:
        await tx.execute(FORGET_WISHES, {"guests": guests})
        await tx.execute(_FORGET_SERIES_NOTES, {"guests": guests})
    return Purged(len(guests), more=len(guests) == most)


async def _lock_series(tx: Transaction, query: sa.Select[Any], before: datetime, most: int) -> list[UUID]:
    """The guests of series that are over, asked again once nobody can change these any more."""
    values = {
        "organization": tx.organization,
        "before": before,
        "date": (before - _LONGEST_DAY).date(),
        "most": most,
    }
    seen = list((await tx.execute(query, values)).scalars())
    if not seen:
        return []
    await tx.execute(_LOCK, {"guests": seen})
    return list((await tx.execute(query.where(_S.guest_id == _guests), values | {"guests": seen})).scalars())
