"""The solver against the slow and obvious engine of `oracle.py`: random houses, bookings and parties."""

from dataclasses import replace
from datetime import date, datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from booking.domain import availability
from booking.domain.availability import Plan, Slot
from booking.domain.floor import Channel, Party
from booking.domain.hours import Hours
from booking.domain.occupancy import Allocation, Occupation
from booking.domain.offerings import Filling, Offering
from booking.domain.operations import Need, Operation
from booking.domain.pacing import PacingRule
from booking.domain.placements import Placement, Taken
from booking.domain.refusals import Refusal
from booking.domain.reseating import Limits
from booking.domain.shifts import Shift
from booking.domain.solver import Choice
from booking.domain.turns import Turns, TurnTime, WeekdayTurns
from booking.domain.venues import Adjacency, Combination, Resource, ResourceKind

from . import oracle
from .oracle import TICK, Cell, House, Visit

DAYS = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Africa/Cairo", date(2027, 4, 30)),
    ("Asia/Kathmandu", date(2027, 7, 1)),
]
AREAS = [None, UUID(int=901), UUID(int=902)]
WORDS = ["lift", "window"]
KINDS = [ResourceKind.TABLE, ResourceKind.PERSON]
UNBOUNDED = Limits(few=10**9, many=10**9)


def some_turns(random: Random) -> Turns:
    """Turn times in ticks, on some days otherwise."""
    small, large = random.choice([5, 15, 30]), random.choice([10, 30, 45])
    usual = (TurnTime(2, small), TurnTime(random.choice([4, 6]), large))
    if random.random() < 0.3:
        other = WeekdayTurns((4, 7), (TurnTime(6, random.choice([10, 20])),))
        return Turns(usual, (other,))
    return Turns(usual)


def some_need(random: Random, resources: list[Resource], role: str) -> Need:
    seats = random.random() < 0.5
    return Need(
        kind=random.choice([None, None, *KINDS]),
        attributes=frozenset(random.sample(WORDS, random.choice([0] * 7 + [1]))),
        resource_ids=frozenset(each.id for each in random.sample(resources, min(3, len(resources))))
        if random.random() < 0.2
        else frozenset(),
        quantity=1 if seats or random.random() < 0.6 else 2,
        seats_party=seats,
        role=role,
    )


def some_operations(random: Random, resources: list[Resource]) -> tuple[Operation, ...]:
    """None for a plain seating; or up to three operations, some of whose needs share a role."""
    if random.random() < 0.5:
        return ()
    shared: Need | None = None
    operations: list[Operation] = []
    for number in range(random.choice([1, 1, 2, 2, 3])):
        needs = [some_need(random, resources, "") for _ in range(random.choice([1, 1, 2]))]
        if random.random() < 0.4:
            role = some_need(random, resources, "same")
            shared = shared or role
            needs[0] = replace(role, quantity=shared.quantity, seats_party=shared.seats_party)
        turns = some_turns(random) if random.random() < 0.6 else None
        operations.append(Operation(f"Operation {number}", tuple(needs), turns))
    return tuple(operations)


def some_offering(random: Random, number: int, resources: list[Resource]) -> Offering:
    turns = some_turns(random)
    return Offering(
        UUID(int=number),
        f"Offering {number}",
        turns.usual,
        None,
        random.choice([15, 30]),
        0,
        90,
        buffer_before_minutes=random.choice([0, 0, 5, 10]),
        buffer_after_minutes=random.choice([0, 0, 5, 15]),
        weekday_turns=turns.weekdays,
        operations=some_operations(random, resources),
        filling=random.choice([Filling(), Filling(), Filling(1), Filling(1, 60)]),
    )


def some_combinations(random: Random, resources: list[Resource]) -> list[Combination]:
    joined: list[Combination] = []
    for number in range(random.choice([0, 1, 1, 2]) if len(resources) > 1 else 0):
        members = tuple(
            each.id for each in random.sample(resources, random.randint(2, min(4, len(resources))))
        )
        rule = Adjacency(random.randint(2, 3), random.choice([0, 1]), random.choice([0, 0, 3]))
        joined.append(
            Combination(UUID(int=700 + number), f"C{number}", members, 2, 7, random.choice([None, rule]))
        )
    return joined


def some_party(random: Random) -> Party:
    return Party(
        size=random.randint(1, 5),
        channel=random.choice([Channel.ONLINE, Channel.ONLINE, Channel.STAFF]),
        area_id=random.choice([None] * 5 + AREAS),
        attributes=frozenset(random.sample(WORDS, random.choice([0] * 7 + [1]))),
    )


def some_rules(random: Random, offerings: list[Offering]) -> list[PacingRule]:
    return [
        PacingRule(
            UUID(int=800 + number),
            random.choice([None, *(each.id for each in offerings)]),
            random.choice([15, 30, 60]),
            max_covers=random.choice([None, 6, 10]),
            max_parties=random.choice([None, 2]),
            online_covers=random.choice([None, 4]),
            online_parties=random.choice([None, 1]),
        )
        for number in range(random.choice([0, 0, 1, 2]))
    ]


