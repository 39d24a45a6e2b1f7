"""Bookings that their guests give up for an offer of the waitlist: never before the offer is confirmed."""

from datetime import datetime
from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, CancelledBy, Reason, Status, Step
from booking.domain.waitlist import Ask
from booking.store import waitlist as store
from booking.usecases import changes, holds
from booking.usecases.retries import until_first
from servicekit import timers
from servicekit.database import Transaction
from servicekit.money import Money
from servicekit.timers import Timer

WAITLIST_REBOOKING = "waitlist_rebooking"
"""The timer that gives up a booking once what takes its place is confirmed; its key is the latter."""
_GUEST = Actor(ActorKind.GUEST)
_REASON = Reason("rebooked")


def fee_of(replaced: Booking | None, now: datetime) -> Money | None:
    """What giving a booking up at `now` costs its guest; None when there is nothing to lose."""
    if replaced is None or not replaced.follows(Step.CANCEL, now):
        return None
    return replaced.fee_if_cancelled(now=now)


async def read_fee(tx: Transaction, ask: Ask) -> Money | None:
    """The same of what accepting an offer gives up, as it stands now."""
    if not ask.instead or ask.booking_id is None:
        return None
    return fee_of(await holds.see_booking(tx, ask.booking_id), tx.now)


async def give_up(tx: Transaction, replaced: Booking, *, decided_at: datetime | None = None) -> None:
    """Cancels a locked booking for its guest; one that cannot be any more stays.

    It costs what it did at `decided_at`, when its guest accepted what takes its place; None for now.
    """
    if replaced.follows(Step.CANCEL, tx.now):
        await changes.cancel_locked(
            tx, replaced, by=CancelledBy.GUEST, actor=_GUEST, reason=_REASON, decided_at=decided_at
        )


async def give_up_soon(tx: Transaction, booking_id: UUID) -> None:
    """Schedules the same for what a booking takes the place of, if it was an offer that does."""
    if (await _replaced_by(tx, booking_id))[0] is not None:
        await timers.schedule(tx, WAITLIST_REBOOKING, str(booking_id), tx.now)


async def end_rebooking(app: App, timer: Timer) -> None:
    """What takes the place of a booking is confirmed: that booking is given up. Raises Busy."""
    booking_id = UUID(timer.key)

    async def attempt() -> None:
        async with app.db.begin(timer.tenant) as tx:
            taken = (await holds.see_booking(tx, booking_id)).status is not Status.CANCELLED
            replaced, accepted_at = await _replaced_by(tx, booking_id)
            if replaced is not None and taken:
                locked = await holds.lock_with_day(tx, await holds.see_booking(tx, replaced))
                await give_up(tx, locked, decided_at=accepted_at)
            await timers.done(tx, timer)

    await until_first(attempt)


async def _replaced_by(tx: Transaction, booking_id: UUID) -> tuple[UUID | None, datetime | None]:
    """The booking that an offer takes the place of, and when the offer was accepted.

    None when it is none, or of somebody who keeps both.
    """
    offer = await store.get_offer(tx, booking_id)
    entry = await store.get_entry(tx, offer.entry_id) if offer else None
    if offer is None or entry is None or not entry.ask.instead:
        return None, None
    return entry.ask.booking_id, offer.ended_at
