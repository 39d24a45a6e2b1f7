"""Moving and cancelling: behind everybody else who changes the days involved, all of it or nothing."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from booking.app import App
from booking.domain import availability
from booking.domain.availability import SlotTaken, SlotTooFarAhead, SlotTooSoon
from booking.domain.bookings import Actor, Booking, CancelledBy, ChangeKind, Status
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store import days as day_store
from booking.store.days import Days, Lost, Window
from booking.usecases import holds
from servicekit.database import Transaction
from servicekit.errors import Busy

_ATTEMPTS = 5
_DAY = 86_400

T = TypeVar("T")


async def move_booking(
    app: App, organization: UUID, booking_id: UUID, start: int, *, actor: Actor
) -> Booking:
    """Moves a booking to another start (epoch seconds), both or neither. What it promised and cost stays.

    Raises:
        BookingNotFound, BookingNotMovable: there is none, or it has begun, or is over.
        SlotClosed, SlotTooSoon, SlotTooFarAhead, NoTableForParty: the start cannot be booked by anybody.
        SlotTaken: everything is occupied then; the booking stays where it was.
        Busy: too many others change the same days.
    """
    return await _until_first(lambda: _move(app, organization, booking_id, start, actor))


async def cancel_booking(
    app: App, organization: UUID, booking_id: UUID, *, by: CancelledBy, actor: Actor
) -> Booking:
    """Calls a booking off and frees what it occupied. The same answer when it was called off before.

    Raises:
        BookingNotFound, BookingNotCancellable: there is none, or it has begun, or has expired.
        Busy: somebody changes the day for too long.
    """
    return await _until_first(lambda: _cancel(app, organization, booking_id, by, actor))


async def _until_first(attempt: Callable[[], Awaitable[T]]) -> T:
    for _ in range(_ATTEMPTS):
        with suppress(Lost):
            return await attempt()
    raise Busy


async def _move(app: App, organization: UUID, booking_id: UUID, start: int, actor: Actor) -> Booking:
    async with app.db.begin(organization) as tx:
        seen = await holds.see_booking(tx, booking_id)
        seen.refuse_unless_movable(tx.now)
        if int(seen.start.timestamp()) == start:
            return seen
        service_date, end = _target(await _read(app, tx, seen, start), seen, start)
        await day_store.lock_days(tx, seen.venue_id, {seen.service_date, service_date})
        booking = await store.lock_booking(tx, booking_id)
        if booking is None or booking.service_date != seen.service_date:
            raise Lost
        days = await _read(app, tx, booking, start)
        if _target(days, booking, start) != (service_date, end):
            raise Lost
        moved = booking.move(
            datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), service_date, now=days.now
        )
        moved = await _reseat(tx, days, moved)
        await store.save_booking(tx, moved, ChangeKind.MOVED, actor)
        await events.booking_moved(tx, moved, previous_start=booking.start)
    return moved


async def _reseat(tx: Transaction, days: Days, booking: Booking) -> Booking:
    """Leaves what it occupies and takes what is free at its new time."""
    seatings = days.plan.seatings_for(days.plan.offering(booking.offering_id), booking.party_size)
    choice = availability.choose(
        seatings,
        start=int(booking.start.timestamp()),
        end=int(booking.end.timestamp()),
        allocations=[each for each in days.allocations if each.booking_id != booking.id],
    )
    if choice is None:
        raise SlotTaken
    await holds.evict(tx, choice, now=days.now)
    await store.release(tx, booking.id)
    booking = booking.seated_at(choice.seating.resource_ids)
    await store.occupy(tx, booking)
    return booking


async def _cancel(app: App, organization: UUID, booking_id: UUID, by: CancelledBy, actor: Actor) -> Booking:
    async with app.db.begin(organization) as tx:
        seen = await holds.see_booking(tx, booking_id)
        if seen.status is Status.CANCELLED:
            return seen
        booking = await holds.lock_with_day(tx, seen)
        if booking.status is Status.CANCELLED:
            return booking
        refund = booking.refund_if_cancelled(by, now=tx.now)
        cancelled = booking.cancel(by, now=tx.now)
        await store.release(tx, booking.id)
        await store.save_booking(tx, cancelled, ChangeKind.CANCELLED, actor)
        await events.booking_cancelled(tx, cancelled, refund_due=refund)
    return cancelled


async def _read(app: App, tx: Transaction, booking: Booking, start: int) -> Days:
    utc_day = datetime.fromtimestamp(start, UTC).date()
    if utc_day < FIRST_DAY:
        raise SlotTooSoon
    if utc_day > LAST_DAY:
        raise SlotTooFarAhead
    days = (booking.service_date, *(utc_day + timedelta(days=shift) for shift in (-2, -1, 0, 1)))
    return await day_store.read_days_in(tx, app.plans, booking.venue_id, Window(days, start, start + _DAY))


def _target(days: Days, booking: Booking, start: int) -> tuple[date, int]:
    """The service day of the new start and the end of the stay."""
    return availability.bookable_service_date(
        days.plan,
        days.plan.offering(booking.offering_id),
        start=start,
        party_size=booking.party_size,
        now=int(days.now.timestamp()),
    )
