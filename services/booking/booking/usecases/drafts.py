"""Planning a booking on a snapshot, for whoever commits it afterwards. Writes nothing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability, exceptions
from booking.domain.availability import Plan
from booking.domain.bookings import Actor, Booking, Wish, new_token, token_hash
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.floor import Channel
from booking.domain.overrides import Rule
from booking.domain.refusals import SlotTooFarAhead, SlotTooSoon
from booking.domain.solver import Choice
from booking.events.bookings import booking_made
from booking.store.commits import Draft
from booking.store.days import Days, Window
from booking.usecases import deadlines
from booking.usecases.directory import Place
from booking.usecases.windows import window_of_day
from servicekit import ids

_DAY = 86_400


def draft_booking(
    app: App,
    place: Place,
    wish: Wish,
    actor: Actor,
    days: Days,
    *,
    reseat: bool,
    part: tuple[UUID, date] | None = None,
) -> tuple[Draft, str, Choice | None] | None:
    """What to write, the secret of the link, and where the party is seated, if it is; None without room.

    `part`: the series that it is of, and the day of the occurrence.

    Raises:
        OfferingNotFound: the venue has no such offering.
        SlotClosed, SlotEndsTooLate, SlotTooSoon, SlotNotReleased, SlotTooFarAhead, NoTableForParty,
            NoTableAsAsked, PartyBeyondPace, SlotPaced: the rules do not let it be booked.
    """
    plan = days.plan
    offering = plan.offering(wish.offering_id)
    request = offering.terms.requests if offering.terms.asks_first(wish.party_size) else None
    if actor.is_staff:
        request = None
    seated = request is None or request.holds_capacity
    waived = wish.waived if seated else wish.waived | {Rule.PARTY_SIZE}
    channel = Channel.STAFF if actor.is_staff else Channel.ONLINE
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
        if Rule.PACING not in waived:
            availability.refuse_if_paced(plan, offering, service_date, start=at, party=party, taken=taken)
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
    if part:
        booking = booking.of_series(*part)
    token = new_token()
    fact = booking_made(booking)
    occupations = choice.occupations if choice else ()
    due = deadlines.deadline(booking)
    draft = Draft(booking, occupations, actor, token_hash(token), fact, due, wish.override)
    return draft, token, choice


def window_of_stay(plan: Plan | None, wish: Wish) -> Window:
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


def window_of_day_of(plan: Plan, wish: Wish, service_date: date) -> Window:
    """All that bookings of a service day may have, for those that might move; and the stay itself."""
    whole = window_of_day(plan, service_date)
    stay = window_of_stay(plan, wish)
    return replace(whole, start=min(whole.start, stay.start), end=max(whole.end, stay.end))
