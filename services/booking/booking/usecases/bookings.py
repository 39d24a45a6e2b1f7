"""Making a booking: plan on a snapshot, commit in one statement, plan again for whoever was slower."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import exceptions
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
from booking.domain.floor import Channel
from booking.domain.overrides import OverrideDenied
from booking.domain.refusals import SlotClosed, SlotTaken
from booking.domain.venues import (
    VenueRef,
)
from booking.store import bookings as store
from booking.store import commits
from booking.store import days as day_store
from booking.store.days import Days, Lost
from booking.usecases import holds
from booking.usecases.directory import Place, channel_of, find_own_venue, find_place, staff
from booking.usecases.drafts import draft_booking, window_of_day_of, window_of_stay
from booking.usecases.requests import ask_deposit
from servicekit import idempotency, outbox, timers
from servicekit.errors import Busy
from servicekit.identity import Caller
from servicekit.paging import Page

_UNLOCKED_ATTEMPTS = 2
_ATTEMPTS = 6
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
        Inconsistent: a guest gives no e-mail address.
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
    if not actor.is_staff:
        if wish.override:
            raise OverrideDenied
        wish.guest.refuse_unless_mailable()
    if wish.local_start:
        async with app.db.begin(place.organization) as tx:
            zone = (await find_own_venue(tx, VenueRef(place.venue_id))).time_zone
        wish = wish.resolved(ZoneInfo(zone))
    booking, token = await _book(app, place, wish, actor)
    return Made(booking, token, await ask_deposit(app, place.organization, booking))


def _actor(caller: Caller, place: Place) -> Actor:
    if channel_of(caller, place) is Channel.STAFF:
        return staff(caller)
    if caller.key and caller.organization == place.organization:
        return Actor(ActorKind.CONNECTOR, caller.key)
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
        found, token = await store.page_of_bookings(tx, venue.id, day, page)
    return [booking.as_of(tx.now) for booking in found], token


async def list_history(
    app: App, organization: UUID, booking_id: UUID, page: Page
) -> tuple[Booking, list[Change], str]:
    """A booking, a page of what happened to it, oldest first, and the next token. Raises BookingNotFound."""
    async with app.db.begin(organization) as tx:
        booking = await holds.see_booking(tx, booking_id)
        return booking, *await store.page_of_changes(tx, booking_id, page)


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
    window = window_of_stay(known, wish)
    days = await day_store.read_days(app.db, app.plans, place.organization, place.venue_id, window, key=key)
    if days.earlier_booking:
        return await _made_before(app, place.organization, days.earlier_booking)
    if known is not None and days.plan is not known:
        raise Lost
    planned = draft_booking(app, place, wish, actor, days, reseat=False)
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
    window = window_of_day_of(seen.plan, wish, service_date)
    days = await day_store.read_days(
        app.db, app.plans, place.organization, place.venue_id, window, key=idempotency.key()
    )
    if days.plan is not seen.plan:
        raise Lost
    if not days.earlier_booking and draft_booking(app, place, wish, actor, days, reseat=True) is None:
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
        window = window_of_day_of(known, wish, service_date)
        days = await day_store.read_days_in(tx, app.plans, place.venue_id, window, key=key)
        earlier = days.earlier_booking
        if earlier is None:
            if days.plan is not known:
                raise Lost
            planned = draft_booking(app, place, wish, actor, days, reseat=True)
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
    idempotency.repeat()
    token = new_token()
    async with app.db.begin(organization) as tx:
        booking = await store.lock_booking(tx, booking_id)  # alone, so nobody waits in a circle
        if booking is None:
            raise BookingNotFound
        await store.insert_repeated_token(tx, booking_id, token_hash(token), most=_REPEATED_LINKS)
        return booking.as_of(tx.now), token
