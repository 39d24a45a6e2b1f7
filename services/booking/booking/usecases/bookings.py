"""Making a booking: plan on a snapshot, commit in one statement, plan again for whoever was slower."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import availability, exceptions
from booking.domain.availability import Plan
from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    BookingNotFound,
    Change,
    DepositPayment,
    Wish,
    new_token,
    token_hash,
)
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.floor import Channel
from booking.domain.overrides import OverrideDenied, Rule
from booking.domain.refusals import SlotClosed, SlotPaced, SlotTaken, SlotTooFarAhead, SlotTooSoon
from booking.domain.solver import Choice
from booking.domain.venues import (
    VenueRef,
)
from booking.events.bookings import booking_made
from booking.store import bookings as store
from booking.store import commits
from booking.store import days as day_store
from booking.store.commits import Draft
from booking.store.days import Days, Lost, Window
from booking.usecases import deadlines, holds
from booking.usecases.directory import Place, channel_of, find_own_venue, find_place
from booking.usecases.requests import ask_deposit
from booking.usecases.windows import window_of_day
from servicekit import idempotency, ids, outbox, timers
from servicekit.errors import Busy
from servicekit.identity import Caller
from servicekit.paging import Page

_UNLOCKED_ATTEMPTS = 2
_ATTEMPTS = 6
_DAY = 86_400
_MAY_CHANGE = "bookings.write"
_REPEATED_LINKS = 5
"""How many links from repeated answers about one booking go on working."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new booking, the secret of its link, and how its deposit is paid."""

    booking: Booking
    manage_token: str
    payment: DepositPayment | None


async def create_booking(app: App, ref: VenueRef, wish: Wish, *, caller: Caller) -> Made:
    """Books a start: confirmed at once, held until its deposit is paid, or requested where staff must answer.

    The same booking again, with a further link, for the same Idempotency-Key. The payment is asked for after
    the booking is safe; when payment is down, the hold stays and a repeated call asks again.

    Raises:
        VenueNotFound, OfferingNotFound: nobody offers that.
        OverrideDenied: rules are to be set aside by somebody who is no staff of the venue.
        LocalTimeMissing, LocalTimeAmbiguous: the venue's clocks never show the start, or twice.
        SlotClosed, SlotEndsTooLate, SlotTooSoon, SlotNotReleased, SlotTooFarAhead, NoTableForParty: the start
            cannot be booked by anybody.
        SlotPaced: too many others begin around the start.
        SlotTaken: everything is occupied, and moving others does not help.
        Busy: too many others book the same day.
        Unavailable: payment is down.
    """
    place = await find_place(app, ref)
    actor = _actor(caller, place)
    if wish.override and (actor.kind is not ActorKind.MEMBER or _MAY_CHANGE not in caller.permissions):
        raise OverrideDenied
    if wish.local_start:
        async with app.db.begin(place.organization) as tx:
            zone = (await find_own_venue(tx, VenueRef(place.venue_id))).time_zone
        wish = wish.resolved(ZoneInfo(zone))
    booking, token = await _book(app, place, wish, actor)
    return Made(booking, token, await ask_deposit(app, place.organization, booking))


def _actor(caller: Caller, place: Place) -> Actor:
    if channel_of(caller, place) is Channel.STAFF:
        return Actor(ActorKind.MEMBER, caller.user)
    return Actor(ActorKind.GUEST)


async def get_booking(app: App, organization: UUID, booking_id: UUID) -> Booking:
    """A booking as it stands. Raises BookingNotFound."""
    async with app.db.begin(organization) as tx:
        return (await holds.see_booking(tx, booking_id)).as_of(tx.now)


