"""Crowded floors on which others have to move: what a search tells of a start is what a booking meets."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from booking.domain import availability
from booking.domain.availability import Plan
from booking.domain.floor import Party
from booking.domain.hours import Hours
from booking.domain.occupancy import Allocation, Occupation
from booking.domain.offerings import Offering
from booking.domain.placements import Placement, Taken
from booking.domain.refusals import Refusal
from booking.domain.reseating import LIMITS, Limits
from booking.domain.shifts import Shift
from booking.domain.solver import Choice
from booking.domain.turns import TurnTime
from booking.domain.venues import Adjacency, Combination, Resource, ResourceKind

EVENING, ZONE = date(2027, 3, 5), ZoneInfo("Europe/Paris")
NOW = int(datetime(2027, 3, 1, tzinfo=ZONE).timestamp())
DINNER = Offering(
    UUID(int=1), "Dinner", (TurnTime(2, 90), TurnTime(4, 105), TurnTime(8, 120)), None, 30, 0, 90
)
SIZES = (1, 2, 2, 2, 3, 4, 4, 5, 6)


@dataclass(frozen=True)
class Floor:
    """A floor with who sits where."""

    plan: Plan
    held: dict[UUID, tuple[Occupation, ...]] = field(default_factory=dict)
    placements: tuple[Placement, ...] = ()

    @property
    def taken(self) -> Taken:
        allocations = [
            Allocation(each.resource_id, each.start, each.end, booking_id, live=True)
            for booking_id, held in self.held.items()
            for each in held
        ]
        return Taken(allocations, self.placements)

    @property
    def starts(self) -> list[int]:
        return list(self.plan.starts(DINNER, EVENING))

    def told(self, size: int) -> dict[int, Refusal | None]:
        slots = availability.search(
            self.plan, [DINNER], EVENING, party=Party(size), taken=self.taken, now=NOW
        )
        return {slot.start: slot.refusal for slot in slots}

    def choose(self, size: int, start: int, limits: Limits = LIMITS) -> Choice | None:
        return availability.choose(
            self.plan,
            DINNER,
            EVENING,
            start=start,
            party=Party(size),
            taken=self.taken,
            now=NOW,
            limits=limits,
        )

    def with_booking(self, size: int, start: int, choice: Choice) -> "Floor":
        booking_id = UUID(int=1 + max((each.int for each in self.held), default=10_000))
        moved = {each.booking_id: each.occupations for each in choice.moved}
        end = start + availability.stay_seconds(DINNER, size, EVENING)
        placement = Placement(booking_id, DINNER.id, EVENING, start, end, Party(size), movable=True)
        held = self.held | moved | {booking_id: choice.occupations}
        return replace(self, held=held, placements=(*self.placements, placement))

    def without(self, booking_id: UUID) -> "Floor":
        held = {each: occupations for each, occupations in self.held.items() if each != booking_id}
        left = tuple(each for each in self.placements if each.booking_id != booking_id)
        return replace(self, held=held, placements=left)


def crowded(random: Random, most_tables: int = 24) -> Floor:
    """Tables of which some can be joined, filled with parties until most that call find nothing."""
    tables = [
        Resource(
            UUID(int=1000 + number), f"T{number:02}", ResourceKind.TABLE, random.choice((1, seats - 1)), seats
        )
        for number, seats in enumerate(random.choices((2, 4, 6), (5, 4, 2), k=random.randint(6, most_tables)))
    ]
    rows = [
        Combination(
            UUID(int=2000 + first), f"Row {first}", tuple(each.id for each in members), 0, 0, Adjacency(2)
        )
        for first in range(0, len(tables), 3)
        if len(members := tables[first : first + 3]) > 1 and random.random() < 0.5
    ]
    shift = Shift(UUID(int=2), DINNER.id, tuple(range(1, 8)), 18 * 60, 21 * 60, 24 * 60)
    hours = Hours.of(ZONE, shifts=[shift])
    plan = Plan.of(1, hours=hours, resources=tables, combinations=rows, offerings=[DINNER])
    floor = Floor(plan)
    for _ in range(4 * len(tables)):
        size, start = random.choice(SIZES), random.choice(floor.starts)
        choice = availability.choose(
            plan, DINNER, EVENING, start=start, party=Party(size), taken=floor.taken, now=NOW, reseat=False
        )
        if choice:
            floor = floor.with_booking(size, start, choice)
    for gone in random.sample(floor.placements, len(floor.placements) // 10):
        floor = floor.without(gone.booking_id)
    return floor


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**48))
def test_what_a_search_shows_is_what_a_booking_gets_start_by_start(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    floor = crowded(random)
    for size in random.sample((1, 2, 3, 4, 5, 6), 2):
        for start, refusal in floor.told(size).items():
            assert (refusal is None) == (floor.choose(size, start) is not None), (size, start, refusal)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**48))
def test_no_booking_opens_a_start_that_was_fully_booked_and_no_cancellation_fills_one(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    floor, size = crowded(random, 12), random.choice(SIZES)
    before = floor.told(size)
    other, start = random.choice(SIZES), random.choice(floor.starts)
    choice = floor.choose(other, start)
    if choice:
        after = floor.with_booking(other, start, choice).told(size)
        assert not [at for at in after if before[at] is Refusal.FULLY_BOOKED and after[at] is None]
    gone = random.choice(floor.placements)
    fewer = floor.without(gone.booking_id).told(size)
    assert not [at for at in fewer if before[at] is None and fewer[at] is Refusal.FULLY_BOOKED]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**48))
def test_what_is_had_by_moving_one_or_two_stays_so_when_somebody_cancels(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    floor, size = crowded(random), random.choice(SIZES)
    choices = {start: floor.choose(size, start) for start in floor.starts}
    few = [start for start, choice in choices.items() if choice and len(choice.moved) <= 2]
    for gone in random.sample(floor.placements, min(3, len(floor.placements))):
        fewer = floor.without(gone.booking_id).told(size)
        assert not [start for start in few if fewer[start] is not None]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**48))
def test_fully_booked_is_so_for_whoever_looks_much_longer(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    floor = crowded(random, 10)
    for size in (2, 4, 6):
        for start, refusal in floor.told(size).items():
            if refusal is Refusal.FULLY_BOOKED:
                assert floor.choose(size, start, Limits(few=200_000, many=20_000)) is None
