"""Making offers: room that appeared is held for those who wait, first come first, in a transaction each."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import texts
from booking.domain.bookings import Actor, ActorKind, Booking, Wish, new_token, token_hash
from booking.domain.refusals import SlotTaken
from booking.domain.waitlist import Entry, Offer, Outcome, WaitlistEntryNotFound
from booking.events import bookings as booking_events
from booking.events import waitlist as events
from booking.store import commits
from booking.store import days as day_store
from booking.store import waitlist as store
from booking.store.commits import Draft
from booking.store.days import Days, Lost
from booking.usecases import holds, openings
from booking.usecases.offers import GRACE, WAITLIST_OFFER, see_entry
from booking.usecases.openings import Opening, Searched
from booking.usecases.retries import until_first
from servicekit import ids, outbox, timers
from servicekit.database import Transaction
from servicekit.timers import Timer

PAGE = 100
"""How many who wait are read at once."""
_PAST = timedelta(days=2)
_FIRST = UUID(int=0)
_ENGINE = Actor(ActorKind.ENGINE)


async def sweep(app: App, timer: Timer) -> None:
    """There may be room on some days of a venue: offers it to those who wait, first come first.

    However often and wherever it runs, nothing is offered twice: each offer is a transaction that locks the
    day and the entry, and holds the place. A run that breaks off leaves whole offers and is repeated.

    Raises:
        Busy: too many others change the same day.
    """
    venue_id, told = UUID(timer.payload["venue"]), timer.payload
    async with app.db.begin(timer.tenant) as tx:
        today = (tx.now - _PAST).date()
        first = max(today, date.fromisoformat(told["from"])) if "from" in told else today
        last = date.fromisoformat(told["to"]) if "to" in told else date.max
        days = await store.list_days(tx, venue_id, first=first, last=last)
    for day in days:
        await sweep_day(app, timer.tenant, venue_id, day)
    async with app.db.begin(timer.tenant) as tx:
        await timers.done(tx, timer)


async def sweep_day(app: App, organization: UUID, venue_id: UUID, day: date) -> int:
    """Offers the room of one service day until nobody else who waits fits. Answers how many offers it made.

    A party that does not fit is passed over, and never split. Raises Busy.
    """
    made, behind = 0, _FIRST
    while True:
        last = behind

        async def attempt(after: UUID = last) -> UUID | None:
            return await _offer_next(app, organization, venue_id, day, after=after)

        offered = await until_first(attempt)
        if offered is None:
            return made
        made, behind = made + 1, offered


async def offer_place(
    app: App, organization: UUID, entry_id: UUID, start: int | None, *, actor: Actor
) -> Entry:
    """Offers an entry a place out of turn: at `start` (epoch seconds), or the first there is, best day first.

    Raises:
        WaitlistEntryNotFound, WaitlistStateConflict: there is none, or it does not wait.
        Inconsistent: the start does not suit the entry.
        SlotTaken: nothing that suits is free.
        Busy: too many others change the same days.
    """
    async with app.db.begin(organization) as tx:
        seen = (await see_entry(tx, entry_id)).as_of(tx.now)
    seen.offer()
    days = seen.ask.dates
    if start is not None:
        days = [day for day in days if seen.ask.suits(ZoneInfo(seen.time_zone), day, start)]
        if not days:
            texts.refuse("/start", "must suit the entry")
    for day in days:

        async def attempt(day: date = day) -> Entry | None:
            return await _offer_to(app, organization, entry_id, day=day, start=start, actor=actor)

        offered = await until_first(attempt)
        if offered:
            return offered
    raise SlotTaken


async def _offer_next(app: App, organization: UUID, venue_id: UUID, day: date, *, after: UUID) -> UUID | None:
    """Offers the day's room to the first behind `after` who fits. Looks first: mostly there is none."""
    async with app.db.begin(organization) as tx:
        if await _look(app, tx, venue_id, day, after) is None:
            return None
        if app.guarded:
            await day_store.lock_days(tx, venue_id, {day})
        found = await _look(app, tx, venue_id, day, after)
        if found is None:
            return None
        days, opening = found
        if app.guarded and await store.lock_entry(tx, opening.entry.id) != opening.entry:
            raise Lost
        await _offer(app, tx, days, opening, _ENGINE)
    return opening.entry.id


