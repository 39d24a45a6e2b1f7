"""Joining a waitlist and leaving it, by the guest, by staff, by time, or by booking in another way."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from booking.app import App
from booking.domain.bookings import Actor, Booking, Status, new_token, token_hash
from booking.domain.venues import Venue, VenueRef
from booking.domain.waitlist import Ask, Entry, EntryStatus, Outcome, WaitlistTokenNotFound, contact_of
from booking.events import waitlist as events
from booking.store import days as day_store
from booking.store import sweeps
from booking.store import venues as venue_store
from booking.store import waitlist as store
from booking.store.guests import save_guest
from booking.usecases import holds, offers, openings, rebookings
from booking.usecases.directory import find_own_venue, find_place
from booking.usecases.offers import GUEST, see_entry
from booking.usecases.retries import until_first
from servicekit import idempotency, ids, inbox, timers
from servicekit.database import Transaction
from servicekit.events import Event
from servicekit.money import Money
from servicekit.paging import Page
from servicekit.timers import Timer

WAITLIST_END = "waitlist_end"
"""The timer that ends an entry once all its days are over."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as it stands, with what belongs to it."""

    entry: Entry
    position: int
    offered: Booking | None = None
    """What is held for it and may be accepted."""
    fee_if_accepted: Money | None = None
    """What is kept of the deposit of the booking that accepting gives up; None when nothing is to lose."""
    booking_id: UUID | None = None
    """What it accepted."""


@dataclass(frozen=True, slots=True)
class Described:
    """An entry with what a mail about it needs."""

    seen: Seen
    venue: Venue
    offering_name: str
    token: str
    """Empty unless asked for."""


async def join_waitlist(app: App, ref: VenueRef, ask: Ask, *, proof: str = "") -> tuple[Seen, str]:
    """Puts a party in line, and answers the secret of its link.

    Whoever waits for one of the days already, by e-mail address, and shows the secret of that entry's link as
    `proof`, changes what they wait for and keeps their place; earlier links stop working. Whoever shows none
    is answered as if the address were new, by an entry that is offered nothing: an address is no secret, and
    nobody learns or changes by it who waits for what. The address is mailed the link that it has. The same
    entry again, with a further link, for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound: nobody offers that.
        SlotAvailable: the wish can be booked.
        SlotNotReleased, SlotTooFarAhead: some of it is not on sale yet.
        NoTableForParty, NoTableAsAsked, PartyBeyondPace, SlotEndsTooLate, SlotTooSoon, SlotClosed: nothing of
            it could ever be offered.
        WaitlistOfferPending: the guest has to answer an offer first.
        Busy: the same guest joins several times at once.
    """
    place = await find_place(app, ref)
    return await until_first(lambda: _join(app, place.organization, place.venue_id, ask, proof))


