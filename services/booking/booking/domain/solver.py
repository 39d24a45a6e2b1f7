"""The one solver: which starts a visit can have, and what it then occupies. Pure; reads no rules of time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from uuid import UUID

from booking.domain.demands import Demand
from booking.domain.floor import Seating
from booking.domain.occupancy import Occupation, Occupied, Spans


@dataclass(frozen=True, slots=True)
class Relocation:
    """A booking that makes room, and what it occupies instead."""

    booking_id: UUID
    resource_ids: tuple[UUID, ...]
    """Each once, sorted."""
    occupations: tuple[Occupation, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a visit occupies, and who has to make room first."""

    resource_ids: tuple[UUID, ...]
    """Each once, sorted; also of a visit that is over and occupies nothing any more."""
    occupations: tuple[Occupation, ...]
    evicted: frozenset[UUID] = frozenset()
    """Bookings whose time ran out."""
    moved: tuple[Relocation, ...] = ()
    """Bookings that sit elsewhere then."""

    def meets(self, other: "Choice") -> bool:
        """Whether both want the same resource at the same time."""
        return any(
            one.resource_id == each.resource_id and one.start < each.end and each.start < one.end
            for one in self.occupations
            for each in other.occupations
        )


def free_starts(starts: Sequence[int], demands: Sequence[Demand], occupied: Occupied) -> int:
    """A bit for each of the rising `starts` at which everything that a visit needs is free.

    One pass over the allocations for each resource; a start is looked at alone only where two demands could
    take the same resource from each other.
    """
    everything = (1 << len(starts)) - 1
    if not demands or not starts:
        return 0
    blocked: dict[tuple[UUID, Spans], int] = {}
    possible, open_at = everything, []
    for demand in demands:
        masks = [_free(starts, seating, demand.spans, occupied, blocked) for seating in demand.candidates]
        some = 0
        for mask in masks:
            some |= mask
        possible &= some
        open_at.append(masks)
        if not possible:
            return 0
    if not _compete(demands):
        return possible
    for number in range(len(starts)):
        bit = 1 << number
        if possible & bit:
            left = [
                [seating for seating, mask in zip(demand.candidates, masks, strict=True) if mask & bit]
                for demand, masks in zip(demands, open_at, strict=True)
            ]
            if assign(demands, left) is None:
                possible ^= bit
    return possible


def choose(
    demands: Sequence[Demand], start: int, occupied: Occupied, *, since: int | None = None
) -> Choice | None:
    """What a visit from `start` (epoch seconds) on occupies; None when something that it needs is taken.

    Each demand in turn has the best of its candidates with which the others still find something. Nothing is
    occupied before `since`.
    """
    if not demands:
        return None
    spans = [demand.at(start, since=since) for demand in demands]
    left = (
        (each for each in demand.candidates if occupied.is_free(each.resource_ids, times))
        for demand, times in zip(demands, spans, strict=True)
    )
    if len(demands) == 1:  # the best that is free: the others need not be looked at
        chosen = tuple(islice(next(left), 1)) or None
    else:
        chosen = assign(demands, [list(each) for each in left])
    if chosen is None:
        return None
    taken = occupations_of(chosen, spans)
    return Choice(resources_of(chosen), taken, occupied.expired(taken))


def assign(demands: Sequence[Demand], left: Sequence[Sequence[Seating]]) -> tuple[Seating, ...] | None:
    """A seating for each demand, from those that are `left` for it; no resource twice at the same time.

    The first in the order of preference, the earlier demands' counting more. None when there is none: the
    search is complete. Equal demands take theirs in order, so that no selection is tried in two orders.
    """
    chosen: list[Seating] = []

    def collides(number: int, seating: Seating) -> bool:
        return any(
            not set(seating.resource_ids).isdisjoint(other.resource_ids)
            and demands[number].meets(demands[place])
            for place, other in enumerate(chosen)
        )

    def place(number: int, after: int) -> bool:
        if number == len(demands):
            return True
        same = number > 0 and demands[number] == demands[number - 1]
        if not _enough_left(demands, left, chosen, number):
            return False
        for index in range(after if same else 0, len(left[number])):
            seating = left[number][index]
            if not collides(number, seating):
                chosen.append(seating)
                if place(number + 1, index + 1):
                    return True
                chosen.pop()
        return False

    return tuple(chosen) if place(0, 0) else None


def occupations_of(chosen: Sequence[Seating], spans: Sequence[Spans]) -> tuple[Occupation, ...]:
    """What seatings occupy at their times, sorted."""
    return tuple(
        sorted(
            Occupation(resource_id, start, end)
            for seating, times in zip(chosen, spans, strict=True)
            for start, end in times
            for resource_id in seating.resource_ids
        )
    )


def resources_of(chosen: Iterable[Seating]) -> tuple[UUID, ...]:
    """The resources of seatings, each once, sorted."""
    return tuple(sorted({each for seating in chosen for each in seating.resource_ids}))


def _free(
    starts: Sequence[int],
    seating: Seating,
    spans: Spans,
    occupied: Occupied,
    blocked: dict[tuple[UUID, Spans], int],
) -> int:
    taken = 0
    for resource_id in seating.resource_ids:
        key = resource_id, spans
        bits = blocked.get(key)
        if bits is None:
            bits = blocked[key] = occupied.blocked(resource_id, starts, spans)
        taken |= bits
    return ((1 << len(starts)) - 1) & ~taken


def _compete(demands: Sequence[Demand]) -> bool:
    """Whether two demands could take the same resource at the same time."""
    return any(
        one.meets(other) and not one.resource_ids.isdisjoint(other.resource_ids)
        for one, other in combinations(demands, 2)
    )


def _enough_left(
    demands: Sequence[Demand], left: Sequence[Sequence[Seating]], chosen: Sequence[Seating], number: int
) -> bool:
    """Whether each group of equal demands that is still to be served has as many free seatings as members."""
    while number < len(demands):
        group = number + 1
        while group < len(demands) and demands[group] == demands[number]:
            group += 1
        taken = {
            each
            for place, seating in enumerate(chosen)
            if demands[place].meets(demands[number])
            for each in seating.resource_ids
        }
        open_still = sum(taken.isdisjoint(each.resource_ids) for each in left[number])
        if open_still < group - number:
            return False
        number = group
    return True
