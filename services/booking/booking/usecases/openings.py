"""Room for those who wait: the only place that looks for it, with the engine and the rules of everybody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from uuid import UUID

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Slot
from booking.domain.floor import Party
from booking.domain.refusals import REFUSED_AS, Refusal
from booking.domain.solver import Choice
from booking.domain.waitlist import Ask, Entry, SlotAvailable
from booking.store import days as day_store
from booking.store.days import Days, Window
from servicekit.database import Transaction

_BEFORE, _AFTER = timedelta(days=1), timedelta(days=4)
"""In whatever zone: a service day's starts reach into the second night, and a stay lasts a day at most."""
_SOLD_OUT = (Refusal.FULLY_BOOKED, Refusal.OCCUPIED, Refusal.PACING)
_NOT_ON_SALE = (Refusal.NOT_RELEASED, Refusal.TOO_FAR_AHEAD)
_HOPELESS = (
    Refusal.NO_TABLE_FOR_PARTY,
    Refusal.NO_TABLE_AS_ASKED,
    Refusal.PARTY_BEYOND_PACE,
    Refusal.MUST_FINISH,
    Refusal.NOTICE,
    Refusal.CLOSED,
)


Searched: TypeAlias = dict[tuple[UUID, Party], list[Slot]]
"""What was found for an offering and a party, so that many who wait for the same are searched for once."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A start that suits an entry, and where the party would sit."""

    entry: Entry
    service_date: date
    slot: Slot
    choice: Choice


async def read(app: App, tx: Transaction, venue_id: UUID, first: date, last: date) -> Days:
    """What plans for the starts of some service days are made on. Raises VenueNotFound."""
    start = datetime.combine(first, time(), UTC) - _BEFORE
    end = datetime.combine(last, time(), UTC) + _AFTER
    span = (last - first).days
    days = tuple(first + timedelta(days=number) for number in range(span + 1))
    window = Window(days, int(start.timestamp()), int(end.timestamp()), placements=True)
    return await day_store.read_days_in(tx, app.plans, venue_id, window)


def first_opening(
    days: Days,
    entries: Iterable[Entry],
    service_date: date,
    *,
    declined: Mapping[UUID, set[int]],
    searched: Searched,
    start: int | None = None,
    by_staff: bool = False,
) -> Opening | None:
    """The first of `entries` that fits on a service day, at the first start that suits it; or at `start`.

    A party that would have to ask first gets its answer from staff, and no offer by itself. What overlaps
    a stay that an entry has `declined`, by its start, is not offered to it: the next in line has it.
    `searched` keeps what was found on these `days` for the next ones in line.
    """
    for entry in entries:
        ask, offering = entry.ask, days.plan.offerings.get(entry.ask.offering_id)
        if offering is None or (offering.terms.asks_first(ask.party_size) and not by_staff):
            continue
        kind = (ask.offering_id, ask.party)
        if kind not in searched:
            searched[kind] = _slots(days, ask, service_date)
        no_more = declined.get(entry.id, set())
        for slot in ask.choose(days.plan.zone, service_date, searched[kind], declined=no_more):
            if slot.refusal is None and start in (None, slot.start):
                choice = availability.choose(
                    days.plan,
                    offering,
                    service_date,
                    start=slot.start,
                    party=ask.party,
                    taken=days.taken,
                    now=int(days.now.timestamp()),
                )
                if choice:
                    return Opening(entry, service_date, slot, choice)
    return None


def refuse_unless_sold_out(days: Days, ask: Ask) -> None:
    """Lets a wish pass that nothing is free for, and that something may become free for.

    What is not on sale yet is not waited for.

    Raises:
        OfferingNotFound: the venue does not have it.
        SlotAvailable: the wish can be booked.
        SlotNotReleased, SlotTooFarAhead: some of it is not on sale yet.
        NoTableForParty, NoTableAsAsked, PartyBeyondPace, SlotEndsTooLate, SlotTooSoon, SlotClosed: nothing of
            it could ever be offered.
    """
    days.plan.offering(ask.offering_id)
    found: list[Slot] = []
    for day in ask.dates:
        found += ask.choose(days.plan.zone, day, _slots(days, ask, day))
    bookable = next((slot for slot in found if slot.refusal is None), None)
    if bookable:
        moment = datetime.fromtimestamp(bookable.start, days.plan.zone)
        raise SlotAvailable(metadata={"start": moment.isoformat()})
    refusals = {slot.refusal for slot in found}
    sold_out = not refusals.isdisjoint(_SOLD_OUT)
    for refusal in _NOT_ON_SALE if sold_out else (*_NOT_ON_SALE, *_HOPELESS):
        if refusal in refusals:
            raise REFUSED_AS[refusal]
    if not sold_out:
        raise REFUSED_AS[Refusal.CLOSED]


def _slots(days: Days, ask: Ask, service_date: date) -> list[Slot]:
    return availability.search(
        days.plan,
        [days.plan.offering(ask.offering_id)],
        service_date,
        party=ask.party,
        taken=days.taken,
        now=int(days.now.timestamp()),
        asking=False,
    )
