"""What a visit of a party needs, when, and what may serve it: an offering's operations for one party."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from booking.domain.floor import Party, Seating, candidates
from booking.domain.occupancy import Spans
from booking.domain.offerings import Offering
from booking.domain.operations import Need


@dataclass(frozen=True)
class Demand:
    """One seating, or one single resource, that a visit has to have for some of its time."""

    spans: Spans
    """Seconds after the start of the visit; buffers included, so the first may begin before it."""
    candidates: tuple[Seating, ...]
    """Best fit first."""

    @cached_property
    def resource_ids(self) -> frozenset[UUID]:
        """Everything that may serve it."""
        return frozenset(each for seating in self.candidates for each in seating.resource_ids)

    @cached_property
    def fewest(self) -> int:
        """How many resources it takes at least."""
        return min((len(seating.resource_ids) for seating in self.candidates), default=0)

    def covers(self, second: int) -> bool:
        """Whether it has its resources so many seconds after the start of the visit."""
        return any(start <= second < end for start, end in self.spans)

    def meets(self, other: "Demand") -> bool:
        """Whether both need something at the same time, and so not the same."""
        return any(start < until and since < end for start, end in self.spans for since, until in other.spans)

    def at(self, start: int, *, since: int | None = None) -> Spans:
        """Its times for a visit from `start` on, in epoch seconds; what is before `since` is left out."""
        spans = tuple((start + first, start + after) for first, after in self.spans)
        if since is None:
            return spans
        return tuple((max(first, since), after) for first, after in spans if after > since)


def begun(demands: Iterable[Demand]) -> tuple[Demand, ...]:
    """The same of a visit that begins at once: what it needs before its start is over."""
    return tuple(Demand(demand.at(0, since=0), demand.candidates) for demand in demands)


def demands_of(
    offering: Offering,
    seatings: Sequence[Seating],
    party: Party,
    *,
    weekday: int,
    most_empty: int | None,
) -> tuple[Demand, ...]:
    """All that a visit needs, in the order of its operations. Empty when the offering takes no such party.

    The candidates of a demand may be none, and two demands may want the same: see `solver.assign`. What the
    party asks of the place is asked of what seats it; of everything when nothing does.
    """
    spans = _spans(offering, party, weekday)
    if spans is None:
        return ()
    seats = any(need.seats_party for operation in offering.visit for need in operation.needs)
    demands: list[Demand] = []
    shared: dict[str, int] = {}
    for operation, span in zip(offering.visit, spans, strict=True):
        for need in operation.needs:
            number = shared.get(need.role) if need.role else None
            found = _serving(seatings, need, party, most_empty=most_empty, seats=seats)
            if number is None:
                if need.role:
                    shared[need.role] = len(demands)
                demands += [Demand((span,), found)] * need.quantity
            else:
                for place in range(number, number + need.quantity):
                    demands[place] = _both(demands[place], span, found)
    return tuple(demands)


def lasting(
    offering: Offering, demands: Sequence[Demand], *, planned: int, seconds: int
) -> tuple[Demand, ...]:
    """The same for a visit that lasts `seconds` in place of `planned`: its last operations are cut or go on.

    What would begin after the end is not needed.
    """
    after = offering.buffer_after_minutes * 60
    changed: list[Demand] = []
    for demand in demands:
        spans = tuple(
            (start, seconds + after if end >= planned + after else min(end, seconds))
            for start, end in demand.spans
            if start < seconds
        )
        if spans:
            changed.append(Demand(spans, demand.candidates))
    return tuple(changed)


def _serving(
    seatings: Sequence[Seating], need: Need, party: Party, *, most_empty: int | None, seats: bool
) -> tuple[Seating, ...]:
    found = candidates(seatings, need, party, most_empty=most_empty)
    return found if seats else tuple(each for each in found if each.suits(party))


def _both(demand: Demand, span: tuple[int, int], found: tuple[Seating, ...]) -> Demand:
    """The same resource in a further operation: for its time too, and only if it can do that as well."""
    first, last = demand.spans[:-1], demand.spans[-1]
    spans = (*first, (last[0], span[1])) if last[1] >= span[0] else (*demand.spans, span)
    allowed = {each.resource_ids for each in found}
    return Demand(spans, tuple(each for each in demand.candidates if each.resource_ids in allowed))


def _spans(offering: Offering, party: Party, weekday: int) -> list[tuple[int, int]] | None:
    """When each operation has its resources: buffers lie before the first and after the last."""
    spans: list[tuple[int, int]] = []
    start, last = 0, len(offering.visit) - 1
    for number, operation in enumerate(offering.visit):
        turns = operation.turns or offering.turns
        minutes = turns.minutes(party.size, weekday)
        if minutes is None:
            if not party.any_size:
                return None
            minutes = turns.of_largest(weekday)
        end = start + minutes * 60
        spans.append(
            (
                start - offering.buffer_before_minutes * 60 * (number == 0),
                end + offering.buffer_after_minutes * 60 * (number == last),
            )
        )
        start = end
    return spans
