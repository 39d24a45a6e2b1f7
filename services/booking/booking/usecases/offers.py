"""Answers to offers, and what ends them. Days are locked first, then entries, then bookings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    ChangeKind,
    DepositPayment,
    Status,
    new_token,
    refuse_unless_accepted,
    token_hash,
)
from booking.domain.waitlist import (
    Entry,
    EntryStatus,
    Outcome,
    WaitlistEntryNotFound,
    WaitlistOfferGone,
)
from booking.events import bookings as booking_events
from booking.events import waitlist as events
from booking.store import bookings as booking_store
from booking.store import days as day_store
from booking.store import waitlist as store
from booking.store.days import Lost
from booking.usecases import deadlines, holds, rebookings
from booking.usecases.requests import ask_deposit
from booking.usecases.retries import until_first
from servicekit import timers
from servicekit.database import Transaction
from servicekit.money import Money
from servicekit.timers import Timer

WAITLIST_OFFER = "waitlist_offer"
"""The timer that ends an offer; its key is the booking."""
GRACE = timedelta(seconds=1)
"""How long after an offer's end its timer rings."""
GUEST = Actor(ActorKind.GUEST)
_OUTCOMES = {
    EntryStatus.WITHDRAWN: Outcome.WITHDRAWN,
    EntryStatus.REMOVED: Outcome.REMOVED,
    EntryStatus.CLOSED: Outcome.CLOSED,
    EntryStatus.EXPIRED: Outcome.EXPIRED,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The booking that an offer became, the secret of its link, and how its deposit is paid."""

    booking: Booking
    manage_token: str
    payment: DepositPayment | None


@dataclass(frozen=True, slots=True)
class Locked:
    """An entry that nobody else changes until the end of the transaction, and what is held for it."""

    entry: Entry
    held: Booking | None
    replaced: Booking | None = None
    """What the guest gives up by accepting; None for nothing, and where it was not asked for."""


async def accept_offer(
    app: App, organization: UUID, entry_id: UUID, *, accepted_fee: Money | None = None
) -> Accepted:
    """Makes the offer the guest's booking: confirmed, or held until its deposit is paid.

    The booking that it takes the place of, if that was wished, is cancelled in the same transaction; where a
    deposit is due, once that is paid. Either way it costs what it costs now; `accepted_fee` is what the guest
    has seen of that, None for whatever it is.

    The same booking, with a further link, when it was accepted before. The payment is asked for after the
    booking is safe; when payment is down, the hold stays and a repeated call asks again.

    Raises:
        WaitlistOfferGone: there is no offer, or it ran out or was taken back.
        CancellationFeeChanged: giving the other booking up costs another amount by now.
        Busy: too many others change the same day.
        Unavailable: payment is down.
    """
    booking, token = await until_first(lambda: _accept(app, organization, entry_id, accepted_fee))
    return Accepted(booking, token, await ask_deposit(app, organization, booking))


async def decline_offer(app: App, organization: UUID, entry_id: UUID, *, keep: bool) -> Entry:
    """Gives the offered room back for the next in line. The entry ends, or waits again if it is to be kept.

    The same answer when it was declined before. Raises WaitlistOfferGone, Busy.
    """

    async def attempt() -> Entry:
        async with app.db.begin(organization) as tx:
            locked = await lock(tx, entry_id)
            if locked.entry.status is EntryStatus.DECLINED:
                return locked.entry
            held = _open_offer(locked, tx.now)
            entry = locked.entry.decline(keep=keep)
            await let_go(tx, held, Outcome.DECLINED, GUEST)
            await store.save_entry(tx, entry)
            if keep:
                await events.waitlist_offer_declined(tx, entry, held.id)
            else:
                await events.waitlist_closed(tx, entry)
        return entry

    return await until_first(attempt)


async def end_offer(app: App, timer: Timer) -> None:
    """An offer's time is over: the entry has expired, or staff took the offer back. The next in line follows.

    Raises:
        Busy: somebody changes the day for too long.
    """
    booking_id = UUID(timer.key)

    async def attempt() -> None:
        async with app.db.begin(timer.tenant) as tx:
            offer = await store.get_offer(tx, booking_id)
            if offer is None or offer.outcome is not Outcome.PENDING:
                await timers.done(tx, timer)
                return
            locked = await lock(tx, offer.entry_id)
            held = locked.held
            if held is None or held.id != booking_id:
                raise Lost
            if held.status is Status.HELD and not held.ran_out(tx.now):
                assert held.hold_expires_at is not None  # noqa: S101  # what is held runs out
                await timers.postpone(tx, timer, held.hold_expires_at + GRACE)
                return
            if not await timers.done(tx, timer):
                return
            taken_back = held.status is Status.CANCELLED
            status = EntryStatus.REMOVED if taken_back else EntryStatus.EXPIRED
            await end(tx, locked, status, holds.CLOCK)

    await until_first(attempt)


async def see_entry(tx: Transaction, entry_id: UUID) -> Entry:
    """The tenant's entry, unlocked. Raises WaitlistEntryNotFound."""
    entry = await store.get_entry(tx, entry_id)
    if entry is None:
        raise WaitlistEntryNotFound
    return entry


async def lock(tx: Transaction, entry_id: UUID, *, accepting: bool = False) -> Locked:
    """An entry and what is held for it, for a change of both: day, entry and booking, in this order.

    `accepting`: and the booking whose place the offer takes.

    Raises:
        WaitlistEntryNotFound
        Lost: somebody has changed it meanwhile.
    """
    seen = await see_entry(tx, entry_id)
    held = replaced = None
    if seen.status is EntryStatus.OFFERED:
        held = await holds.see_booking(tx, await _pending(tx, entry_id))
        if accepting and seen.ask.instead and seen.ask.booking_id:
            replaced = await holds.see_booking(tx, seen.ask.booking_id)
        days = {each.service_date for each in (held, replaced) if each}
        await day_store.lock_days(tx, held.venue_id, days)
    entry = await store.lock_entry(tx, entry_id)
    if entry is None or entry.version != seen.version:
        raise Lost
    locked: dict[UUID, Booking] = {}
    for each in sorted(filter(None, (held, replaced)), key=lambda booking: booking.id):
        booking = await booking_store.lock_booking(tx, each.id)
        if booking is None or booking.service_date != each.service_date:
            raise Lost
        locked[each.id] = booking
    return Locked(entry, held and locked[held.id], replaced and locked[replaced.id])


async def end(
    tx: Transaction, locked: Locked, status: EntryStatus, actor: Actor, *, instead: UUID | None = None
) -> Entry:
    """Ends a locked entry, and gives back what is held for it. `instead`: what it has booked otherwise."""
    entry = locked.entry.end(status)
    if locked.held:
        await let_go(tx, locked.held, _OUTCOMES[status], actor)
    await store.save_entry(tx, entry)
    await events.waitlist_closed(tx, entry, instead)
    return entry


async def let_go(tx: Transaction, held: Booking, outcome: Outcome, actor: Actor) -> None:
    """Ends an offer; its room is free at once, and swept for the next in line."""
    if held.status is Status.HELD:
        expired = held.expire()
        await booking_store.release(tx, held.id)
        await booking_store.save_booking(tx, expired, ChangeKind.EXPIRED, actor, before=held)
        await booking_events.booking_expired(tx, expired, refund_due=None)
    await store.end_offer(tx, held.id, outcome)
    await timers.cancel(tx, WAITLIST_OFFER, str(held.id))


async def _accept(
    app: App, organization: UUID, entry_id: UUID, accepted_fee: Money | None
) -> tuple[Booking, str]:
    token = new_token()
    async with app.db.begin(organization) as tx:
        locked = await lock(tx, entry_id, accepting=True)
        booking = await _accepted_before(tx, locked.entry)
        if booking is None:
            held = _open_offer(locked, tx.now)
            refuse_unless_accepted(rebookings.fee_of(locked.replaced, tx.now), accepted_fee)
            booking = held.accept(pay_by=tx.now + app.hold_ttl, now=tx.now)
            waits_for_money = booking.status is Status.HELD
            await store.hold_until(tx, booking.id, booking.hold_expires_at)
            kind = ChangeKind.HELD if waits_for_money else ChangeKind.CONFIRMED
            await booking_store.save_booking(tx, booking, kind, GUEST, before=held)
            await timers.cancel(tx, WAITLIST_OFFER, str(held.id))
            await deadlines.watch(tx, booking)
            if waits_for_money:
                await booking_events.booking_held(tx, booking)
            else:
                await booking_events.booking_confirmed(tx, booking)
                if locked.replaced:
                    await rebookings.give_up(tx, locked.replaced)
            accepted = locked.entry.accept()
            await store.end_offer(tx, booking.id, Outcome.ACCEPTED)
            await store.save_entry(tx, accepted)
            await events.waitlist_closed(tx, accepted, booking.id)
        await booking_store.insert_token(tx, booking.id, token_hash(token))
        return booking.as_of(tx.now), token


async def _accepted_before(tx: Transaction, entry: Entry) -> Booking | None:
    if entry.status is not EntryStatus.ACCEPTED:
        return None
    offers = await store.list_offers(tx, [entry.id])
    booking_id = next(offer.booking_id for offer in offers if offer.outcome is Outcome.ACCEPTED)
    return await holds.see_booking(tx, booking_id)


def _open_offer(locked: Locked, now: datetime) -> Booking:
    """What is held and may still be accepted or declined. Raises WaitlistOfferGone."""
    held = locked.held
    if held is None or held.as_of(now).status is not Status.HELD:
        raise WaitlistOfferGone
    return held


async def _pending(tx: Transaction, entry_id: UUID) -> UUID:
    """The booking that is held for an offered entry. Raises Lost when the offer was answered meanwhile."""
    for offer in await store.list_offers(tx, [entry_id]):
        if offer.outcome is Outcome.PENDING:
            return offer.booking_id
    raise Lost
