"""Bookings that their guests give up for an offer of the waitlist: never before the offer is confirmed."""

from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, CancelledBy, Reason, Status, Step
from booking.store import waitlist as store
from booking.usecases import changes, holds
from booking.usecases.retries import until_first
from servicekit import timers
from servicekit.database import Transaction
from servicekit.timers import Timer

WAITLIST_REBOOKING = "waitlist_rebooking"
"""The timer that gives up a booking once what takes its place is confirmed; its key is the latter."""
_GUEST = Actor(ActorKind.GUEST)
_REASON = Reason("rebooked")


async def give_up(tx: Transaction, replaced: Booking) -> None:
    """Cancels a locked booking for its guest, at what that costs now; one that cannot be any more stays."""
    if replaced.follows(Step.CANCEL, tx.now):
        await changes.cancel_locked(tx, replaced, by=CancelledBy.GUEST, actor=_GUEST, reason=_REASON)


async def give_up_soon(tx: Transaction, booking_id: UUID) -> None:
    """Schedules the same for what a booking takes the place of, if it was an offer that does."""
    if await _replaced_by(tx, booking_id) is not None:
        await timers.schedule(tx, WAITLIST_REBOOKING, str(booking_id), tx.now)


async def end_rebooking(app: App, timer: Timer) -> None:
    """What takes the place of a booking is confirmed: that booking is given up. Raises Busy."""
    booking_id = UUID(timer.key)

    async def attempt() -> None:
        async with app.db.begin(timer.tenant) as tx:
            taken = (await holds.see_booking(tx, booking_id)).status is not Status.CANCELLED
            replaced = await _replaced_by(tx, booking_id)
            if replaced is not None and taken:
                await give_up(tx, await holds.lock_with_day(tx, await holds.see_booking(tx, replaced)))
            await timers.done(tx, timer)

    await until_first(attempt)


async def _replaced_by(tx: Transaction, booking_id: UUID) -> UUID | None:
    """The booking that an offer takes the place of; None when it is none, or of somebody who keeps both."""
    offer = await store.get_offer(tx, booking_id)
    entry = await store.get_entry(tx, offer.entry_id) if offer else None
    return entry.ask.booking_id if entry and entry.ask.instead else None