def some_house(random: Random) -> House:
    """A house with a few resources, and a service day on which clocks may change."""
    zone, day = random.choice(DAYS)
    resources = [
        Resource(
            UUID(int=100 + number),
            f"R{number}",
            random.choice(KINDS),
            least := random.randint(1, 2),
            least + random.randint(1, 4),
            random.choice(AREAS),
            frozenset(random.sample(WORDS, random.choice([0, 1, 2, 2]))),
            random.choice([0, 0, 1]),
            online=random.random() < 0.85,
            in_service=random.random() < 0.95,
        )
        for number in range(random.randint(1, 4))
    ]
    offerings = [some_offering(random, number, resources) for number in range(1, random.choice([2, 3]))]
    return House(
        zone=ZoneInfo(zone),
        day=day,
        resources=resources,
        combinations=some_combinations(random, resources),
        offerings=offerings,
        rules=some_rules(random, offerings),
        reseating=random.random() < 0.7,
    )


def full_house(random: Random) -> House:
    """Nothing but tables that differ in size: where moving others helps."""
    zone, day = random.choice(DAYS)
    resources = [
        Resource(UUID(int=100 + number), f"R{number}", ResourceKind.TABLE, 1, random.choice([2, 2, 3, 4, 6]))
        for number in range(random.randint(2, 4))
    ]
    turns = (TurnTime(3, random.choice([15, 30])), TurnTime(6, random.choice([30, 45])))
    buffer = random.choice([0, 0, 5])
    dinner = Offering(UUID(int=1), "Dinner", turns, None, 15, 0, 90, buffer_after_minutes=buffer)
    return House(
        zone=ZoneInfo(zone),
        day=day,
        resources=resources,
        combinations=some_combinations(random, resources),
        offerings=[dinner],
        rules=[],
        reseating=True,
    )


def plan_of(house: House, random: Random) -> Plan:
    """The same for the fast engine, open for some hours of the night that clocks change in."""
    opens = random.choice([0, 60, 90, 120, 1380])
    shifts = [
        Shift(UUID(int=1), each.id, tuple(range(1, 8)), opens, opens + 75, opens + 300)
        for each in house.offerings
    ]
    return Plan.of(
        1,
        hours=Hours.of(house.zone, shifts=shifts),
        resources=house.resources,
        combinations=house.combinations,
        offerings=house.offerings,
        pacing=house.rules,
        reseating=house.reseating,
    )