async def list_bookings(
    app: App, organization: UUID, ref: VenueRef, *, day: date, page: Page
) -> tuple[list[Booking], str]:
    """A page of a service day's bookings by start, and the token of the next one. Raises VenueNotFound."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        found = await store.list_bookings(tx, venue.id, day, page)
    more = len(found) > page.size
    found = [booking.as_of(tx.now) for booking in found[: page.size]]
    return found, page.next_token((found[-1].start.isoformat(), str(found[-1].id))) if more else ""


async def list_history(app: App, organization: UUID, booking_id: UUID) -> tuple[Booking, list[Change]]:
    """A booking and everything that happened to it, oldest first. Raises BookingNotFound."""
    async with app.db.begin(organization) as tx:
        return await holds.see_booking(tx, booking_id), await store.list_changes(tx, booking_id)


async def _book(app: App, place: Place, wish: Wish, actor: Actor) -> tuple[Booking, str]:
    for attempt in range(_ATTEMPTS):
        with suppress(Lost):
            if attempt < _UNLOCKED_ATTEMPTS:
                return await _plan_and_commit(app, place, wish, actor)
            return await _plan_locked(app, place, wish, actor)
    raise Busy


async def _plan_and_commit(app: App, place: Place, wish: Wish, actor: Actor) -> tuple[Booking, str]:
    """Two round trips, no lock between them. Raises Lost when somebody was quicker."""
    key = idempotency.key()
    known = app.plans.get(place.venue_id)
    window = _window(known, wish)
    days = await day_store.read_days(app.db, app.plans, place.organization, place.venue_id, window, key=key)
    if days.earlier_booking:
        return await _made_before(app, place.organization, days.earlier_booking)
    if known is not None and days.plan is not known:
        raise Lost
    planned = _draft(app, place, wish, actor, days, reseat=False)
    if planned is None:
        await _refuse_unless_others_move(app, place, wish, actor, days)
        return await _plan_locked(app, place, wish, actor)
    draft, token, choice = planned
    if choice and choice.evicted:
        return await _plan_locked(app, place, wish, actor)
    await commits.commit_booking(app.db, place.organization, draft, days, key=key, guarded=app.guarded)
    outbox.nudge()
    timers.nudge()
    return draft.booking, token


async def _refuse_unless_others_move(app: App, place: Place, wish: Wish, actor: Actor, seen: Days) -> None:
    """Lets a wish pass that the whole day has room for if others move. Nobody waits for the many it has not.

    Raises:
        SlotTaken: it has not.
        Lost: the venue has changed meanwhile.
    """
    service_date = exceptions.service_date_of(
        seen.plan, seen.plan.offering(wish.offering_id), wish.start, waived=wish.waived
    )
    if not seen.plan.reseating or service_date is None:
        raise SlotTaken
    window = _window_of_day(seen.plan, wish, service_date)
    days = await day_store.read_days(
        app.db, app.plans, place.organization, place.venue_id, window, key=idempotency.key()
    )
    if days.plan is not seen.plan:
        raise Lost
    if not days.earlier_booking and _draft(app, place, wish, actor, days, reseat=True) is None:
        raise SlotTaken


async def _plan_locked(app: App, place: Place, wish: Wish, actor: Actor) -> tuple[Booking, str]:
    """Behind everybody else who changes the day, so that the plan holds.

    Makes room from expired holds, and by moving others where nothing is free.
    """
    key = idempotency.key()
    async with app.db.begin(place.organization) as tx:
        known = app.plans.get(place.venue_id)
        if known is None:
            raise Lost
        service_date = exceptions.service_date_of(
            known, known.offering(wish.offering_id), wish.start, waived=wish.waived
        )
        if service_date is None:
            raise SlotClosed
        await day_store.lock_days(tx, place.venue_id, {service_date})
        window = _window_of_day(known, wish, service_date)
        days = await day_store.read_days_in(tx, app.plans, place.venue_id, window, key=key)
        earlier = days.earlier_booking
        if earlier is None:
            if days.plan is not known:
                raise Lost
            planned = _draft(app, place, wish, actor, days, reseat=True)
            if planned is None:
                raise SlotTaken
            draft, token, choice = planned
            if choice:
                await holds.make_room(tx, choice, now=days.now)
            await commits.commit_locked_booking(tx, draft, days, key=key)
            tx.after_commit += [outbox.nudge, timers.nudge]
    if earlier is not None:
        return await _made_before(app, place.organization, earlier)
    return draft.booking, token


async def _made_before(app: App, organization: UUID, booking_id: UUID) -> tuple[Booking, str]:
    """What the Idempotency-Key made, with a further link: the first one's secret is not kept.

    Only the newest few of these links go on working; the first one and those of mails always do.
    """
    token = new_token()
    async with app.db.begin(organization) as tx:
        booking = await store.lock_booking(tx, booking_id)  # alone, so nobody waits in a circle
        if booking is None:
            raise BookingNotFound
        await store.insert_repeated_token(tx, booking_id, token_hash(token), most=_REPEATED_LINKS)
        return booking.as_of(tx.now), token


def _draft(
    app: App, place: Place, wish: Wish, actor: Actor, days: Days, *, reseat: bool
) -> tuple[Draft, str, Choice | None] | None:
    """What to write, the secret of the link, and where the party is seated, if it is; None without room."""
    plan = days.plan
    offering = plan.offering(wish.offering_id)
    request = offering.terms.requests if offering.terms.asks_first(wish.party_size) else None
    if actor.kind is ActorKind.MEMBER:
        request = None
    seated = request is None or request.holds_capacity
    waived = wish.waived if seated else wish.waived | {Rule.PARTY_SIZE}
    channel = Channel.STAFF if actor.kind is ActorKind.MEMBER else Channel.ONLINE
    party = replace(wish.party(channel), any_size=Rule.PARTY_SIZE in waived)
    now = int(days.now.timestamp())
    service_date, end = exceptions.bookable_stay(
        plan,
        offering,
        start=wish.start,
        party=party,
        now=now,
        waived=waived,
    )
    choice = None
    if seated:
        at, taken = wish.start, days.taken
        if Rule.PACING not in waived and availability.is_paced(
            plan, offering, service_date, start=at, party=party, taken=taken
        ):
            raise SlotPaced
        choice = availability.choose(
            plan, offering, service_date, start=at, party=party, taken=taken, now=now, reseat=reseat
        )
        if choice is None:
            return None
    booking = Booking.promise(
        ids.new(),
        wish,
        venue_id=place.venue_id,
        time_zone=plan.zone.key,
        offering=offering,
        service_date=service_date,
        end=end,
        resource_ids=choice.resource_ids if choice else (),
        hold_ttl=app.hold_ttl,
        now=days.now,
        request=request,
        channel=channel,
    )
    token = new_token()
    fact = booking_made(booking)
    occupations = choice.occupations if choice else ()
    due = deadlines.deadline(booking)
    draft = Draft(booking, occupations, actor, token_hash(token), fact, due, wish.override)
    return draft, token, choice


def _window(plan: Plan | None, wish: Wish) -> Window:
    """The stay with its buffers; without a plan, the longest there can be, and all days it may belong to.

    Raises:
        SlotTooSoon, SlotTooFarAhead: the calendar of this platform does not reach that far.
    """
    utc_day = datetime.fromtimestamp(wish.start, UTC).date()
    if utc_day < FIRST_DAY:
        raise SlotTooSoon
    if utc_day > LAST_DAY:
        raise SlotTooFarAhead
    offering = plan.offerings.get(wish.offering_id) if plan else None
    if plan and offering:
        service_date = exceptions.service_date_of(plan, offering, wish.start, waived=wish.waived)
        if service_date is not None:
            until = wish.start + offering.occupied_minutes * 60
            since = wish.start - offering.buffer_before_minutes * 60
            return Window((service_date,), since, until, placements=bool(plan.pacing))
    days = tuple(utc_day + timedelta(days=shift) for shift in (-2, -1, 0, 1))
    return Window(days, wish.start - _DAY, wish.start + _DAY, placements=True)


def _window_of_day(plan: Plan, wish: Wish, service_date: date) -> Window:
    """All that bookings of a service day may have, for those that might move; and the stay itself."""
    whole = window_of_day(plan, service_date)
    stay = _window(plan, wish)
    return replace(whole, start=min(whole.start, stay.start), end=max(whole.end, stay.end))
