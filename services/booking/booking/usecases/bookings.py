"""Making a booking: plan on a snapshot, commit in one statement, plan again for whoever was slower."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Choice, Plan, SlotClosed, SlotTaken, SlotTooFarAhead, SlotTooSoon
from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    BookingNotFound,
    DepositPayment,
    Wish,
    new_token,
    token_hash,
)
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.offerings import (
    DAY_MINUTES,
)
from booking.domain.venues import (
    VenueRef,
)
from booking.events.bookings import booking_made
from booking.store import bookings as store
from booking.store import commits
from booking.store import days as day_store
from booking.store.commits import Draft
from booking.store.days import Days, Lost, Window
from booking.usecases import holds
from booking.usecases.deposits import ask_deposit
from booking.usecases.directory import Place, find_own_venue, find_place
from servicekit import idempotency, ids, outbox, timers
from servicekit.errors import Busy
from servicekit.identity import Caller, CallerKind
from servicekit.paging import Page

_UNLOCKED_ATTEMPTS = 2
_ATTEMPTS = 6
_REPEATED_LINKS = 5
"""How many links from repeated answers about one booking go on working."""
_GRACE = timedelta(seconds=2)
"""How long after a hold's end its timer rings: a payment on its way then has arrived as a rule."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new booking, the secret of its link, and how its deposit is paid."""

    booking: Booking
    manage_token: str
    payment: DepositPayment | None


async def create_booking(app: App, ref: VenueRef, wish: Wish, *, caller: Caller) -> Made:
    """Books a start: confirmed at once, or held until its deposit is paid.

    The same booking again, with a further link, for the same Idempotency-Key. The payment is asked for after
    the booking is safe; when payment is down, the hold stays and a repeated call asks again.

    Raises:
        VenueNotFound, OfferingNotFound: nobody offers that.
        SlotClosed, SlotTooSoon, SlotTooFarAhead, NoTableForParty: the start cannot be booked by anybody.
        SlotTaken: everything is occupied.
        Busy: too many others book the same day.
        Unavailable: payment is down.
    """
    place = await find_place(app, ref)
    booking, token = await _book(app, place, wish, _actor(caller, place))
    return Made(booking, token, await ask_deposit(app, place.organization, booking))


def _actor(caller: Caller, place: Place) -> Actor:
    """A member of another organization is a guest like any other."""
    if caller.kind is CallerKind.MEMBER and caller.organization == place.organization:
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
    draft, token, choice = _draft(app, place, wish, actor, days)
    if choice.evicted:
        return await _plan_locked(app, place, wish, actor)
    await commits.commit_booking(app.db, place.organization, draft, days, key=key, guarded=app.guarded)
    outbox.nudge()
    timers.nudge()
    return draft.booking, token


async def _plan_locked(app: App, place: Place, wish: Wish, actor: Actor) -> tuple[Booking, str]:
    """Behind everybody else who changes the day, so that the plan holds; makes room from expired holds."""
    key = idempotency.key()
    async with app.db.begin(place.organization) as tx:
        known = app.plans.get(place.venue_id)
        if known is None:
            raise Lost
        service_date = known.service_date(known.offering(wish.offering_id), wish.start)
        if service_date is None:
            raise SlotClosed
        await day_store.lock_days(tx, place.venue_id, {service_date})
        days = await day_store.read_days_in(tx, app.plans, place.venue_id, _window(known, wish), key=key)
        earlier = days.earlier_booking
        if earlier is None:
            if days.plan is not known:
                raise Lost
            draft, token, choice = _draft(app, place, wish, actor, days)
            await holds.evict(tx, choice, now=days.now)
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


def _draft(app: App, place: Place, wish: Wish, actor: Actor, days: Days) -> tuple[Draft, str, Choice]:
    """What to write, the secret of the link, and where the party is seated."""
    plan = days.plan
    offering = plan.offering(wish.offering_id)
    service_date, end = availability.bookable_service_date(
        plan, offering, start=wish.start, party_size=wish.party_size, now=int(days.now.timestamp())
    )
    seatings = plan.seatings_for(offering, wish.party_size)
    choice = availability.choose(seatings, start=wish.start, end=end, allocations=days.allocations)
    if choice is None:
        raise SlotTaken
    booking = Booking.promise(
        ids.new(),
        wish,
        venue_id=place.venue_id,
        time_zone=plan.zone.key,
        offering=offering,
        service_date=service_date,
        end=end,
        resource_ids=choice.seating.resource_ids,
        hold_ttl=app.hold_ttl,
        now=days.now,
    )
    token = new_token()
    timer = (holds.HOLD_EXPIRY, booking.hold_expires_at + _GRACE) if booking.hold_expires_at else None
    return Draft(booking, actor, token_hash(token), booking_made(booking), timer), token, choice


def _window(plan: Plan | None, wish: Wish) -> Window:
    """The stay, or without a plan the longest there can be; and the days that a start may belong to anywhere.

    Raises:
        SlotTooSoon, SlotTooFarAhead: the calendar of this platform does not reach that far.
    """
    utc_day = datetime.fromtimestamp(wish.start, UTC).date()
    if utc_day < FIRST_DAY:
        raise SlotTooSoon
    if utc_day > LAST_DAY:
        raise SlotTooFarAhead
    days = tuple(utc_day + timedelta(days=shift) for shift in (-2, -1, 0, 1))
    offering = plan.offerings.get(wish.offering_id) if plan else None
    minutes = offering.turn_minutes(wish.party_size) if offering else None
    return Window(days, wish.start, wish.start + (minutes or DAY_MINUTES) * 60)