async def _look(
    app: App, tx: Transaction, venue_id: UUID, day: date, after: UUID
) -> tuple[Days, Opening] | None:
    """The first behind `after` who fits, page by page: however many wait, few are held at once."""
    days: Days | None = None
    searched = Searched()
    while waiting := await store.list_waiting(tx, venue_id, day, after=after, most=PAGE):
        days = days or await openings.read(app, tx, venue_id, day, day)
        declined = await _declined(tx, waiting)
        opening = openings.first_opening(days, waiting, day, declined=declined, searched=searched)
        if opening:
            return days, opening
        after = waiting[-1].id
    return None


async def _offer_to(
    app: App, organization: UUID, entry_id: UUID, *, day: date, start: int | None, actor: Actor
) -> Entry | None:
    async with app.db.begin(organization) as tx:
        venue_id = (await see_entry(tx, entry_id)).venue_id
        await day_store.lock_days(tx, venue_id, {day})
        entry = await store.lock_entry(tx, entry_id)
        if entry is None:
            raise WaitlistEntryNotFound
        entry.as_of(tx.now).offer()
        days = await openings.read(app, tx, venue_id, day, day)
        opening = openings.first_opening(
            days, [entry], day, declined={}, searched=Searched(), start=start, by_staff=True
        )
        return await _offer(app, tx, days, opening, actor) if opening else None


async def _offer(app: App, tx: Transaction, days: Days, opening: Opening, actor: Actor) -> Entry:
    """Holds the place for a locked entry, inside a transaction that has locked the day."""
    entry, slot, plan = opening.entry, opening.slot, days.plan
    offering = plan.offering(entry.ask.offering_id)
    wish = Wish.of(
        replace(entry.ask.guest, id=ids.new()),
        offering_id=offering.id,
        start=slot.start,
        party_size=entry.ask.party_size,
        notes=entry.ask.notes,
        area_id=entry.ask.area_id,
        attributes=entry.ask.attributes,
    )
    booking = Booking.promise(
        ids.new(),
        wish,
        venue_id=entry.venue_id,
        time_zone=plan.zone.key,
        offering=offering,
        service_date=opening.service_date,
        end=slot.end,
        resource_ids=opening.choice.resource_ids,
        hold_ttl=app.offer_ttl,
        now=days.now,
    )
    expires = min(days.now + app.offer_ttl, booking.start)
    booking = booking.kept_until(expires)
    await holds.make_room(tx, opening.choice, now=days.now)
    fact = booking_events.booking_offered(booking, entry.id)
    # The secret of the first link is thrown away: the guest gets one by accepting.
    draft = Draft(
        booking,
        opening.choice.occupations,
        actor,
        token_hash(new_token()),
        fact,
        (WAITLIST_OFFER, expires + GRACE),
    )
    await commits.commit_locked_booking(tx, draft, days, key=None, guarded=app.guarded)
    offer = Offer(entry.id, booking.id, booking.start, expires)
    offered = entry.offer()
    await store.insert_offer(tx, offer)
    await store.save_entry(tx, offered)
    await events.waitlist_offered(tx, offered, offer)
    tx.after_commit += [outbox.nudge, timers.nudge]
    return offered


async def _declined(tx: Transaction, waiting: list[Entry]) -> dict[UUID, set[int]]:
    """The starts that entries have declined since they last said what they wait for, in epoch seconds."""
    asked_at = {entry.id: entry.asked_at for entry in waiting}
    declined: dict[UUID, set[int]] = {}
    for offer in await store.list_offers(tx, asked_at.keys()):
        if offer.outcome is Outcome.DECLINED and (offer.made_at or tx.now) >= asked_at[offer.entry_id]:
            declined.setdefault(offer.entry_id, set()).add(int(offer.start.timestamp()))
    return declined
