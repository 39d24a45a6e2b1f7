"""Ways of choosing a table, and a house that accepts who can be seated by one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from booking.domain import availability, solver
from booking.domain.availability import Plan
from booking.domain.demands import Demand
from booking.domain.floor import Party
from booking.domain.occupancy import Allocation, Occupation, Occupied
from booking.domain.offerings import Offering
from booking.domain.placements import Placement, Taken
from booking.domain.solver import Choice
from tools.bench.seating.evenings import EVENING, Evening

_LONG_BEFORE = 86_400 * 7


class Policy(StrEnum):
    """How a table is chosen."""

    FIRST_FIT = "first-fit"
    """The free table with the smallest number that takes the party; joined ones when no single one is."""
    BEST_FIT = "best-fit"
    """The engine's choice while nobody moves."""
    RESEATING = "best-fit + re-seating"
    """The engine's choice."""


@dataclass(slots=True)
class House:
    """Who has been accepted, and where they sit."""

    plan: Plan
    offering: Offering
    policy: Policy
    moved: int = 0
    """How many times somebody was given another table."""
    _held: dict[UUID, tuple[Occupation, ...]] = field(default_factory=dict)
    _placements: list[Placement] = field(default_factory=list)

    @property
    def taken(self) -> Taken:
        """What the engine has to know."""
        allocations = [
            Allocation(each.resource_id, each.start, each.end, booking_id, live=True)
            for booking_id, held in self._held.items()
            for each in held
        ]
        return Taken(allocations, self._placements)

    @property
    def parties(self) -> int:
        """How many were accepted."""
        return len(self._placements)

    @property
    def covers(self) -> int:
        """How many people they are."""
        return sum(each.party.size for each in self._placements)

    def accept(self, party: Party, start: int) -> bool:
        """Seats a party from `start` (epoch seconds) on, if there is room."""
        choice = self._choose(party, start)
        if choice is None:
            return False
        booking_id = UUID(int=10_000 + len(self._placements))
        for each in choice.moved:
            self._held[each.booking_id] = each.occupations
        self.moved += len(choice.moved)
        self._held[booking_id] = choice.occupations
        end = start + availability.stay_seconds(self.offering, party.size, EVENING)
        self._placements.append(
            Placement(booking_id, self.offering.id, EVENING, start, end, party, movable=True)
        )
        return True

    def _choose(self, party: Party, start: int) -> Choice | None:
        if self.policy is Policy.FIRST_FIT:
            demands = _by_number(self.plan.demands(self.offering, party, EVENING))
            return solver.choose(demands, start, Occupied(self.taken.allocations))
        return availability.choose(
            self.plan,
            self.offering,
            EVENING,
            start=start,
            party=party,
            taken=self.taken,
            now=start - _LONG_BEFORE,
            reseat=self.policy is Policy.RESEATING,
        )


def play(evening: Evening, policy: Policy) -> House:
    """The house after everybody has called. A party takes the first of its starts that there is room for."""
    house = House(evening.plan, evening.offering, policy)
    for request in evening.requests:
        for start in request.starts:
            if house.accept(request.party, start):
                break
    return house


def _by_number(demands: Sequence[Demand]) -> list[Demand]:
    return [
        Demand(each.spans, tuple(sorted(each.candidates, key=lambda one: (len(one.resource_ids), one.name))))
        for each in demands
    ]