async def list_waitlist(
    app: App, organization: UUID, ref: VenueRef, *, day: date, include_ended: bool, page: Page
) -> tuple[list[Seen], str]:
    """A page of who wants a service day, first come first, and the next one's token. Raises VenueNotFound."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        found = await store.list_entries(tx, venue.id, day, page, include_ended=include_ended)
        more, found = len(found) > page.size, found[: page.size]
        seen = [await _see(tx, entry) for entry in found]
    return seen, page.next_token((str(found[-1].id),)) if more else ""


async def get_entry(app: App, organization: UUID, entry_id: UUID) -> Seen:
    """An entry as it stands. Raises WaitlistEntryNotFound."""
    async with app.db.begin(organization) as tx:
        return await _see(tx, await see_entry(tx, entry_id))


async def get_entry_of_link(app: App, token: str) -> tuple[Seen, Venue]:
    """The entry of a link, and where it is. Raises WaitlistTokenNotFound."""
    organization, entry_id = await open_link(app, token)
    async with app.db.begin(organization) as tx:
        entry = await see_entry(tx, entry_id)
        return await _see(tx, entry), await find_own_venue(tx, VenueRef(entry.venue_id))


async def open_link(app: App, token: str) -> tuple[UUID, UUID]:
    """Whose link it is: organization and entry. Raises WaitlistTokenNotFound once it holds no more."""
    async with app.db.begin_platform(reason="open a waitlist link") as tx:
        found = await store.find_token(tx, token_hash(token))
    if found is None:
        raise WaitlistTokenNotFound
    organization, entry_id = found
    async with app.db.begin(organization) as tx:
        if not (await see_entry(tx, entry_id)).link_holds(tx.now):
            raise WaitlistTokenNotFound
    return found


async def leave_waitlist(
    app: App, organization: UUID, entry_id: UUID, status: EntryStatus, *, actor: Actor = GUEST
) -> Entry:
    """Ends an entry, withdrawn or removed; what is held for it is free. The same answer for the same again.

    Raises:
        WaitlistEntryNotFound, WaitlistStateConflict: there is none, or it ended in another way.
        Busy: somebody changes the same day for too long.
    """

    async def attempt() -> Entry:
        async with app.db.begin(organization) as tx:
            locked = await offers.lock(tx, entry_id)
            if locked.entry.status is status:
                return locked.entry
            await timers.cancel(tx, WAITLIST_END, str(entry_id))
            return await offers.end(tx, locked, status, actor)

    return await until_first(attempt)


async def end_entry(app: App, timer: Timer) -> None:
    """All days of an entry are over: it waits no more. One that was asked for anew has a timer of its own."""
    entry_id = UUID(timer.key)

    async def attempt() -> None:
        async with app.db.begin(timer.tenant) as tx:
            locked = await offers.lock(tx, entry_id)
            if await timers.done(tx, timer) and locked.entry.live:
                await offers.end(tx, locked, EntryStatus.EXPIRED, holds.CLOCK)

    await until_first(attempt)


async def close_for_booking(app: App, event: Event, booking_id: UUID) -> None:
    """A guest has booked: who waited for that day at that venue waits no more, and is offered nothing.

    What was asked for after the booking was confirmed, or by its own link, is another wish, and stays. What
    the booking takes the place of is given up.

    Raises:
        BookingNotFound: the tenant has no such booking.
        Busy: somebody changes the same day for too long.
    """

    async def attempt() -> None:
        async with app.db.begin(event.tenant) as tx:
            await inbox.claim(tx, event)
            booking = await holds.see_booking(tx, booking_id)
            entry = await store.find_of_contact(
                tx, booking.venue_id, contact_of(booking.guest.email), booking.service_date
            )
            await rebookings.give_up_soon(tx, booking_id)
            if entry is None or entry.asked_at > event.time or entry.ask.booking_id == booking_id:
                return
            locked = await offers.lock(tx, entry.id)
            if locked.entry.live:
                await timers.cancel(tx, WAITLIST_END, str(entry.id))
                await offers.end(tx, locked, EntryStatus.CLOSED, GUEST, instead=booking_id)

    await until_first(attempt)


async def describe_entry(app: App, organization: UUID, entry_id: UUID, *, issue_token: bool) -> Described:
    """An entry as it stands, with a further link if asked for. Raises WaitlistEntryNotFound."""
    token = new_token() if issue_token else ""
    async with app.db.begin(organization) as tx:
        entry = await see_entry(tx, entry_id)
        seen = await _see(tx, entry)
        venue = await find_own_venue(tx, VenueRef(entry.venue_id))
        name = await venue_store.name_of_offering(tx, entry.venue_id, entry.ask.offering_id)
        if token:
            await store.insert_token(tx, entry_id, token_hash(token))
    return Described(seen, venue, name, token)


async def _join(app: App, organization: UUID, venue_id: UUID, ask: Ask, proof: str) -> tuple[Seen, str]:
    token, key = new_token(), idempotency.key()
    async with app.db.begin(organization) as tx:
        first, last = ask.first_date, ask.last_date
        await day_store.share_venue(tx, venue_id)  # an offering that goes sees this entry, or is gone for it
        mine = await store.lock_of_contact(tx, venue_id, ask.contact, first=first, last=last)
        others = [] if await _is_of(tx, proof, mine) else mine
        mine = [] if others else mine
        entry_id = mine[0].id if mine else ids.new()
        earlier = await idempotency.claim(tx, key, entry_id)
        if earlier:
            entry = await see_entry(tx, earlier)
        else:
            days = await openings.read(app, tx, venue_id, first, last)
            openings.refuse_unless_sold_out(days, ask)
            if mine:
                entry = await _ask_again(tx, mine[0], ask)
            else:
                entry = Entry.join(entry_id, ask, venue_id=venue_id, time_zone=days.plan.zone.key, now=tx.now)
                entry = replace(entry, unproven=bool(others))
                await store.insert_entry(tx, entry)
            await timers.schedule(tx, WAITLIST_END, str(entry.id), ask.over_at(days.plan.zone))
            # Room that appeared since `days` was read was swept before this entry could be seen.
            await sweeps.sweep_soon(tx, venue_id, entry.id, (first, last))
            await events.waitlist_joined(tx, entry)
            await _mail_links(tx, others)
        await store.insert_token(tx, entry.id, token_hash(token))
        return await _see(tx, entry), token


async def _is_of(tx: Transaction, proof: str, entries: list[Entry]) -> bool:
    """Whether a secret is that of the link of the only one of some entries: of another, it proves nothing."""
    found = await store.find_token(tx, token_hash(proof)) if proof else None
    return found is not None and {each.id for each in entries} == {found[1]}


async def _ask_again(tx: Transaction, before: Entry, ask: Ask) -> Entry:
    """The same entry with the new wish, earlier links void."""
    again = before.ask_again(ask, now=tx.now)
    await store.save_entry(tx, again)
    await save_guest(tx, again.ask.guest, now=tx.now)
    await store.forget_tokens(tx, again.id)
    return again


async def _mail_links(tx: Transaction, entries: list[Entry]) -> None:
    """Has the link that was not shown sent to whoever waits already. The entries must be locked."""
    for entry in entries:
        mailed = entry.mail_link(now=tx.now)
        if mailed is not None:
            await store.save_entry(tx, mailed)
            await events.waitlist_link_requested(tx, mailed)


async def _see(tx: Transaction, entry: Entry) -> Seen:
    entry = entry.as_of(tx.now)
    seen = Seen(entry, await store.position(tx, entry.id) if entry.status is EntryStatus.WAITING else 0)
    if entry.status not in (EntryStatus.OFFERED, EntryStatus.ACCEPTED):
        return seen
    for offer in await store.list_offers(tx, [entry.id]):
        if offer.outcome is Outcome.ACCEPTED:
            return replace(seen, booking_id=offer.booking_id)
        if offer.outcome is Outcome.PENDING:
            held = (await holds.see_booking(tx, offer.booking_id)).as_of(tx.now)
            if held.status is Status.HELD:
                return replace(seen, offered=held, fee_if_accepted=await rebookings.read_fee(tx, entry.ask))
    return seen
