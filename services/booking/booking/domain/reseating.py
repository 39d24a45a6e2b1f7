"""Room for a party by moving others to seats that suit them as well. Exact, complete, and bounded in work."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from booking.domain.demands import Demand
from booking.domain.floor import Seating
from booking.domain.occupancy import Occupation, Occupied, Spans
from booking.domain.solver import Choice, Relocation, occupations_of, resources_of


@dataclass(frozen=True, slots=True)
class Movable:
    """A booking that may sit elsewhere: when it begins, and what it needs."""

    start: int
    demands: tuple[Demand, ...]


@dataclass(slots=True)
class Budget:
    """How much may still be tried. A seating that is looked at is a step."""

    steps: int
    spent: int = 0

    @property
    def exhausted(self) -> bool:
        """Whether a search ended before it knew."""
        return self.spent > self.steps


class _Exhausted(Exception):  # unwinds a search that may go on no longer
    """The budget is spent."""


def make_room(
    demands: Sequence[Demand],
    start: int,
    occupied: Occupied,
    movable: Callable[[UUID], Movable | None],
    budget: Budget,
) -> Choice | None:
    """What a visit from `start` (epoch seconds) on occupies when others may move; None when nothing helps.

    Moves as few bookings as possible. `movable` answers what a booking needs, None when it stays where it is.
    None, too, when the budget is spent before the search knows: `budget.exhausted` tells.

    Whoever is moved, is moved for somebody who takes the seat: from the newcomer on, each placed visit drives
    out those in its way, and they are placed in turn. Every rearrangement in which nobody is moved for
    nothing is found like this. Limits of 1, 2, … moved bookings are tried in turn until one is enough, or
    until no branch has met the limit, which proves that there is none.
    """
    if not demands or is_hopeless(demands, start, occupied, movable):
        return None
    search = _Search(occupied, movable, budget)
    try:
        limit = 1
        while search.attempt(demands, start, limit):
            if search.solved:
                return search.choice()
            limit += 1
    except _Exhausted:
        return None
    return None


def is_hopeless(
    demands: Sequence[Demand],
    start: int,
    occupied: Occupied,
    movable: Callable[[UUID], Movable | None],
) -> bool:
    """Whether counting alone shows that nobody who moves lets a visit in. False proves nothing.

    At some moment: follow what the visit could take, what those who have it could take instead, and so on. If
    all of it is taken then, and nobody who was met could do with fewer resources than now, it is too little
    for one more.
    """
    for demand in demands:
        for since, until in demand.at(start):
            moments = {since, *occupied.beginnings(since, until)}
            if any(_too_full(demand.resource_ids, moment, occupied, movable) for moment in moments):
                return True
    return False


def _too_full(
    wanted: Iterable[UUID],
    moment: int,
    occupied: Occupied,
    movable: Callable[[UUID], Movable | None],
) -> bool:
    reached: set[UUID] = set()
    asked: set[UUID] = set()
    left = set(wanted)
    while left:
        resource_id = left.pop()
        reached.add(resource_id)
        holder = occupied.holder_at(resource_id, moment)
        if holder is None:
            return False
        if holder not in asked:
            asked.add(holder)
            booking = movable(holder)
            if booking is not None:
                needed = [each for each in booking.demands if each.covers(moment - booking.start)]
                has = occupied.held_at(holder, moment)
                if sum(each.fewest for each in needed) < len(has):
                    return False
                left.update(has, *(each.resource_ids for each in needed))
                left -= reached
    return True


@dataclass(frozen=True, slots=True)
class _Item:
    """A demand of the newcomer (no booking) or of a driven-out booking."""

    booking_id: UUID | None
    candidates: tuple[Seating, ...]
    times: Spans


@dataclass(slots=True)
class _Search:
    occupied: Occupied
    movable: Callable[[UUID], Movable | None]
    budget: Budget
    solved: bool = False
    _placed: list[tuple[_Item, Seating]] = field(default_factory=list)
    _kept: dict[UUID, list[tuple[int, int]]] = field(default_factory=dict)
    """What those who are placed have, by resource."""
    _limit: int = 0
    _cut: bool = False
    """Whether a branch was left because it would have moved too many."""

    def attempt(self, demands: Sequence[Demand], start: int, limit: int) -> bool:
        """Looks for an answer that moves at most `limit`. False when a higher limit would be of no use."""
        self._limit, self._cut = limit, False
        self.solved = self._place(_items(None, start, demands), frozenset())
        return self.solved or self._cut

    def choice(self) -> Choice:
        """The answer."""
        visits: dict[UUID | None, list[tuple[Seating, Spans]]] = {}
        for item, seating in self._placed:
            visits.setdefault(item.booking_id, []).append((seating, item.times))
        newcomer, *others = (_seated(visits[each]) for each in (None, *filter(None, visits)))
        moved = tuple(
            Relocation(booking_id, *where)
            for booking_id, where in zip(filter(None, visits), others, strict=True)
        )
        everything = [each for _, occupations in (newcomer, *others) for each in occupations]
        return Choice(*newcomer, self.occupied.expired(everything), moved)

    def _place(self, pending: Sequence[_Item], driven_out: frozenset[UUID]) -> bool:
        """Whether all that is pending finds seats, once `driven_out` have left theirs."""
        if not pending:
            return True
        options = [self._options(item, driven_out) for item in pending]
        number = min(range(len(pending)), key=lambda each: len(options[each]))
        item, rest = pending[number], [*pending[:number], *pending[number + 1 :]]
        for seating, in_the_way in sorted(options[number], key=lambda option: len(option[1])):
            self._placed.append((item, seating))
            for each in seating.resource_ids:
                self._kept.setdefault(each, []).extend(item.times)
            displaced = [more for each in sorted(in_the_way) for more in self._displaced(each)]
            if self._place([*rest, *displaced], driven_out | in_the_way):
                return True
            for each in seating.resource_ids:
                del self._kept[each][-len(item.times) :]
            self._placed.pop()
        return False

    def _options(self, item: _Item, driven_out: frozenset[UUID]) -> list[tuple[Seating, frozenset[UUID]]]:
        """Where an item can sit, and who would have to leave for it."""
        found: list[tuple[Seating, frozenset[UUID]]] = []
        for seating in item.candidates:
            self.budget.spent += 1
            if self.budget.exhausted:
                raise _Exhausted
            in_the_way = self._in_the_way(seating, item.times, driven_out)
            if in_the_way is None:
                continue
            if len(driven_out | in_the_way) > self._limit:
                self._cut = True
            else:
                found.append((seating, in_the_way))
        return found

    def _in_the_way(
        self, seating: Seating, times: Spans, driven_out: frozenset[UUID]
    ) -> frozenset[UUID] | None:
        """The bookings that hold the seats; None when one of them stays."""
        found: set[UUID] = set()
        for resource_id in seating.resource_ids:
            for since, until in self._kept.get(resource_id, ()):
                if any(since < end and start < until for start, end in times):
                    return None
            for holder in self.occupied.holders(resource_id, times):
                if holder not in driven_out and holder not in found:
                    if self.movable(holder) is None:
                        return None
                    found.add(holder)
        return frozenset(found)

    def _displaced(self, booking_id: UUID) -> list[_Item]:
        booking = self.movable(booking_id)
        assert booking is not None  # noqa: S101  # only such are driven out
        return _items(booking_id, booking.start, booking.demands)


def _seated(visit: Sequence[tuple[Seating, Spans]]) -> tuple[tuple[UUID, ...], tuple[Occupation, ...]]:
    seatings, times = zip(*visit, strict=True)
    return resources_of(seatings), occupations_of(seatings, times)


def _items(booking_id: UUID | None, start: int, demands: Sequence[Demand]) -> list[_Item]:
    return [_Item(booking_id, demand.candidates, demand.at(start)) for demand in demands]
