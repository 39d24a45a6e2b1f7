"""Which starts a party can have, why not the others, and where it sits. Pure: a plan and what is taken in."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import solver
from booking.domain.crowd import Crowd, Movable
from booking.domain.demands import Demand, demands_of
from booking.domain.floor import Channel, Party, Seating, seatings_of
from booking.domain.hours import Hours
from booking.domain.occupancy import Occupied
from booking.domain.offerings import Offering, OfferingNotFound
from booking.domain.pacing import Pace, PacingRule
from booking.domain.placements import Placement, PlacementsUnread, Taken
from booking.domain.refusals import REFUSED_AS, Refusal, SlotClosed, SlotTooSoon
from booking.domain.reseating import LIMITS, Limits, make_room
from booking.domain.solver import Choice
from booking.domain.venues import Combination, Resource
from servicekit.money import Money

_MOST_DEMANDS = 4_096


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a venue that decides what can be booked, as of one version of it."""

    version: int
    hours: Hours
    seatings: tuple[Seating, ...]
    """Fewest resources first."""
    offerings: Mapping[UUID, Offering]
    pacing: tuple[PacingRule, ...] = ()
    reseating: bool = True
    """Whether parties that are to come may be moved to let another one in."""
    retired: Mapping[UUID, Offering] = field(default_factory=dict)
    """What is off sale: for bookings that were made of it."""
    _demands: OrderedDict[tuple[UUID, Party, int, bool], tuple[Demand, ...]] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )
    """What was computed last: parties of few sizes ask again and again."""

    @classmethod
    def of(
        cls,
        version: int,
        *,
        hours: Hours,
        resources: Iterable[Resource],
        combinations: Iterable[Combination],
        offerings: Collection[Offering],
        pacing: Iterable[PacingRule] = (),
        reseating: bool = True,
    ) -> "Plan":
        """Puts the plan of a venue together."""
        return cls(
            version=version,
            hours=hours,
            seatings=seatings_of(resources, combinations),
            offerings={offering.id: offering for offering in offerings if not offering.retired},
            pacing=tuple(pacing),
            reseating=reseating,
            retired={offering.id: offering for offering in offerings if offering.retired},
        )

    @property
    def zone(self) -> ZoneInfo:
        """The venue's zone."""
        return self.hours.zone

    @property
    def needs_placements(self) -> bool:
        """Whether a search has to know the bookings of the day besides what is occupied."""
        return self.reseating or bool(self.pacing)

    def offering(self, offering_id: UUID) -> Offering:
        """What can be booked. Raises OfferingNotFound for one that the venue never had, or took off sale."""
        found = self.offerings.get(offering_id)
        if found is None:
            raise OfferingNotFound
        return found

    def offering_of(self, offering_id: UUID) -> Offering:
        """What a booking was made of, also when it is off sale by now. Raises OfferingNotFound."""
        return self.retired.get(offering_id) or self.offering(offering_id)

    def starts(self, offering: Offering, service_date: date) -> Sequence[int]:
        """The starts of a service day, rising."""
        return self.hours.starts(offering, service_date)

    def service_date(self, offering: Offering, start: int) -> date | None:
        """The service day that a start belongs to; None when the offering has no such start."""
        return self.hours.service_date(offering, start)

    def demands(
        self, offering: Offering, party: Party, service_date: date, *, last_fill: bool = False
    ) -> tuple[Demand, ...]:
        """What a visit of a party needs on a service day; empty when nothing here ever takes it.

        `last_fill`: it is so late that a small party may have a large table online.
        """
        key = offering.id, party, service_date.isoweekday(), last_fill
        found = self._demands.get(key)
        if found is None:
            found = self._demands[key] = self._compute(offering, party, service_date, last_fill=last_fill)
            if len(self._demands) > _MOST_DEMANDS:
                self._demands.popitem(last=False)
        return found

    def demands_at(
        self, offering: Offering, party: Party, service_date: date, *, start: int, now: int
    ) -> tuple[Demand, ...]:
        """The same for one start (epoch seconds) as things are `now`."""
        last_fill = start <= now + offering.filling.last_fill_minutes * 60
        return self.demands(offering, party, service_date, last_fill=last_fill and fills(offering, party))

    def takes(self, offering: Offering, party: Party, service_date: date) -> bool:
        """Whether an empty house takes the party on a service day, sooner or later."""
        return bool(
            self.demands(offering, party, service_date)
            or (fills(offering, party) and self.demands(offering, party, service_date, last_fill=True))
        )

    def against(self, offering: Offering, party: Party, service_date: date) -> Refusal | None:
        """Why an empty house never takes the party on a service day: its size, or what it asks for."""
        if self.takes(offering, party, service_date):
            return None
        anywhere = replace(party, area_id=None, attributes=frozenset())
        if anywhere != party and self.takes(offering, anywhere, service_date):
            return Refusal.NO_TABLE_AS_ASKED
        return Refusal.NO_TABLE_FOR_PARTY

    def refuse_unless_taken(self, offering: Offering, party: Party, service_date: date) -> None:
        """Raises NoTableForParty or NoTableAsAsked for a party that an empty house never takes."""
        refusal = self.against(offering, party, service_date)
        if refusal is not None:
            raise REFUSED_AS[refusal]

    def _compute(
        self, offering: Offering, party: Party, service_date: date, *, last_fill: bool
    ) -> tuple[Demand, ...]:
        bound = party.channel is Channel.ONLINE and not last_fill
        demands = demands_of(
            offering,
            self.seatings,
            party,
            weekday=service_date.isoweekday(),
            most_empty=offering.filling.max_empty_seats if bound else None,
        )
        possible = solver.assign(demands, [each.candidates for each in demands]) is not None
        return demands if possible else ()


