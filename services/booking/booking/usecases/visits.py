"""What happens at the venue: late, arrived, seated, gone, or never seen."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, Booking, ChangeKind, Status
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store.sitting import occupied_now
from booking.usecases import deadlines, holds, seating
from booking.usecases.holds import CLOCK
from booking.usecases.retries import until_first
from booking.usecases.seating import Wanted
from servicekit import timers
from servicekit.database import Transaction
from servicekit.money import Money
from servicekit.timers import Timer

_TOO_LATE = timedelta(hours=1)
"""A timer that rings later decides nothing: the platform was down, and nobody could say who came."""


async def delay(
    app: App, organization: UUID, booking_id: UUID, minutes: int, *, actor: Actor, expected_version: int = 0
) -> Booking:
    """Notes that the guest will be late: a later moment of being missed.

    Raises:
        BookingNotFound, BookingStateConflict, VersionMismatch, Busy
    """

    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
            if booking.visit.late_minutes == minutes and booking.status is Status.CONFIRMED:
                return booking
            booking.refuse_unless_version(expected_version)
            delayed = booking.delay(minutes, now=tx.now)
            await _keep(tx, booking, delayed, ChangeKind.DELAYED, actor)
            await events.booking_delayed(tx, delayed)
        return delayed

    return await until_first(attempt)


async def arrive(
    app: App, organization: UUID, booking_id: UUID, *, actor: Actor, expected_version: int = 0
) -> Booking:
    """The guest is there. One who counted as missed is seated anew, as long as there is room.

    What payment kept of the deposit of one who was missed goes back, as the rest did. The same answer when
    that was said before.

    Raises:
        BookingNotFound, BookingStateConflict, BookingNotDue: there is none, or it cannot be, or not now.
        VersionMismatch: it has changed since.
        SlotTaken: the guest counted as missed, and the room is gone.
        Busy: somebody changes the day for too long.
    """

    async def step(tx: Transaction, booking: Booking) -> Booking:
        arrived = await _back(app, tx, booking, booking.arrive(now=tx.now))
        await _keep(tx, booking, arrived, ChangeKind.ARRIVED, actor)
        await events.booking_arrived(tx, arrived, fee_waived=await _fee_waived(tx, booking))
        return arrived

    return await _step(app, organization, booking_id, Status.ARRIVED, step, expected_version=expected_version)


async def seat(
    app: App, organization: UUID, booking_id: UUID, *, actor: Actor, expected_version: int = 0
) -> Booking:
    """The party sits down, arrived or not. Like `arrive` in all else, and raises the same."""

    async def step(tx: Transaction, booking: Booking) -> Booking:
        seated = await _back(app, tx, booking, booking.seat(now=tx.now))
        await _keep(tx, booking, seated, ChangeKind.SEATED, actor)
        await events.booking_seated(tx, seated, fee_waived=await _fee_waived(tx, booking))
        return seated

    return await _step(app, organization, booking_id, Status.SEATED, step, expected_version=expected_version)


async def complete(
    app: App, organization: UUID, booking_id: UUID, *, actor: Actor, expected_version: int = 0
) -> Booking:
    """The party left; what is left of its time is free. The same answer when that was said before.

    Raises:
        BookingNotFound, BookingStateConflict, VersionMismatch, Busy
    """

    async def step(tx: Transaction, booking: Booking) -> Booking:
        completed = booking.complete(now=tx.now)
        await store.release(tx, booking.id)
        await _keep(tx, booking, completed, ChangeKind.COMPLETED, actor)
        await events.booking_completed(tx, completed)
        return completed

    return await _step(
        app, organization, booking_id, Status.COMPLETED, step, expected_version=expected_version
    )


async def miss(
    app: App, organization: UUID, booking_id: UUID, *, actor: Actor, expected_version: int = 0
) -> Booking:
    """The guest did not come; the resources are free. The same answer when that was said before.

    Raises:
        BookingNotFound, BookingStateConflict, BookingNotDue: there is none, or it cannot be, or not yet.
        VersionMismatch, Busy
    """

    async def step(tx: Transaction, booking: Booking) -> Booking:
        return await _miss(tx, booking, actor)

    return await _step(app, organization, booking_id, Status.NO_SHOW, step, expected_version=expected_version)


async def end_wait(app: App, timer: Timer) -> None:
    """The grace of a guest who did not arrive is over: the booking counts as missed.

    One that was cancelled, moved or delayed meanwhile is left alone; so is one whose timer rings too late.

    Raises:
        BookingNotFound, Busy
    """
    async with app.db.begin(timer.tenant) as tx:
        booking = await holds.lock_with_day(tx, await holds.see_booking(tx, UUID(timer.key)))
        due = booking.missed_at
        if booking.status is Status.CONFIRMED and due and due > tx.now:
            await timers.postpone(tx, timer, due)
            return
        if not await timers.done(tx, timer):
            return
        if booking.status is Status.CONFIRMED and due and tx.now < due + _TOO_LATE:
            await _miss(tx, booking, CLOCK)


async def _step(
    app: App,
    organization: UUID,
    booking_id: UUID,
    onto: Status,
    step: Callable[[Transaction, Booking], Awaitable[Booking]],
    *,
    expected_version: int,
) -> Booking:
    async def attempt() -> Booking:
        async with app.db.begin(organization) as tx:
            booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
            if booking.status is onto:
                return booking
            booking.refuse_unless_version(expected_version)
            return await step(tx, booking)

    return await until_first(attempt)


async def _miss(tx: Transaction, booking: Booking, actor: Actor) -> Booking:
    missed = booking.miss(now=tx.now)
    # Who was there may have been missed before: then the whole deposit went back by coming after all.
    again = booking.status is Status.ARRIVED and await _times_missed(tx, booking)
    await store.release(tx, booking.id)
    await _keep(tx, booking, missed, ChangeKind.NO_SHOW, actor)
    await events.booking_missed(tx, missed, fee=None if again else missed.no_show_fee)
    return missed


async def _fee_waived(tx: Transaction, before: Booking) -> Money | None:
    """What was kept of a guest who comes after all; None when nothing was, or it went back before."""
    missed_once = before.status is Status.NO_SHOW and await _times_missed(tx, before) == 1
    return before.no_show_fee if missed_once else None


async def _times_missed(tx: Transaction, booking: Booking) -> int:
    return sum(each.kind is ChangeKind.NO_SHOW for each in await store.list_changes(tx, booking.id))


async def _back(app: App, tx: Transaction, before: Booking, after: Booking) -> Booking:
    """The same, or with room again for a guest who counted as missed: where they were, or elsewhere."""
    if before.status is not Status.NO_SHOW:
        return after
    days = await seating.read(app, tx, after, int(after.start.timestamp()))
    days = replace(days, allocations=[*days.allocations, *await occupied_now(tx, after.venue_id, now=tx.now)])
    wanted = Wanted(after.resource_ids, after.overridden)
    if not await seating.is_free(tx, days, after, wanted):
        wanted = Wanted(waived=after.overridden)
    return await seating.seat(tx, days, after, wanted)


async def _keep(tx: Transaction, before: Booking, after: Booking, kind: ChangeKind, actor: Actor) -> None:
    await store.save_booking(tx, after, kind, actor, before=before)
    await deadlines.watch(tx, after)
