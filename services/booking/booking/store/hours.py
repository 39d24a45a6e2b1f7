"""Hours of venues: shifts, date exceptions, closures, and what else the time of an offering obeys."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from booking.domain.clock import Lead
from booking.domain.closures import Closure
from booking.domain.hours import Hours
from booking.domain.offerings import Offering, OfferingNotFound
from booking.domain.shifts import Shift
from booking.domain.windows import DateException, DateExceptionTaken, Window
from booking.store.refusals import refusing
from booking.tables import CLOSURES, DATE_EXCEPTIONS, OFFERINGS, SHIFTS
from servicekit.database import Transaction
from servicekit.errors import AppError
from servicekit.keyset import Keyset
from servicekit.paging import Page

_REFUSALS: dict[str, type[AppError]] = {
    "shifts_of_offering": OfferingNotFound,
    "date_exceptions_of_offering": OfferingNotFound,
    "date_exceptions_taken": DateExceptionTaken,
}
_venue = sa.bindparam("venue", type_=sa.Uuid)
_key = sa.bindparam("key", type_=sa.Uuid)
_first, _last = sa.bindparam("first", type_=sa.Date), sa.bindparam("last", type_=sa.Date)

_SHIFTS = sa.select(SHIFTS).where(SHIFTS.c.venue_id == _venue).order_by(SHIFTS.c.weekdays, SHIFTS.c.opens)
_EXCEPTIONS = (
    sa.select(DATE_EXCEPTIONS)
    .where(
        DATE_EXCEPTIONS.c.venue_id == _venue,
        DATE_EXCEPTIONS.c.service_date >= _first,
        DATE_EXCEPTIONS.c.service_date <= _last,
    )
    .order_by(DATE_EXCEPTIONS.c.service_date, DATE_EXCEPTIONS.c.id)
)
_CLOSURES = (
    sa.select(CLOSURES)
    .where(CLOSURES.c.venue_id == _venue, CLOSURES.c.last_date >= _first, CLOSURES.c.first_date <= _last)
    .order_by(CLOSURES.c.first_date, CLOSURES.c.id)
)
_SHIFT_PAGES = Keyset(_SHIFTS, SHIFTS.c.weekdays, SHIFTS.c.opens, SHIFTS.c.id)
_EXCEPTION_PAGES = Keyset(_EXCEPTIONS, DATE_EXCEPTIONS.c.service_date, DATE_EXCEPTIONS.c.id)
_CLOSURE_PAGES = Keyset(_CLOSURES, CLOSURES.c.first_date, CLOSURES.c.id)
_EXCEPTION = sa.select(DATE_EXCEPTIONS).where(
    DATE_EXCEPTIONS.c.venue_id == _venue, DATE_EXCEPTIONS.c.id == _key
)
_CLOSURE = sa.select(CLOSURES).where(CLOSURES.c.venue_id == _venue, CLOSURES.c.id == _key)
_TIMES = sa.update(OFFERINGS).where(OFFERINGS.c.venue_id == _venue, OFFERINGS.c.id == _key)


async def list_shifts(tx: Transaction, venue_id: UUID) -> list[Shift]:
    """All shifts by weekday and opening time."""
    return [_shift(row) for row in (await tx.execute(_SHIFTS, {"venue": venue_id})).mappings()]


async def page_of_shifts(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[Shift], str]:
    """A page by weekdays, opening time and id, and the token of the next."""
    rows, token = await _SHIFT_PAGES.read(tx, page, {"venue": venue_id})
    return [_shift(row) for row in rows], token


async def list_exceptions(tx: Transaction, venue_id: UUID, first: date, last: date) -> list[DateException]:
    """The exceptions of some service dates, by date."""
    values = {"venue": venue_id, "first": first, "last": last}
    return [_exception(row) for row in (await tx.execute(_EXCEPTIONS, values)).mappings()]


async def page_of_exceptions(
    tx: Transaction, venue_id: UUID, first: date, last: date, page: Page
) -> tuple[list[DateException], str]:
    """A page of the same by date and id, and the token of the next."""
    values = {"venue": venue_id, "first": first, "last": last}
    rows, token = await _EXCEPTION_PAGES.read(tx, page, values)
    return [_exception(row) for row in rows], token


async def list_closures(tx: Transaction, venue_id: UUID, first: date, last: date) -> list[Closure]:
    """The closures of which some day lies between two dates, by their first day."""
    values = {"venue": venue_id, "first": first, "last": last}
    return [_closure(row) for row in (await tx.execute(_CLOSURES, values)).mappings()]


async def page_of_closures(
    tx: Transaction, venue_id: UUID, first: date, last: date, page: Page
) -> tuple[list[Closure], str]:
    """A page of the same by first day and id, and the token of the next."""
    values = {"venue": venue_id, "first": first, "last": last}
    rows, token = await _CLOSURE_PAGES.read(tx, page, values)
    return [_closure(row) for row in rows], token


async def get_exception(tx: Transaction, venue_id: UUID, exception_id: UUID) -> DateException | None:
    """An exception of the venue."""
    values = {"venue": venue_id, "key": exception_id}
    row = (await tx.execute(_EXCEPTION, values)).mappings().one_or_none()
    return None if row is None else _exception(row)


async def get_closure(tx: Transaction, venue_id: UUID, closure_id: UUID) -> Closure | None:
    """A closure of the venue."""
    row = (await tx.execute(_CLOSURE, {"venue": venue_id, "key": closure_id})).mappings().one_or_none()
    return None if row is None else _closure(row)


async def insert_shift(tx: Transaction, venue_id: UUID, shift: Shift) -> None:
    """Raises OfferingNotFound."""
    await _insert(tx, SHIFTS, venue_id, {"id": shift.id, **_shift_row(shift)})


async def insert_exception(tx: Transaction, venue_id: UUID, exception: DateException) -> None:
    """Raises OfferingNotFound, DateExceptionTaken."""
    await _insert(tx, DATE_EXCEPTIONS, venue_id, {"id": exception.id, **_exception_row(exception)})


async def insert_closure(tx: Transaction, venue_id: UUID, closure: Closure) -> None:
    """Adds a closure."""
    await _insert(tx, CLOSURES, venue_id, {"id": closure.id, **_closure_row(closure)})


async def save_shift(tx: Transaction, shift: Shift) -> None:
    """Keeps a changed shift. Raises OfferingNotFound."""
    await _save(tx, SHIFTS, shift.id, _shift_row(shift))


async def save_exception(tx: Transaction, exception: DateException) -> None:
    """Keeps a changed exception. Raises OfferingNotFound, DateExceptionTaken."""
    await _save(tx, DATE_EXCEPTIONS, exception.id, _exception_row(exception))


async def save_closure(tx: Transaction, closure: Closure) -> None:
    """Keeps a changed closure."""
    await _save(tx, CLOSURES, closure.id, _closure_row(closure))


async def save_times(tx: Transaction, venue_id: UUID, offering: Offering) -> None:
    """Keeps what the time of an offering obeys."""
    await tx.execute(
        _TIMES,
        {
            "venue": venue_id,
            "key": offering.id,
            "slot_minutes": offering.slot_minutes,
            "min_notice_minutes": offering.min_notice_minutes,
            "max_advance_days": offering.max_advance_days,
            "times": times_document(offering),
            "version": offering.version,
        },
    )


async def delete_shift(tx: Transaction, shift_id: UUID) -> None:
    """Deletes a shift."""
    await tx.execute(sa.delete(SHIFTS).where(SHIFTS.c.id == _key), {"key": shift_id})


async def delete_exception(tx: Transaction, exception_id: UUID) -> None:
    """Deletes an exception: its date has weekly hours again."""
    await tx.execute(sa.delete(DATE_EXCEPTIONS).where(DATE_EXCEPTIONS.c.id == _key), {"key": exception_id})


async def delete_closure(tx: Transaction, closure_id: UUID) -> None:
    """Deletes a closure."""
    await tx.execute(sa.delete(CLOSURES).where(CLOSURES.c.id == _key), {"key": closure_id})


def hours_of(document: Mapping[str, Any]) -> Hours:
    """The hours of a plan from what `venue_hours` wrote; a venue without any has null for a list."""
    return Hours.of(
        ZoneInfo(document["zone"]),
        shifts=[
            Shift(UUID(each), UUID(offering), tuple(weekdays), *window)
            for each, offering, weekdays, *window in document["shifts"] or ()
        ],
        exceptions=[
            DateException(UUID(each), UUID(offering), date.fromisoformat(day), _windows(windows), note=note)
            for each, offering, day, windows, note in document["exceptions"] or ()
        ],
        closures=[
            Closure(
                UUID(each),
                tuple(map(UUID, offerings)),
                date.fromisoformat(first),
                date.fromisoformat(last),
                begins=begins,
                ends=ends,
                cuts_tail=cuts_tail,
                note=note,
            )
            for each, offerings, first, last, begins, ends, cuts_tail, note in document["closures"] or ()
        ],
    )


def times_document(offering: Offering) -> dict[str, Any]:
    """What the time of an offering obeys beyond its columns, without what it does not."""
    times: dict[str, Any] = {}
    if offering.buffer_before_minutes or offering.buffer_after_minutes:
        times["buffers"] = [offering.buffer_before_minutes, offering.buffer_after_minutes]
    for name, lead in (("notice_until", offering.notice_until), ("release", offering.release)):
        if lead is not None:
            times[name] = [lead.days, lead.minute]
    return times


def times_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same as fields of an offering."""
    before, after = document.get("buffers", (0, 0))
    notice, release = document.get("notice_until"), document.get("release")
    return {
        "buffer_before_minutes": before,
        "buffer_after_minutes": after,
        "notice_until": Lead(*notice) if notice else None,
        "release": Lead(*release) if release else None,
    }


