"""Who would have to leave for whom: seatings and bookings around a day as bits. Decides nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from booking.domain.demands import Demand
from booking.domain.floor import Seating
from booking.domain.occupancy import Occupied, Spans


@dataclass(frozen=True, slots=True)
class Movable:
    """A booking that may sit elsewhere: when it begins, and what it needs."""

    start: int
    demands: tuple[Demand, ...]


class Hope(IntEnum):
    """Whether bookings may find other seats while only so many more leave theirs. NOW promises nothing."""

    NEVER = 0
    LATER = 1
    """Not unless more leave."""
    NOW = 2


class Option(NamedTuple):
    """A seating that a demand can have once its holders have left. None of them is one who stays."""

    seating: Seating
    resources: int
    """A bit for each resource."""
    holders: int
    """A bit for each booking."""


@dataclass(frozen=True, eq=False)
class Item:
    """A demand of a newcomer (no booking) or of a booking, at its times."""

    booking_id: UUID | None
    times: Spans
    options: tuple[Option, ...]
    """Best fit first."""
    looked_at: int
    """How many seatings it has, with those that nobody leaves."""

    def held_by(self, bookings: int) -> list[Option]:
        """What only these have, or nobody; best fit first."""
        found = [each for part in _parts_of(bookings) for each in self._by_holders.get(part, ())]
        return [option for _, option in sorted(found, key=itemgetter(0))]

    @cached_property
    def _by_holders(self) -> dict[int, list[tuple[int, Option]]]:
        """With their places in the order of preference."""
        found: dict[int, list[tuple[int, Option]]] = {}
        for place, option in enumerate(self.options):
            found.setdefault(option.holders, []).append((place, option))
        return found

    def meets(self, other: "Item") -> bool:
        """Whether both need something at the same time, and so not the same."""
        return any(start < until and since < end for start, end in self.times for since, until in other.times)


class Crowd:
    """The live bookings that have something around a day. Numbers are those of the bits."""

    def __init__(self, occupied: Occupied, movable: Callable[[UUID], Movable | None]) -> None:
        """`movable` answers what a booking needs, None when it stays where it is."""
        self.occupied = occupied
        self.movable = movable
        self._bookings: list[UUID] = sorted(occupied.booking_ids(), key=lambda each: each.int)
        self._numbers = {each: number for number, each in enumerate(self._bookings)}
        self._asked = self._staying = 0
        """Bookings of which it is known whether they may move, and those that may not."""
        self._resources: dict[UUID, int] = {}
        self._held = [
            (each.start, each.end, number, self._number(each.resource_id))
            for booking_id, number in self._numbers.items()
            for each in occupied.of_booking(booking_id)
        ]
        """From, to, booking, resource."""
        self._moments: dict[int, dict[int, int]] = {}
        self._seatings: dict[int, tuple[Demand, list[tuple[Seating, list[int], int]]]] = {}
        """By identity of the demand: its candidates, the numbers of their resources, and these as bits."""
        self._items: dict[int, tuple[Item, ...]] = {}
        self._options: dict[tuple[int, int], tuple[Option, ...]] = {}
        """By identity of the demand, and start."""
        self._elsewhere: dict[int, tuple[frozenset[int], ...]] = {}
        self._hopes: dict[tuple[int, int, int], Hope] = {}

    def newcomer(self, demands: Sequence[Demand], start: int) -> list[Item]:
        """What a visit from `start` (epoch seconds) on needs."""
        return [self._item(None, demand, start) for demand in demands]

    def displaced(self, leaving: int) -> Iterator[Item]:
        """What bookings need that have to leave, by their ids."""
        for number in _numbers_of(leaving):
            yield from self._needed_by(number)

    def ways(self, leaving: int) -> int:
        """How many ways there are for bookings that have to leave."""
        return sum(len(ways) for number in _numbers_of(leaving) for ways in self.elsewhere(number))

    def elsewhere(self, number: int) -> tuple[frozenset[int], ...]:
        """For each thing that a booking needs: who would have to leave, itself included, in each way.

        Where it is now is no way for one that needs one thing: somebody takes that.
        """
        ways = self._elsewhere.get(number)
        if ways is None:
            items, own = self._needed_by(number), 0
            if len(items) == 1:
                held = self.occupied.of_booking(self._bookings[number])
                for each in held:
                    own |= 1 << self._number(each.resource_id)
            ways = self._elsewhere[number] = tuple(
                frozenset(option.holders for option in item.options if option.resources != own)
                for item in items
            )
        return ways

    def hope(self, leaving: int, driven_out: int, left: int) -> Hope:
        """Whether each of those `leaving` may find seats when `driven_out`, they included, have left theirs.

        At most `left` more, none or one, may leave then. That others want the same seats is not looked at, so
        this is known for a whole day.
        """
        key = leaving, driven_out, left
        hope = self._hopes.get(key)
        if hope is None:
            hope = self._hopes[key] = min(
                _hope_for(self, ways, driven_out, left)
                for number in _numbers_of(leaving)
                for ways in self.elsewhere(number)
            )
        return hope

    def _needed_by(self, number: int) -> tuple[Item, ...]:
        if number not in self._items:
            self._items[number] = self._items_of(self._bookings[number])
        return self._items[number]

    def booking(self, number: int) -> Movable | None:
        """What a booking needs; None when it stays where it is."""
        return self.movable(self._bookings[number])

    def resources_of(self, demand: Demand) -> int:
        """A bit for each resource that may serve a demand."""
        found = 0
        for _, _, resources in self._candidates(demand):
            found |= resources
        return found

    def held_at(self, moment: int) -> Mapping[int, int]:
        """What each booking has at a moment, as bits, by the number of the booking."""
        held = self._moments.get(moment)
        if held is None:
            held = self._moments[moment] = {}
            for since, until, booking, resource in self._held:
                if since <= moment < until:
                    held[booking] = held.get(booking, 0) | 1 << resource
        return held

    def _items_of(self, booking_id: UUID) -> tuple[Item, ...]:
        booking = self.movable(booking_id)
        assert booking is not None  # noqa: S101  # only such are in the way
        return tuple(self._item(booking_id, demand, booking.start) for demand in booking.demands)

    def _item(self, booking_id: UUID | None, demand: Demand, start: int) -> Item:
        options = self._options.get((id(demand), start))
        if options is None:  # mostly somebody of that size comes at that time already
            options = self._options[id(demand), start] = tuple(self._ways_to_have(demand, demand.at(start)))
        return Item(booking_id, demand.at(start), options, len(demand.candidates))

    def _ways_to_have(self, demand: Demand, times: Spans) -> Iterator[Option]:
        holders_of = self._holders(times)
        staying = self._staying
        for seating, numbers, resources in self._candidates(demand):
            holders = 0
            for number in numbers:
                holders |= holders_of.get(number, 0)
            if not holders & staying:
                yield Option(seating, resources, holders)

    def _candidates(self, demand: Demand) -> list[tuple[Seating, list[int], int]]:
        entry = self._seatings.get(id(demand))
        if entry is None:
            found = []
            for seating in demand.candidates:
                numbers = [self._number(each) for each in seating.resource_ids]
                found.append((seating, numbers, sum(1 << each for each in numbers)))
            entry = self._seatings[id(demand)] = demand, found  # kept, so that no other has its identity
        return entry[1]

    def _number(self, resource_id: UUID) -> int:
        return self._resources.setdefault(resource_id, len(self._resources))

    def _holders(self, times: Spans) -> dict[int, int]:
        """Who has what at any of these times, by the number of the resource; learns who of them stays."""
        found: dict[int, int] = {}
        everybody = 0
        for start, end in times:
            for since, until, booking, resource in self._held:
                if since < end and start < until:
                    found[resource] = found.get(resource, 0) | 1 << booking
                    everybody |= 1 << booking
        for number in _numbers_of(everybody & ~self._asked):
            if self.booking(number) is None:
                self._staying |= 1 << number
        self._asked |= everybody
        return found


def _hope_for(crowd: Crowd, ways: frozenset[int], driven_out: int, left: int) -> Hope:
    if any(part in ways for part in _parts_of(driven_out)):
        return Hope.NOW
    best = Hope.LATER if ways and not left else Hope.NEVER
    for holders in ways if left else ():
        further = holders & ~driven_out
        alone = not further & (further - 1)
        best = max(best, crowd.hope(further, driven_out | further, 0) if alone else Hope.LATER)
        if best is Hope.NOW:
            break
    return best


def _parts_of(bits: int) -> Iterator[int]:
    """Every selection of the bits that are set: all of them first, none last."""
    part = bits
    while part:
        yield part
        part = (part - 1) & bits
    yield 0


def _numbers_of(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, rising."""
    while bits:
        bit = bits & -bits
        bits ^= bit
        yield bit.bit_length() - 1