def fill(house: House, plan: Plan, random: Random, *, most: int) -> None:
    """Blocks, holds that ran out, and bookings wherever some way is free, in no clever order."""
    starts = [(each, start) for each in house.offerings for start in plan.starts(each, house.day)]
    if not starts:
        return
    for _ in range(random.choice([0, 0, 1])):
        resource, (_, start) = random.choice(house.resources), random.choice(starts)
        ticks = range(start - TICK * random.randint(0, 3), start + TICK * random.randint(1, 6), TICK)
        house.blocked |= {(resource.id, tick) for tick in ticks}
    for number in range(random.randint(most // 2, most)):
        (offering, start), party = random.choice(starts), some_party(random)
        live = random.random() < 0.9
        taken = house.taken() if live else set()
        free = sorted(
            cells
            for cells in map(sorted, oracle.ways(house, offering, start, party, full=False))
            if taken.isdisjoint(cells)
        )
        if free:
            cells = frozenset(random.choice(free))
            movable = random.random() < 0.75
            house.visits.append(
                Visit(UUID(int=500 + number), offering, start, party, cells, movable=movable, live=live)
            )


def taken_of(house: House) -> Taken:
    """What the database would tell of it."""
    rows = [
        Allocation(resource, tick, tick + TICK, UUID(int=999), live=True) for resource, tick in house.blocked
    ]
    for visit in house.visits:
        rows += [Allocation(each, tick, tick + TICK, visit.id, visit.live) for each, tick in visit.cells]
    placements = [
        Placement(
            visit.id,
            visit.offering.id,
            house.day,
            visit.start,
            visit.start + (visit.offering.stay_minutes(visit.party.size, house.day) or 0) * 60,
            visit.party,
            visit.movable,
        )
        for visit in house.visits
        if visit.live
    ]
    return Taken(rows, placements)


def cells_of(occupations: tuple[Occupation, ...]) -> frozenset[Cell]:
    cells = [(each.resource_id, tick) for each in occupations for tick in range(each.start, each.end, TICK)]
    assert len(set(cells)) == len(cells)
    return frozenset(cells)


def slots_of(house: House, plan: Plan, party: Party, now: int) -> list[Slot]:
    return availability.search(
        plan, house.offerings, house.day, party=party, taken=taken_of(house), now=now, limits=UNBOUNDED
    )


def is_late(slot: Slot, now: int) -> bool:
    return slot.start <= now + slot.offering.filling.last_fill_minutes * 60 and bool(
        slot.offering.filling.last_fill_minutes
    )


def draw(seed: int, *, most: int = 5) -> tuple[House, Plan, Party, int]:
    random = Random(seed)  # noqa: S311  # hypothesis chooses the seed
    full = random.random() < 0.4
    house = full_house(random) if full else some_house(random)
    plan = plan_of(house, random)
    fill(house, plan, random, most=most * (1 + full))
    midnight = int(datetime.combine(house.day, datetime.min.time(), house.zone).timestamp())
    now = midnight + random.choice([-86_400, -1800, 1800])
    return house, plan, some_party(random), now


def chosen(
    house: House, plan: Plan, slot: Slot, party: Party, now: int, *, limits: Limits = UNBOUNDED
) -> Choice | None:
    return availability.choose(
        plan,
        slot.offering,
        house.day,
        start=slot.start,
        party=party,
        taken=taken_of(house),
        now=now,
        limits=limits,
    )


def book(house: House, slot: Slot, party: Party, choice: Choice) -> House:
    """The same house after a booking."""
    moved = {each.booking_id: cells_of(each.occupations) for each in choice.moved}
    visits = [replace(each, cells=moved.get(each.id, each.cells)) for each in house.visits]
    visits = [each for each in visits if each.id not in choice.evicted]
    own = Visit(UUID(int=444), slot.offering, slot.start, party, cells_of(choice.occupations), movable=True)
    return replace(house, visits=[*visits, own])


def bookable(slots: list[Slot]) -> set[tuple[UUID, int]]:
    return {(slot.offering.id, slot.start) for slot in slots if slot.refusal is None}


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**48))
def test_every_start_is_refused_or_not_as_the_obvious_engine_says(seed: int) -> None:
    house, plan, party, now = draw(seed)
    for slot in slots_of(house, plan, party, now):
        told = plan.hours.refusal(slot.offering, house.day, start=slot.start, end=slot.end, now=now)
        wanted = told or oracle.refusal(house, slot.offering, slot.start, party, full=is_late(slot, now))
        assert slot.refusal == wanted, slot


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**48))
@example(6053134)  # two rows of neighbours say what the same two tables take together
def test_what_is_chosen_is_a_way_to_have_the_visit_and_moves_as_few_as_possible(seed: int) -> None:
    house, plan, party, now = draw(seed)
    for slot in slots_of(house, plan, party, now):
        full = is_late(slot, now)
        fewest = oracle.fewest_moves(house, slot.offering, slot.start, party, full=full)
        choice = chosen(house, plan, slot, party, now)
        assert (choice is None) == (fewest is None)
        if choice is None:
            continue
        assert len(choice.moved) == fewest
        assert cells_of(choice.occupations) in oracle.ways(house, slot.offering, slot.start, party, full=full)
        by_id = {each.id: each for each in house.visits}
        everything = [cells_of(choice.occupations)]
        for relocation in choice.moved:
            visit, cells = by_id[relocation.booking_id], cells_of(relocation.occupations)
            assert visit.movable
            assert cells != visit.cells
            assert cells in oracle.ways(house, visit.offering, visit.start, visit.party, full=False)
            everything.append(cells)
        everything.append(frozenset(house.taken(without=frozenset(each.booking_id for each in choice.moved))))
        assert sum(map(len, everything)) == len(frozenset().union(*everything))
        in_the_way = {
            each.id
            for each in house.visits
            if not each.live and any(not cells.isdisjoint(each.cells) for cells in everything[:-1])
        }
        assert choice.evicted == in_the_way


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**48))
def test_a_booking_never_adds_a_start_and_a_cancellation_never_removes_one(seed: int) -> None:
    house, plan, party, now = draw(seed)
    slots = slots_of(house, plan, party, now)
    before = bookable(slots)
    for slot in Random(seed + 1).sample(slots, min(4, len(slots))):  # noqa: S311  # hypothesis chooses the seed
        if slot.refusal is None:
            choice = chosen(house, plan, slot, party, now)
            assert choice is not None, "a shown start is had"
            after = book(house, slot, party, choice)
            assert bookable(slots_of(after, plan, party, now)) <= before
            back = replace(after, visits=[each for each in after.visits if each.id != UUID(int=444)])
            assert bookable(slots_of(back, plan, party, now)) >= before
    for gone in house.visits:
        fewer = replace(house, visits=[each for each in house.visits if each is not gone])
        assert bookable(slots_of(fewer, plan, party, now)) >= before


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**48))
def test_a_bounded_search_shows_what_a_booking_within_the_same_bounds_gets(seed: int) -> None:
    house, plan, party, now = draw(seed, most=8)
    limits = Random(seed).choice([Limits(few=20), Limits(few=60, many=10), Limits()])  # noqa: S311
    bounded = availability.search(
        plan, house.offerings, house.day, party=party, taken=taken_of(house), now=now, limits=limits
    )
    for slot, complete in zip(bounded, slots_of(house, plan, party, now), strict=True):
        if slot.refusal is None or slot.refusal in (Refusal.FULLY_BOOKED, Refusal.OCCUPIED):
            had = chosen(house, plan, slot, party, now, limits=limits)
            assert (slot.refusal is None) == (had is not None), "what is shown is had, and nothing else"
        if slot.refusal is not Refusal.OCCUPIED:
            assert slot.refusal == complete.refusal, "only `occupied` leaves anything open"
