"""Changing when a venue is open. Each change names the future bookings that it leaves stranded; they stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import texts
from booking.domain.calendar import LAST_DAY
from booking.domain.clock import Lead
from booking.domain.hours import Hours
from booking.domain.offerings import Offering
from booking.domain.shifts import Shift, ShiftNotFound, ShiftsOverlap
from booking.domain.venues import PartDeleted, Venue, VenueRef
from booking.domain.windows import DateException, DateExceptionNotFound, Window
from booking.store import hours as store
from booking.store.offerings import refuse_unless_on_sale
from booking.usecases import capacity, stranded
from booking.usecases.directory import find_own_venue
from booking.usecases.offerings import find_offering
from servicekit import idempotency, ids
from servicekit.database import Transaction
from servicekit.paging import Page

_MOST_DAYS = 366

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """What a change made, and the bookings that it leaves stranded, by start."""

    made: T
    stranded: Sequence[UUID]


async def insert_shift(tx: Transaction, venue_id: UUID, shift: Shift) -> None:
    """Adds a shift. Raises OfferingNotFound, ShiftsOverlap."""
    await refuse_unless_on_sale(tx, venue_id, shift.offering_id)
    await store.insert_shift(tx, venue_id, shift)
    await _refuse_overlaps(tx, venue_id, shift.offering_id)


async def update_shift(
    app: App,
    organization: UUID,
    ref: VenueRef,
    shift_id: UUID,
    *,
    weekdays: Sequence[int],
    opens: str,
    last_start: str,
    closes: str,
    must_finish: bool,
) -> Changed[Shift]:
    """Replaces a shift. Raises VenueNotFound, ShiftNotFound, ShiftsOverlap, LastStartOutsideShift, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await _shift(tx, venue, shift_id)
        shift = Shift.add(
            shift_id,
            offering_id=before.offering_id,
            weekdays=weekdays,
            opens=opens,
            last_start=last_start,
            closes=closes,
            must_finish=must_finish,
        )
        await store.save_shift(tx, shift)
        await _refuse_overlaps(tx, venue.id, shift.offering_id)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, offering_ids=(shift.offering_id,))
    return Changed(shift, left)


async def delete_shift(app: App, organization: UUID, ref: VenueRef, shift_id: UUID) -> Changed[Shift]:
    """Deletes a shift. Raises VenueNotFound, ShiftNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        shift = await _shift(tx, venue, shift_id)
        await store.delete_shift(tx, shift_id)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, offering_ids=(shift.offering_id,))
    return Changed(shift, left)


async def create_exception(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    offering_id: UUID,
    service_date: date,
    windows: Sequence[Window],
    reason: str,
    note: str,
) -> Changed[DateException]:
    """Gives a date hours of its own; the same again for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound: there is none.
        DateExceptionTaken: the offering has one on that date.
        ShiftsOverlap: the windows lie over each other, or over those of the days around.
        Inconsistent, Busy
    """
    exception = DateException.plan(
        ids.new(),
        offering_id=offering_id,
        service_date=service_date,
        windows=windows,
        reason=reason,
        note=note,
    )
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        earlier = await idempotency.claim(tx, idempotency.key(), exception.id)
        if earlier:
            exception = await _exception(tx, venue, earlier, PartDeleted)
        else:
            await refuse_unless_on_sale(tx, venue.id, offering_id)
            await store.insert_exception(tx, venue.id, exception)
            await _refuse_overlaps(tx, venue.id, offering_id)
            await capacity.publish(tx, venue)
        return Changed(exception, await _stranded_on(tx, venue, exception))


async def update_exception(
    app: App,
    organization: UUID,
    ref: VenueRef,
    exception_id: UUID,
    *,
    windows: Sequence[Window],
    reason: str,
    note: str,
) -> Changed[DateException]:
    """Replaces an exception's hours.

    Raises:
        VenueNotFound, DateExceptionNotFound, ShiftsOverlap, LastStartOutsideShift, Busy
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await _exception(tx, venue, exception_id)
        exception = DateException.plan(
            exception_id,
            offering_id=before.offering_id,
            service_date=before.service_date,
            windows=windows,
            reason=reason,
            note=note,
        )
        await store.save_exception(tx, exception)
        await _refuse_overlaps(tx, venue.id, exception.offering_id)
        await capacity.publish(tx, venue)
        return Changed(exception, await _stranded_on(tx, venue, exception))