class Slot(NamedTuple):
    """A start of an offering and what becomes of it for a party."""

    start: int
    end: int
    offering: Offering
    refusal: Refusal | None
    """None when it can be booked, or asked for."""
    deposit: Money | None
    asks_first: bool = False
    """Whether a booking of it is a request that staff answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found. Equal to nothing but itself, so that what is made of it can be kept with it."""

    zone: ZoneInfo
    slots: list[Slot]
    notes: list[str]
    """What the venue tells everybody about the day."""


def search(
    plan: Plan,
    offerings: Iterable[Offering],
    service_date: date,
    *,
    party: Party,
    taken: Taken,
    now: int,
    limits: Limits = LIMITS,
    asking: bool = True,
) -> list[Slot]:
    """The starts of a service day by time.

    Room that is there only when others move is found as well, within `limits` for each start: within those of
    `choose`, a start is shown if and only if it can be booked.

    With `asking`, a party that has to ask first finds what it may ask for: where requests keep no room, every
    start that the hours allow. Without, it finds where there is room for it.

    Raises PlacementsUnread when `taken` has no placements, and they matter.
    """
    occupied = Occupied(taken.allocations)
    if taken.placements is None and occupied.has_expired:  # a block may wait for such a hold to be cleared
        raise PlacementsUnread
    pace = _pace(plan, service_date, taken)
    crowd: Crowd | None = None
    slots: list[Slot] = []
    for offering in offerings:
        starts = plan.starts(offering, service_date)
        stay = stay_seconds(offering, party.size, service_date)
        asks_first = party.channel is Channel.ONLINE and offering.terms.asks_first(party.size)
        unkept = asking and asks_first and not offering.terms.keeps_room
        never = plan.against(offering, replace(party, any_size=True) if unkept else party, service_date)
        free = _free(plan, offering, service_date, party=party, starts=starts, occupied=occupied, now=now)
        deposit = offering.deposit_for(party.size)
        day = plan.hours.day(offering, service_date)
        unhindered = day.unhindered_from(plan.zone, now)
        for number, start in enumerate(starts):
            refusal = None
            if unhindered is None or start < unhindered:
                refusal = next(day.refusals(plan.zone, start=start, end=start + stay, now=now), None)
            refusal = refusal or never
            if refusal is None and not unkept:
                refusal = pace.refusal(offering.id, start, party)
            if refusal is None and not unkept and not free >> number & 1:
                refusal = Refusal.FULLY_BOOKED
                if plan.reseating:
                    crowd = crowd or Crowd(occupied, _movables(plan, service_date, taken.known_placements))
                    demands = plan.demands_at(offering, party, service_date, start=start, now=now)
                    room = make_room(demands, start, crowd, limits)
                    refusal = None if isinstance(room, Choice) else room
            slots.append(Slot(start, start + stay, offering, refusal, deposit, asks_first))
    slots.sort(key=lambda slot: (slot.start, slot.offering.name))
    return slots


def choose(
    plan: Plan,
    offering: Offering,
    service_date: date,
    *,
    start: int,
    party: Party,
    taken: Taken,
    now: int,
    reseat: bool = True,
    limits: Limits = LIMITS,
) -> Choice | None:
    """Where a party sits from `start` (epoch seconds) on; None when there is no room.

    Moves others only where nothing is free, and where the venue and the caller want it.
    """
    occupied = Occupied(taken.allocations)
    demands = plan.demands_at(offering, party, service_date, start=start, now=now)
    choice = solver.choose(demands, start, occupied)
    if choice is None and reseat:
        choice = rearrange(plan, demands, service_date, start=start, taken=taken, limits=limits)
    return choice


