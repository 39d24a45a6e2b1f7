"""Series, the days that they could not have, and which bookings are theirs."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import Booking
from booking.domain.recurrence import Recurrence
from booking.domain.series import Conflict, Schedule, Series
from booking.store.guests import GUEST_COLUMNS, guest_of
from booking.tables import BOOKINGS, GUESTS, SERIES, SERIES_SKIPS, VENUES
from servicekit.database import Transaction
from servicekit.paging import Page

_S = SERIES.c
_series = sa.bindparam("series", type_=sa.Uuid)
_day = sa.bindparam("day", type_=sa.Date)

_SELECT = (
    sa.select(
        SERIES,
        VENUES.c.time_zone,
        *GUEST_COLUMNS,
    )
    .join(VENUES, VENUES.c.id == _S.venue_id)
    .join(GUESTS, GUESTS.c.id == _S.guest_id)
)
_GET = _SELECT.where(_S.id == _series)
_LOCK = _GET.with_for_update(of=SERIES)
_LIST = (
    _SELECT.where(_S.venue_id == sa.bindparam("venue", type_=sa.Uuid))
    .order_by(_S.id)
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_LIST_AFTER = _LIST.where(_S.id > sa.bindparam("after", type_=sa.Uuid))
_SAVE = sa.update(SERIES).where(_S.id == _series)
_SKIPS = sa.select(SERIES_SKIPS).where(SERIES_SKIPS.c.series_id == _series).order_by(SERIES_SKIPS.c.date)
_ATTACH = (
    sa.update(BOOKINGS)
    .where(BOOKINGS.c.id == sa.bindparam("booking", type_=sa.Uuid))
    .values(series_id=_series, series_date=_day)
)
_into = sa.bindparam("into", type_=sa.Uuid)
_HAND_OVER_BOOKINGS = (
    sa.update(BOOKINGS)
    .where(BOOKINGS.c.series_id == _series, BOOKINGS.c.series_date >= _day)
    .values(series_id=_into)
)
_HAND_OVER_SKIPS = (
    sa.update(SERIES_SKIPS)
    .where(SERIES_SKIPS.c.series_id == _series, SERIES_SKIPS.c.date >= _day)
    .values(series_id=_into)
)


async def get_series(tx: Transaction, series_id: UUID) -> Series | None:
    """The tenant's series."""
    return _one((await tx.execute(_GET, {"series": series_id})).mappings().one_or_none())


async def lock_series(tx: Transaction, series_id: UUID) -> Series | None:
    """The same, and nobody else changes it until the end of `tx`. Before any service day."""
    return _one((await tx.execute(_LOCK, {"series": series_id})).mappings().one_or_none())


async def list_series(tx: Transaction, venue_id: UUID, page: Page) -> list[Series]:
    """One more than a page of a venue's series, oldest first. The page's key is the id."""
    query, values = _LIST, {"venue": venue_id, "size": page.size + 1}
    if page.after:
        query, values = _LIST_AFTER, values | {"after": UUID(page.after[0])}
    return [_of(row) for row in (await tx.execute(query, values)).mappings()]


async def list_skips(tx: Transaction, series_id: UUID) -> list[Conflict]:
    """The occurrences that were left out, by day."""
    return [Conflict(row.date, row.reason) for row in await tx.execute(_SKIPS, {"series": series_id})]


async def insert_series(tx: Transaction, series: Series) -> None:
    """A new series, whose guest is there."""
    fixed = {
        "organization_id": tx.organization,
        "id": series.id,
        "venue_id": series.venue_id,
        "offering_id": series.offering_id,
        "guest_id": series.guest.id,
        "created_at": series.created_at,
        "origin_id": series.origin_id,
    }
    await tx.execute(sa.insert(SERIES), fixed | _values(series))


async def save_series(tx: Transaction, series: Series) -> None:
    """Keeps a changed series."""
    await tx.execute(_SAVE, {"series": series.id} | _values(series))


async def insert_skips(tx: Transaction, series_id: UUID, skipped: Iterable[Conflict]) -> None:
    """The occurrences that were left out."""
    rows = [
        {"organization_id": tx.organization, "series_id": series_id, "date": each.date, "reason": each.reason}
        for each in skipped
    ]
    if rows:
        await tx.execute(sa.insert(SERIES_SKIPS), rows)


async def attach(tx: Transaction, bookings: Iterable[Booking]) -> None:
    """Keeps of new bookings which series they are of."""
    rows = [{"booking": each.id, "series": each.series_id, "day": each.series_date} for each in bookings]
    await tx.execute(_ATTACH, rows)


async def hand_over(tx: Transaction, series_id: UUID, day: date, *, into: UUID) -> None:
    """Gives the occurrences from a day on to another series. Their bookings are locked."""
    values = {"series": series_id, "day": day, "into": into}
    await tx.execute(_HAND_OVER_BOOKINGS, values)
    await tx.execute(_HAND_OVER_SKIPS, values)


def _values(series: Series) -> dict[str, Any]:
    schedule = series.schedule
    return {
        "rule": schedule.rule.text(),
        "first_date": schedule.first,
        "local_time": schedule.time,
        "excluded": list(schedule.excluded),
        "added": list(schedule.added),
        "party_size": series.party_size,
        "area_id": series.area_id,
        "attributes": sorted(series.attributes),
        "notes": series.notes,
        "ended": series.ended,
        "version": series.version,
    }


def _one(row: sa.RowMapping | None) -> Series | None:
    return None if row is None else _of(row)


def _of(row: sa.RowMapping) -> Series:
    return Series(
        id=row["id"],
        venue_id=row["venue_id"],
        time_zone=row["time_zone"],
        offering_id=row["offering_id"],
        guest=guest_of(row),
        schedule=Schedule(
            rule=Recurrence.read(row["rule"]),
            first=row["first_date"],
            time=row["local_time"],
            excluded=tuple(row["excluded"]),
            added=tuple(row["added"]),
        ),
        party_size=row["party_size"],
        notes=row["notes"],
        created_at=row["created_at"],
        origin_id=row["origin_id"],
        ended=row["ended"],
        version=row["version"],
        area_id=row["area_id"],
        attributes=frozenset(row["attributes"]),
    )