async def delete_exception(
    app: App, organization: UUID, ref: VenueRef, exception_id: UUID
) -> Changed[DateException]:
    """Gives a date its weekly hours back.

    Raises:
        VenueNotFound, DateExceptionNotFound, Busy
        ShiftsOverlap: the weekly hours lie over the exceptions of the days around.
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        exception = await _exception(tx, venue, exception_id)
        await store.delete_exception(tx, exception_id)
        await _refuse_overlaps(tx, venue.id, exception.offering_id)
        await capacity.publish(tx, venue)
        return Changed(exception, await _stranded_on(tx, venue, exception))


async def list_exceptions(
    app: App, organization: UUID, ref: VenueRef, first: date, last: date, *, page: Page
) -> tuple[list[DateException], str]:
    """A page of the exceptions of some service dates, by date, and the token of the next.

    Raises:
        VenueNotFound, Inconsistent
    """
    refuse_long(first, last)
    async with app.db.begin(organization) as tx:
        return await store.page_of_exceptions(tx, (await find_own_venue(tx, ref)).id, first, last, page)


@dataclass(frozen=True, slots=True)
class Times:
    """What the starts of an offering shall obey. 0 means 15 slot minutes, 90 days ahead."""

    slot_minutes: int
    min_notice_minutes: int
    max_advance_days: int
    buffer_before_minutes: int
    buffer_after_minutes: int
    notice_until: Lead | None
    release: Lead | None


async def update_times(
    app: App,
    organization: UUID,
    ref: VenueRef,
    offering_id: UUID,
    times: Times,
    *,
    expected_version: int = 0,
) -> Offering:
    """Replaces an offering's rules of time. Strands nothing: a booking obeyed those that stood.

    Raises:
        VenueNotFound, OfferingNotFound, VersionMismatch, Inconsistent, Busy
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await find_offering(tx, venue, offering_id, expected_version)
        offering = before.keep_times(
            slot_minutes=times.slot_minutes,
            min_notice_minutes=times.min_notice_minutes,
            max_advance_days=times.max_advance_days,
            buffer_before_minutes=times.buffer_before_minutes,
            buffer_after_minutes=times.buffer_after_minutes,
            notice_until=times.notice_until,
            release=times.release,
        )
        await store.save_times(tx, venue.id, offering)
        await capacity.publish(tx, venue)
    return offering


def refuse_long(first: date, last: date) -> None:
    """Raises Inconsistent for days upside down, or more than 366."""
    if not first <= last <= first + timedelta(days=_MOST_DAYS):
        texts.refuse("/to", f"must not be before from, and at most {_MOST_DAYS} days later")


async def _refuse_overlaps(tx: Transaction, venue_id: UUID, offering_id: UUID) -> None:
    """Raises ShiftsOverlap when an offering would be open twice at a time, on any day to come."""
    shifts = [each for each in await store.list_shifts(tx, venue_id) if each.offering_id == offering_id]
    for number, shift in enumerate(shifts):
        if any(shift.overlaps(other) for other in shifts[number + 1 :]):
            raise ShiftsOverlap
    exceptions = await store.list_exceptions(tx, venue_id, capacity.today(tx), LAST_DAY)
    day = Hours.of(ZoneInfo("UTC"), shifts=shifts, exceptions=exceptions).overlapping(offering_id)
    if day is not None:
        raise ShiftsOverlap(metadata={"date": day.isoformat()})


async def _shift(tx: Transaction, venue: Venue, shift_id: UUID) -> Shift:
    for each in await store.list_shifts(tx, venue.id):
        if each.id == shift_id:
            return each
    raise ShiftNotFound


async def _exception(
    tx: Transaction,
    venue: Venue,
    exception_id: UUID,
    missing: type[DateExceptionNotFound | PartDeleted] = DateExceptionNotFound,
) -> DateException:
    found = await store.get_exception(tx, venue.id, exception_id)
    if found is None:
        raise missing
    return found


async def _stranded_on(tx: Transaction, venue: Venue, exception: DateException) -> list[UUID]:
    """Of the date and of those around, whose openings may have met its own."""
    day, around = exception.service_date, timedelta(days=1)
    return await stranded.after_change(
        tx, venue.id, offering_ids=(exception.offering_id,), first=day - around, last=day + around
    )
