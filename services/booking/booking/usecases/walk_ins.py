"""Parties at the door: seated now or refused, whatever the hours say."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability, exceptions, solver
from booking.domain.bookings import Actor, Booking, Wish, new_token, token_hash
from booking.domain.demands import Demand, begun
from booking.domain.floor import Channel
from booking.domain.occupancy import Occupied
from booking.domain.overrides import Rule
from booking.domain.refusals import NoTableForParty, SlotTaken
from booking.domain.venues import VenueRef
from booking.events.bookings import booking_made
from booking.store import commits
from booking.store import days as day_store
from booking.store.commits import Draft
from booking.store.days import Days, Lost, Window
from booking.store.sitting import occupied_now
from booking.usecases import holds, seating
from booking.usecases.directory import find_own_venue
from booking.usecases.retries import until_first
from servicekit import idempotency, ids, outbox

_ANY_TIME = frozenset({Rule.CLOSED})
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class WalkIn:
    """A party at the door. The start of its wish is not looked at: it is now, by the database's clock."""

    wish: Wish
    resource_ids: tuple[UUID, ...] = ()
    """Where it sits; nowhere in particular lets the engine choose."""
    minutes: int = 0
    """How long it stays; 0 for as long as the offering takes."""


async def seat_walk_in(
    app: App, organization: UUID, ref: VenueRef, walk_in: WalkIn, *, actor: Actor
) -> Booking:
    """Seats a party now. The same booking again for the same Idempotency-Key.

    Where nothing is free and staff named no resources, others who are to come are moved to other seats.
    Nobody is sent to where somebody sits, be it before or after their time, unless staff say so.

    Raises:
        VenueNotFound, OfferingNotFound, ResourceNotFound: there is none.
        NoTableForParty: nothing takes a party of this size, or what staff chose does not.
        SlotTaken: everything is occupied, now or before the party would leave.
        Busy: too many others change the day.
    """
    return await until_first(lambda: _seat(app, organization, ref, walk_in, actor))


async def _seat(app: App, organization: UUID, ref: VenueRef, walk_in: WalkIn, actor: Actor) -> Booking:
    key = idempotency.key()
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        start = int(tx.now.timestamp())
        window = _window(start)
        days = await day_store.read_days_in(tx, app.plans, venue.id, window, key=key)
        if days.earlier_booking:
            return (await holds.see_booking(tx, days.earlier_booking)).as_of(tx.now)
        offering = days.plan.offering(walk_in.wish.offering_id)
        service_date = exceptions.service_date_of(days.plan, offering, start, waived=_ANY_TIME)
        assert service_date is not None  # noqa: S101  # with hours set aside, every instant has one
        await day_store.lock_days(tx, venue.id, {service_date})
        locked = await day_store.read_days_in(tx, app.plans, venue.id, window, key=key)
        if locked.plan is not days.plan:
            raise Lost
        end, demands = _needs(locked, walk_in, service_date, start)
        sitting = [] if walk_in.resource_ids else await occupied_now(tx, venue.id, now=tx.now)
        choice = solver.choose(demands, start, Occupied([*locked.allocations, *sitting]))
        if choice is None and not walk_in.resource_ids:
            choice = await seating.with_others_moved(
                app,
                tx,
                days=locked,
                venue_id=venue.id,
                service_date=service_date,
                demands=demands,
                start=start,
                sitting=sitting,
            )
        if choice is None:
            raise SlotTaken
        booking = Booking.promise(
            ids.new(),
            replace(walk_in.wish, start=start),
            venue_id=venue.id,
            time_zone=venue.time_zone,
            offering=replace(offering, deposit=None),  # who is at the door pays nothing ahead
            service_date=service_date,
            end=end,
            resource_ids=choice.resource_ids,
            hold_ttl=app.hold_ttl,
            now=tx.now,
            channel=Channel.STAFF,
        ).at_the_door(now=tx.now)
        await holds.make_room(tx, choice, now=locked.now)
        draft = Draft(
            booking,
            choice.occupations,
            actor,
            token_hash(new_token()),
            booking_made(booking),
            None,
            walk_in.wish.override,
        )
        await commits.commit_locked_booking(tx, draft, locked, key=key)
        tx.after_commit.append(outbox.nudge)
    return booking


def _needs(days: Days, walk_in: WalkIn, service_date: date, start: int) -> tuple[int, tuple[Demand, ...]]:
    """The end of the stay, and what it needs until then. Raises NoTableForParty, ResourceNotFound."""
    plan, party = days.plan, walk_in.wish.party(Channel.STAFF)
    offering = plan.offering(walk_in.wish.offering_id)
    if walk_in.resource_ids:
        demands = exceptions.chosen_demands(plan, offering, walk_in.resource_ids, party, service_date)
    else:
        demands = plan.demands(offering, party, service_date)
    if not demands:
        raise NoTableForParty
    stay = walk_in.minutes * 60 or availability.stay_seconds(offering, party.size, service_date)
    end = start + stay
    return end, begun(exceptions.lasting_until(offering, demands, party, service_date, start=start, end=end))


def _window(start: int) -> Window:
    today = datetime.fromtimestamp(start, UTC).date()
    return Window(tuple(today + timedelta(days=shift) for shift in (-2, -1, 0, 1)), start, start + _DAY)
