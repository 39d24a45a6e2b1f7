"""Seating a booking anew inside a transaction that has locked its day. The only place that moves one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability, exceptions, solver
from booking.domain.blocks import Block
from booking.domain.bookings import Booking
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.demands import Demand
from booking.domain.floor import Channel
from booking.domain.occupancy import Allocation, Occupied
from booking.domain.overrides import Rule
from booking.domain.refusals import NoTableForParty, SlotTaken, SlotTooFarAhead, SlotTooSoon
from booking.domain.solver import Choice
from booking.store import blocks as block_store
from booking.store import bookings as store
from booking.store import days as day_store
from booking.store.days import Days, Lost, Window
from booking.usecases import holds
from booking.usecases.windows import window_of_day
from servicekit.database import Transaction

_DAY = 86_400
_LONGEST = timedelta(days=1)
"""No visit is longer, with its buffers."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where a booking is to sit; without resources the engine chooses."""

    resource_ids: tuple[UUID, ...] = ()
    waived: Collection[Rule] = ()


ANYWHERE = Wanted()


async def read(app: App, tx: Transaction, booking: Booking, start: int) -> Days:
    """What a plan for the booking at `start` (epoch seconds) is made on.

    Raises:
        SlotTooSoon, SlotTooFarAhead: the calendar of this platform does not reach that far.
    """
    utc_day = datetime.fromtimestamp(start, UTC).date()
    if utc_day < FIRST_DAY:
        raise SlotTooSoon
    if utc_day > LAST_DAY:
        raise SlotTooFarAhead
    days = (booking.service_date, *(utc_day + timedelta(days=shift) for shift in (-2, -1, 0, 1)))
    window = Window(days, start - _DAY, start + _DAY, placements=True)
    return await day_store.read_days_in(tx, app.plans, booking.venue_id, window)


async def seat(
    tx: Transaction,
    days: Days,
    booking: Booking,
    wanted: Wanted = ANYWHERE,
    *,
    others_may_move: App | None = None,
) -> Booking:
    """Leaves what the booking occupies and takes what is free in its time. A pinned one keeps its resources.

    With `others_may_move`, where nothing is free and the engine may choose, others who are to come make room
    as for a new booking.

    Raises:
        SlotTaken: it is occupied; nothing was written.
        ResourceNotFound, NoTableForParty: the resources that staff chose are not of the venue, or too few.
        Lost: somebody was quicker.
    """
    choice = await choose(tx, days, booking, wanted, leaving={booking.id})
    if choice is None and others_may_move and not _chosen(booking, wanted):
        choice = await with_others_moved(
            others_may_move,
            tx,
            days=days,
            venue_id=booking.venue_id,
            service_date=booking.service_date,
            demands=_demands(days, booking, wanted),
            start=int(booking.start.timestamp()),
            leaving=booking.id,
        )
    if choice is None:
        raise SlotTaken
    await store.release(tx, booking.id)  # first: whoever is moved may have its seats
    await holds.make_room(tx, choice, now=days.now)
    booking = booking.seated_at(choice.resource_ids)
    await store.occupy(tx, booking, choice.occupations)
    return booking


def refuse_if_paced(days: Days, booking: Booking, channel: Channel) -> None:
    """Lets a booking begin where the venue's rules of pacing do, by the limits of a channel.

    Raises PartyBeyondPace, SlotPaced.
    """
    others = [each for each in days.placements if each.booking_id != booking.id]
    availability.refuse_if_paced(
        days.plan,
        days.plan.offering_of(booking.offering_id),
        booking.service_date,
        start=int(booking.start.timestamp()),
        party=replace(booking.party, channel=channel),
        taken=replace(days.taken, placements=others),
    )


async def is_free(tx: Transaction, days: Days, booking: Booking, wanted: Wanted) -> bool:
    """Whether `seat` would find room. Raises like it."""
    return await choose(tx, days, booking, wanted, leaving={booking.id}) is not None


async def choose(
    tx: Transaction, days: Days, booking: Booking, wanted: Wanted, *, leaving: Collection[UUID]
) -> Choice | None:
    """Where the booking can sit in its time once all of `leaving` are gone; None when nowhere.

    Blocks count in full, also where bookings lie in them that came first. Raises ResourceNotFound,
    NoTableForParty.
    """
    demands = _demands(days, booking, wanted)
    if not demands:
        raise NoTableForParty
    blocks = await block_store.list_touching(
        tx, booking.venue_id, booking.start - _LONGEST, booking.start + _LONGEST
    )
    blocked = [allocation for block in blocks for allocation in _blocked(block)]
    since = booking.room_from(tx.now)
    return solver.choose(
        demands,
        int(booking.start.timestamp()),
        Occupied([*days.allocations, *blocked], without=leaving),
        since=int(since.timestamp()) if since != booking.start else None,
    )


async def with_others_moved(
    app: App,
    tx: Transaction,
    *,
    days: Days,
    venue_id: UUID,
    service_date: date,
    demands: Sequence[Demand],
    start: int,
    leaving: UUID | None = None,
    sitting: Sequence[Allocation] = (),
) -> Choice | None:
    """Where a visit from `start` (epoch seconds) on sits with others of its service day at other seats.

    As if `leaving` were not there, and where nobody is `sitting`. None when that does not help either, or the
    venue does not want it.

    Raises:
        Lost: the venue has changed since `days` was read.
    """
    if not days.plan.reseating:
        return None
    whole = window_of_day(days.plan, service_date)
    window = replace(whole, start=min(whole.start, start - _DAY), end=max(whole.end, start + _DAY))
    day = await day_store.read_days_in(tx, app.plans, venue_id, window)
    if day.plan is not days.plan:
        raise Lost
    taken = day.taken.without(leaving) if leaving else day.taken
    taken = replace(taken, allocations=[*taken.allocations, *sitting])
    return availability.rearrange(day.plan, demands, service_date, start=start, taken=taken)


def _chosen(booking: Booking, wanted: Wanted) -> tuple[UUID, ...]:
    """The resources that it has to have; none where the engine may choose."""
    return wanted.resource_ids or (booking.resource_ids if booking.pinned else ())


def _demands(days: Days, booking: Booking, wanted: Wanted) -> Sequence[Demand]:
    """What the booking needs where it is to sit, for as long as it stays."""
    plan, start = days.plan, int(booking.start.timestamp())
    offering = plan.offering_of(booking.offering_id)
    any_size = booking.party.any_size or Rule.PARTY_SIZE in wanted.waived
    party = replace(booking.party, any_size=any_size)
    chosen = _chosen(booking, wanted)
    if chosen:
        demands = exceptions.chosen_demands(plan, offering, chosen, party, booking.service_date)
    else:
        now = int(days.now.timestamp())
        demands = plan.demands_at(offering, party, booking.service_date, start=start, now=now)
    end = int(booking.end.timestamp())
    return exceptions.lasting_until(offering, demands, party, booking.service_date, start=start, end=end)


def _blocked(block: Block) -> list[Allocation]:
    start, end = int(block.start.timestamp()), int(block.end.timestamp())
    return [Allocation(each, start, end, block.id, live=True) for each in block.resource_ids]