def rearrange(
    plan: Plan,
    demands: Sequence[Demand],
    service_date: date,
    *,
    start: int,
    taken: Taken,
    limits: Limits = LIMITS,
) -> Choice | None:
    """Where a visit with these demands sits when others of its day move; None when that does not help.

    Moves nobody where the venue does not want it.
    """
    if not demands or not plan.reseating:
        return None
    crowd = Crowd(Occupied(taken.allocations), _movables(plan, service_date, taken.known_placements))
    room = make_room(demands, start, crowd, limits)
    return room if isinstance(room, Choice) else None


def refuse_if_paced(
    plan: Plan, offering: Offering, service_date: date, *, start: int, party: Party, taken: Taken
) -> None:
    """Lets a party begin (epoch seconds) where the venue's rules of pacing do.

    Raises:
        PartyBeyondPace: they never let in such a party.
        SlotPaced: too many others begin around then.
    """
    refusal = _pace(plan, service_date, taken).refusal(offering.id, start, party)
    if refusal is not None:
        raise REFUSED_AS[refusal]


def bookable_service_date(
    plan: Plan, offering: Offering, *, start: int, party: Party, now: int
) -> tuple[date, int]:
    """The service day of a start that the rules allow, and the end of the stay (epoch seconds).

    Raises:
        SlotClosed, SlotEndsTooLate, SlotTooSoon, SlotNotReleased, SlotTooFarAhead, NoTableForParty,
            NoTableAsAsked: the first that holds, in the order of `search`.
    """
    service_date = plan.service_date(offering, start)
    if service_date is None:
        raise SlotTooSoon if start < now else SlotClosed
    end = start + stay_seconds(offering, party.size, service_date)
    refusal = plan.hours.refusal(offering, service_date, start=start, end=end, now=now)
    if refusal is not None:
        raise REFUSED_AS[refusal]
    plan.refuse_unless_taken(offering, party, service_date)
    return service_date, end


def stay_seconds(offering: Offering, party_size: int, service_date: date) -> int:
    """How long a party stays. One larger than every turn time is shown with the longest; it cannot book."""
    return (offering.stay_minutes(party_size, service_date) or offering.stay_of_largest(service_date)) * 60


def _pace(plan: Plan, service_date: date, taken: Taken) -> Pace:
    placements = taken.known_placements if plan.pacing else ()
    return Pace(plan.zone, service_date, plan.pacing, placements)


def _free(
    plan: Plan,
    offering: Offering,
    service_date: date,
    *,
    party: Party,
    starts: Sequence[int],
    occupied: Occupied,
    now: int,
) -> int:
    """A bit for each start at which the party finds room without anybody moving."""
    free = solver.free_starts(starts, plan.demands(offering, party, service_date), occupied)
    if not fills(offering, party):
        return free
    loose = plan.demands(offering, party, service_date, last_fill=True)
    until = now + offering.filling.last_fill_minutes * 60
    soon = sum(1 << number for number, start in enumerate(starts) if start <= until)
    return (free & ~soon) | (solver.free_starts(starts, loose, occupied) & soon)


def fills(offering: Offering, party: Party) -> bool:
    """Whether it matters to a party how soon its start is."""
    filling = offering.filling
    return (
        party.channel is Channel.ONLINE
        and filling.max_empty_seats is not None
        and bool(filling.last_fill_minutes)
    )


def _movables(
    plan: Plan, service_date: date, placements: Iterable[Placement]
) -> Callable[[UUID], Movable | None]:
    """What the bookings of a service day need that may sit elsewhere.

    One whose length or start is not what its offering says any more stays where it is.
    """
    by_id = {each.booking_id: each for each in placements if each.movable}
    known: dict[UUID, Movable | None] = {}
    stays: dict[tuple[UUID, int], int | None] = {}
    dates: dict[tuple[UUID, int], date | None] = {}

    def movable(booking_id: UUID) -> Movable | None:
        if booking_id not in known:
            known[booking_id] = movable_now(by_id.get(booking_id))
        return known[booking_id]

    def movable_now(placement: Placement | None) -> Movable | None:
        if placement is None or placement.service_date != service_date:
            return None
        offering, size, start = (
            plan.offerings.get(placement.offering_id),
            placement.party.size,
            placement.start,
        )
        if offering is None:
            return None
        if (offering.id, size) not in stays:
            stays[offering.id, size] = offering.stay_minutes(size, service_date)
        if (offering.id, start) not in dates:
            dates[offering.id, start] = plan.service_date(offering, start)
        minutes = stays[offering.id, size]
        if (
            minutes is None
            or minutes * 60 != placement.end - start
            or dates[offering.id, start] != service_date
        ):
            return None
        demands = plan.demands(offering, placement.party, service_date)
        return Movable(start, demands) if demands else None

    return movable
