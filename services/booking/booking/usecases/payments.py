"""What money does to a booking. Whatever comes first, it is confirmed or the money goes back, once."""

from contextlib import suppress
from dataclasses import replace
from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, ChangeKind, Settlement, Status
from booking.domain.refusals import NoTableForParty
from booking.domain.venues import ResourceNotFound
from booking.events import bookings as events
from booking.store import bookings as store
from booking.usecases import deadlines, holds, seating
from booking.usecases.seating import ANYWHERE, Wanted
from servicekit import inbox, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.timers import Timer

_PAYMENT = Actor(ActorKind.PAYMENT)


async def take_payment(app: App, event: Event, booking_id: UUID) -> None:
    """The deposit of a booking was paid.

    Held: it is confirmed. Expired: its tables are taken again, or others at the same start; when there are
    none, the money goes back. Cancelled: the money goes back.

    Raises:
        BookingNotFound: the tenant has no such booking.
        Busy: somebody else changes the day; try again.
    """
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        seen = await holds.see_booking(tx, booking_id)
        if seen.deposit_paid_at is None:
            await _take(app, tx, await holds.lock_with_day(tx, seen))


async def end_hold(app: App, timer: Timer) -> None:
    """A hold's time is over: asks payment how the deposit ended, and confirms or gives up.

    Nothing waits for this to run: an expired hold is in nobody's way. It ends what payment still has open,
    and writes down what is so.

    Raises:
        Unavailable, DeadlineExceeded: payment does not know yet.
    """
    booking_id = UUID(timer.key)
    async with app.db.begin(timer.tenant) as tx:
        booking = await holds.see_booking(tx, booking_id)
        if booking.deposit_paid_at is not None:
            await timers.done(tx, timer)
            return
        if booking.hold_expires_at is not None and booking.hold_expires_at > tx.now:
            await timers.postpone(tx, timer, booking.hold_expires_at)
            return
    settlement = await app.deposits.settle(timer.tenant, booking_id)
    async with app.db.begin(timer.tenant) as tx:
        booking = await holds.lock_with_day(tx, await holds.see_booking(tx, booking_id))
        if not await timers.done(tx, timer):
            return
        if settlement is Settlement.PAID:
            await _take(app, tx, booking)
        elif booking.status is Status.HELD:
            await holds.expire(tx, booking)


async def _take(app: App, tx: Transaction, booking: Booking) -> None:
    """Says that a locked booking is paid, unless that was said before."""
    if booking.deposit_paid_at is not None:
        return
    paid = booking.pay(now=tx.now)
    await timers.cancel(tx, deadlines.HOLD_EXPIRY, str(booking.id))
    match booking.status:
        case Status.HELD | Status.CONFIRMED:
            await store.keep_for_good(tx, booking.id)
            await _confirm(tx, paid, booking)
        case Status.EXPIRED:
            rescued = await _take_again(app, tx, paid)
            if rescued is not None:
                await _confirm(tx, rescued, booking)
            else:
                await store.save_booking(tx, paid, ChangeKind.PAID_TOO_LATE, _PAYMENT)
                await events.booking_expired(tx, paid, refund_due=paid.deposit)
        case Status.CANCELLED:
            await store.save_booking(tx, paid, ChangeKind.PAID_TOO_LATE, _PAYMENT)
            await events.booking_cancelled(tx, paid, refund_due=paid.deposit)
        case _:
            raise AssertionError(booking.status)  # asked for no deposit, or could only come here once it paid


async def _confirm(tx: Transaction, booking: Booking, before: Booking) -> None:
    await store.save_booking(tx, booking, ChangeKind.CONFIRMED, _PAYMENT, before=before)
    await deadlines.watch(tx, booking)
    await events.booking_confirmed(tx, booking)


async def _take_again(app: App, tx: Transaction, booking: Booking) -> Booking | None:
    """Room for a booking that had lost it, the same if free; None when there is none, or it has begun.

    None, too, for what is off sale by now.
    """
    if booking.start <= tx.now:
        return None
    days = await seating.read(app, tx, booking, int(booking.start.timestamp()))
    if booking.offering_id in days.plan.retired:
        return None
    choice = None
    with suppress(ResourceNotFound, NoTableForParty):  # since it expired, they may be gone, or joined no more
        choice = await seating.choose(tx, days, booking, Wanted(booking.resource_ids), leaving=())
    if choice is None:
        with suppress(NoTableForParty):
            choice = await seating.choose(tx, days, replace(booking, pinned=False), ANYWHERE, leaving=())
    if choice is None:
        return None
    await holds.make_room(tx, choice, now=days.now)
    rescued = booking.rescue(choice.resource_ids)
    await store.occupy(tx, rescued, choice.occupations)
    return rescued
