"""Seating a booking anew inside a transaction that has locked its day. The only place that moves one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import exceptions, solver
from booking.domain.blocks import Block
from booking.domain.bookings import Booking
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.demands import Demand
from booking.domain.occupancy import Allocation, Occupied
from booking.domain.overrides import Rule
from booking.domain.refusals import NoTableForParty, SlotTaken, SlotTooFarAhead, SlotTooSoon
from booking.domain.solver import Choice
from booking.store import blocks as block_store
from booking.store import bookings as store
from booking.store import days as day_store
from booking.store.days import Days, Window
from booking.usecases import holds
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


async def seat(tx: Transaction, days: Days, booking: Booking, wanted: Wanted = ANYWHERE) -> Booking:
    """Leaves what the booking occupies and takes what is free in its time. A pinned one keeps its resources.

    Raises:
        SlotTaken: it is occupied; nothing was written.
        ResourceNotFound, NoTableForParty: the resources that staff chose are not of the venue, or too few.
        Lost: somebody was quicker.
    """
    choice = await choose(tx, days, booking, wanted, leaving={booking.id})
    if choice is None:
        raise SlotTaken
    await holds.make_room(tx, choice, now=days.now)
    await store.release(tx, booking.id)
    booking = booking.seated_at(choice.resource_ids)
    await store.occupy(tx, booking, choice.occupations)
    return booking


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


def _demands(days: Days, booking: Booking, wanted: Wanted) -> Sequence[Demand]:
    """What the booking needs where it is to sit, for as long as it stays."""
    plan, start = days.plan, int(booking.start.timestamp())
    offering = plan.offering(booking.offering_id)
    any_size = booking.party.any_size or Rule.PARTY_SIZE in wanted.waived
    party = replace(booking.party, any_size=any_size)
    chosen = wanted.resource_ids or (booking.resource_ids if booking.pinned else ())
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