async def _insert(tx: Transaction, table: sa.Table, venue_id: UUID, row: Mapping[str, Any]) -> None:
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(table), {"organization_id": tx.organization, "venue_id": venue_id, **row})


async def _save(tx: Transaction, table: sa.Table, key: UUID, row: Mapping[str, Any]) -> None:
    with refusing(_REFUSALS):
        await tx.execute(sa.update(table).where(table.c.id == _key), {"key": key, **row})


def _shift(row: sa.RowMapping) -> Shift:
    return Shift(
        id=row["id"],
        offering_id=row["offering_id"],
        weekdays=tuple(row["weekdays"]),
        opens=row["opens"],
        last_start=row["last_start"],
        closes=row["closes"],
        must_finish=row["must_finish"],
    )


def _shift_row(shift: Shift) -> dict[str, Any]:
    return {
        "offering_id": shift.offering_id,
        "weekdays": list(shift.weekdays),
        "opens": shift.opens,
        "last_start": shift.last_start,
        "closes": shift.closes,
        "must_finish": shift.must_finish,
    }


def _exception_row(exception: DateException) -> dict[str, Any]:
    return {
        "offering_id": exception.offering_id,
        "service_date": exception.service_date,
        "windows": [
            [each.opens, each.last_start, each.closes, each.must_finish] for each in exception.windows
        ],
        "reason": exception.reason,
        "note": exception.note,
    }


def _closure_row(closure: Closure) -> dict[str, Any]:
    return {
        "offering_ids": list(closure.offering_ids),
        "first_date": closure.first,
        "last_date": closure.last,
        "begins": closure.begins,
        "ends": closure.ends,
        "cuts_tail": closure.cuts_tail,
        "reason": closure.reason,
        "note": closure.note,
    }


def _exception(row: sa.RowMapping) -> DateException:
    return DateException(
        id=row["id"],
        offering_id=row["offering_id"],
        service_date=row["service_date"],
        windows=_windows(row["windows"]),
        reason=row["reason"],
        note=row["note"],
    )


def _closure(row: sa.RowMapping) -> Closure:
    return Closure(
        id=row["id"],
        offering_ids=tuple(row["offering_ids"]),
        first=row["first_date"],
        last=row["last_date"],
        begins=row["begins"],
        ends=row["ends"],
        cuts_tail=row["cuts_tail"],
        reason=row["reason"],
        note=row["note"],
    )


def _windows(windows: list[list[Any]]) -> tuple[Window, ...]:
    return tuple(Window(*each) for each in windows)
