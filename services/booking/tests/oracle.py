"""A slow and obvious engine: every seat for every need, in ticks of five minutes. Nothing of the fast one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import combinations, pairwise, product
from operator import itemgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain.floor import Channel, Party
from booking.domain.offerings import Offering
from booking.domain.operations import Need, Operation
from booking.domain.pacing import PacingRule
from booking.domain.refusals import Refusal
from booking.domain.turns import Turns
from booking.domain.venues import Combination, Resource

TICK = 300
Cell = tuple[UUID, int]
"""A resource during five minutes."""
Group = frozenset[UUID]


@dataclass(frozen=True)
class Visit:
    """A booking of the day, and the cells that it has."""

    id: UUID
    offering: Offering
    start: int
    party: Party
    cells: frozenset[Cell]
    movable: bool
    live: bool = True


@dataclass
class House:
    """A venue, as plain as it can be told."""

    zone: ZoneInfo
    day: date
    resources: list[Resource]
    combinations: list[Combination]
    offerings: list[Offering]
    rules: list[PacingRule]
    reseating: bool
    visits: list[Visit] = field(default_factory=list)
    blocked: frozenset[Cell] = frozenset()

    def taken(self, *, without: frozenset[UUID] = frozenset()) -> set[Cell]:
        """What is occupied."""
        cells = set(self.blocked)
        for visit in self.visits:
            if visit.live and visit.id not in without:
                cells |= visit.cells
        return cells


def groups(house: House) -> list[tuple[Group, int, int]]:
    """What can be joined, with the parties that it takes."""
    by_id = {each.id: each for each in house.resources if each.in_service}
    found = {frozenset({each.id}): (each.min_party, each.max_party) for each in by_id.values()}
    runs: list[tuple[str, Group, tuple[int, int]]] = []
    for combination in house.combinations:
        rule = combination.adjacency
        if rule is None:
            if all(each in by_id for each in combination.resource_ids):
                found[frozenset(combination.resource_ids)] = (combination.min_party, combination.max_party)
            continue
        for length in range(2, rule.max_joined + 1):
            for first in range(len(combination.resource_ids) - length + 1):
                run = combination.resource_ids[first : first + length]
                if all(each in by_id for each in run):
                    most = sum(by_id[each].max_party for each in run) - rule.seats_lost_per_joint * (
                        length - 1
                    )
                    least = rule.min_party or max(by_id[each].max_party for each in run) + 1
                    if least <= most:
                        name = "+".join(by_id[each].name for each in run)
                        runs.append((name, frozenset(run), (least, most)))
    for _, group, limits in sorted(runs, key=itemgetter(0)):
        found.setdefault(group, limits)
    return [(group, *limits) for group, limits in found.items()]


def picks(house: House, offering: Offering, need: Need, party: Party, *, full: bool) -> list[Group]:
    """All that may serve a need: sets of resources."""
    by_id = {each.id: each for each in house.resources}
    seats = any(each.seats_party for operation in offering.visit for each in operation.needs)

    def right(resource_id: UUID) -> bool:
        resource = by_id[resource_id]
        asked = need.seats_party or not seats
        return (
            resource.in_service
            and need.kind in (None, resource.kind)
            and need.attributes <= resource.attributes
            and (not need.resource_ids or resource_id in need.resource_ids)
            and (resource.online or party.channel is Channel.STAFF)
            and (not asked or party.area_id in (None, resource.area_id))
            and (not asked or party.attributes <= resource.attributes)
        )

    if not need.seats_party:
        fit = [each for each in by_id if right(each)]
        return [frozenset(chosen) for chosen in combinations(fit, need.quantity)]
    empty = offering.filling.max_empty_seats
    bound = empty is not None and party.channel is Channel.ONLINE and not full
    return [
        group
        for group, least, most in groups(house)
        if all(map(right, group))
        and least <= party.size <= most
        and (not bound or most - party.size <= (empty or 0))
    ]


def minutes_of(operation: Operation, offering: Offering, day: date, size: int) -> int | None:
    """How long an operation takes on a day."""
    turns = operation.turns or Turns(offering.turn_times, offering.weekday_turns)
    times = turns.usual
    for each in turns.weekdays:
        if day.isoweekday() in each.weekdays:
            times = each.turn_times
    return next((turn.minutes for turn in times if turn.max_party >= size), None)


def ways(house: House, offering: Offering, start: int, party: Party, *, full: bool) -> set[frozenset[Cell]]:
    """Every way to have a visit: the cells of each."""
    bounds = [start]
    for operation in offering.visit:
        minutes = minutes_of(operation, offering, house.day, party.size)
        if minutes is None:
            return set()
        bounds.append(bounds[-1] + minutes * 60)
    times = [list(pair) for pair in pairwise(bounds)]
    times[0][0] -= offering.buffer_before_minutes * 60
    times[-1][1] += offering.buffer_after_minutes * 60
    wanted: list[tuple[Need, list[int]]] = [
        (need, list(range(since, until, TICK)))
        for operation, (since, until) in zip(offering.visit, times, strict=True)
        for need in operation.needs
    ]
    found: set[frozenset[Cell]] = set()
    for chosen in product(*(picks(house, offering, need, party, full=full) for need, _ in wanted)):
        roles: dict[str, Group] = {}
        if any(
            need.role and roles.setdefault(need.role, group) != group
            for (need, _), group in zip(wanted, chosen, strict=True)
        ):
            continue
        cells = [
            (resource, tick)
            for (_, ticks), group in zip(wanted, chosen, strict=True)
            for resource in group
            for tick in ticks
        ]
        if len(set(cells)) == len(cells):
            found.add(frozenset(cells))
    return found


def is_paced(house: House, offering: Offering, start: int, party: Party) -> bool:
    """Whether some rule keeps the party out."""

    def interval(at: int, rule: PacingRule) -> int:
        shown = datetime.fromtimestamp(at, house.zone).replace(tzinfo=None)
        midnight = datetime.combine(house.day, datetime.min.time())
        return int((shown - midnight).total_seconds() // 60) // rule.interval_minutes

    for rule in house.rules:
        if rule.offering_id not in (None, offering.id):
            continue
        others = [
            each.party
            for each in house.visits
            if each.live
            and rule.offering_id in (None, each.offering.id)
            and interval(each.start, rule) == interval(start, rule)
        ]
        online = [each for each in others if each.channel is Channel.ONLINE]
        limits = [(others, rule.max_covers, rule.max_parties)]
        if party.channel is Channel.ONLINE:
            limits.append((online, rule.online_covers, rule.online_parties))
        for counted, covers, parties in limits:
            if covers is not None and sum(each.size for each in counted) + party.size > covers:
                return True
            if parties is not None and len(counted) + 1 > parties:
                return True
    return False


def takes(house: House, offering: Offering, party: Party) -> bool:
    """Whether an empty house could ever take the party."""
    return any(
        ways(house, offering, 0, party, full=full)
        for full in {False, bool(offering.filling.last_fill_minutes)}
    )


def refusal(house: House, offering: Offering, start: int, party: Party, *, full: bool) -> Refusal | None:
    """Why a party cannot have a start that the hours allow; None when it can."""
    if not takes(house, offering, party):
        elsewhere = takes(house, offering, Party(party.size, party.channel))
        return Refusal.NO_TABLE_AS_ASKED if elsewhere else Refusal.NO_TABLE_FOR_PARTY
    if is_paced(house, offering, start, party):
        never = is_paced(replace(house, visits=[]), offering, start, party)
        return Refusal.PARTY_BEYOND_PACE if never else Refusal.PACING
    if fewest_moves(house, offering, start, party, full=full) is None:
        return Refusal.FULLY_BOOKED
    return None


def fewest_moves(house: House, offering: Offering, start: int, party: Party, *, full: bool) -> int | None:
    """How many others must move for the party to get in; None when it cannot. 0 when there is room anyway."""
    own = ways(house, offering, start, party, full=full)
    movable = [each for each in house.visits if each.live and each.movable]
    most = len(movable) if house.reseating else 0
    for number in range(most + 1):
        for moved in combinations(movable, number):
            fixed = house.taken(without=frozenset(each.id for each in moved))
            if _fits(house, fixed, own, moved):
                return number
    return None


def _fits(house: House, fixed: set[Cell], own: set[frozenset[Cell]], moved: Sequence[Visit]) -> bool:
    def place(taken: set[Cell], left: Sequence[Visit]) -> bool:
        if not left:
            return True
        visit, *others = left
        return any(
            place(taken | cells, others)
            for cells in _free(ways(house, visit.offering, visit.start, visit.party, full=False), taken)
        )

    return any(place(fixed | cells, moved) for cells in _free(own, fixed))


def _free(options: set[frozenset[Cell]], taken: set[Cell]) -> Iterator[frozenset[Cell]]:
    return (cells for cells in options if taken.isdisjoint(cells))
