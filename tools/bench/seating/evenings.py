"""Random restaurants and the evenings that people want of them, the same for the same seed. Seats nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain.availability import Plan
from booking.domain.floor import Party
from booking.domain.hours import Hours
from booking.domain.offerings import Offering
from booking.domain.shifts import Shift
from booking.domain.turns import TurnTime
from booking.domain.venues import Adjacency, Combination, Resource, ResourceKind

EVENING = date(2027, 3, 5)
"""A Friday on which no clocks change."""
ZONE = ZoneInfo("Europe/Paris")
_OFFERING, _SHIFT = UUID(int=1), UUID(int=2)
_OPENS, _LAST_START, _CLOSES = 18 * 60, 22 * 60, 24 * 60
_SLOT = 15
_TURNS = (TurnTime(2, 90), TurnTime(4, 105), TurnTime(6, 120), TurnTime(12, 150))
_TABLE_SIZES = {2: 45, 4: 38, 6: 12, 8: 5}
"""Seats of a table, and how common such tables are."""
_PARTY_SIZES = {1: 4, 2: 46, 3: 13, 4: 21, 5: 6, 6: 5, 7: 2, 8: 2, 10: 1}
_PEAK, _SPREAD = 20 * 60, 60.0
"""Most want to come around eight."""
_TURNS_AN_EVENING = 2.2
"""How often the seats could be used at best; demand is given as a share of that."""


@dataclass(frozen=True, slots=True)
class Request:
    """A party that calls, in the order of calling, with the starts that suit it, the dearest first."""

    party: Party
    starts: Sequence[int]
    """Epoch seconds."""


@dataclass(frozen=True, slots=True)
class Evening:
    """A restaurant and everybody who wants to come on one evening."""

    plan: Plan
    offering: Offering
    requests: Sequence[Request]


def evening(seed: int) -> Evening:
    """A restaurant of 8 to 30 tables, and requests for 0.8 to 1.5 times of what its seats can take."""
    random = Random(seed)  # noqa: S311  # nothing secret
    what = Offering(_OFFERING, "Dinner", _TURNS, None, _SLOT, 0, 90)
    tables = _tables(random)
    plan = plan_of(tables, _rows(random, tables), what, hours=(_OPENS, _LAST_START, _CLOSES))
    wanted = sum(each.max_party for each in tables) * _TURNS_AN_EVENING * random.uniform(0.8, 1.5)
    requests: list[Request] = []
    while sum(each.party.size for each in requests) < wanted:
        requests.append(_request(random))
    return Evening(plan, what, requests)


def plan_of(
    tables: Sequence[Resource],
    rows: Sequence[Combination],
    offering: Offering,
    *,
    hours: tuple[int, int, int],
) -> Plan:
    """A venue that offers one thing every day: when it opens, its last start, when it closes.

    Minutes after midnight.
    """
    shift = Shift(_SHIFT, offering.id, tuple(range(1, 8)), *hours)
    return Plan.of(
        1,
        hours=Hours.of(ZONE, shifts=[shift]),
        resources=tables,
        combinations=rows,
        offerings=[offering],
    )


def table(number: int, seats: int, least: int) -> Resource:
    """Tables are named so that their names are in the order of their numbers."""
    return Resource(UUID(int=1000 + number), f"T{number:02}", ResourceKind.TABLE, least, seats)


def row(number: int, tables: Sequence[Resource], joined: int) -> Combination:
    """Neighbours, of which so many may be joined."""
    members = tuple(each.id for each in tables)
    return Combination(UUID(int=2000 + number), f"Row {number}", members, 0, 0, Adjacency(joined))


def _tables(random: Random) -> list[Resource]:
    sizes = random.choices(list(_TABLE_SIZES), list(_TABLE_SIZES.values()), k=random.randint(8, 30))
    strict = random.random() < 0.5  # noqa: PLR2004  # half the houses keep large tables for large parties
    return [
        table(number, seats, max(1, seats - 2) if strict else 1)
        for number, seats in enumerate(sizes, start=1)
    ]


def _rows(random: Random, tables: Sequence[Resource]) -> list[Combination]:
    """Some neighbours can be joined, in rows of two to four."""
    rows: list[Combination] = []
    number = 0
    while number < len(tables) - 1:
        length = random.randint(2, 4)
        members = tables[number : number + length]
        if len(members) > 1 and random.choice((True, False)):
            rows.append(row(len(rows), members, random.choice((2, 3))))
        number += length
    return rows


def _request(random: Random) -> Request:
    size = random.choices(list(_PARTY_SIZES), list(_PARTY_SIZES.values()))[0]
    minute = round(random.gauss(_PEAK, _SPREAD) / _SLOT) * _SLOT
    wished = min(max(minute, _OPENS), _LAST_START)
    patience = random.choices((0, 15, 30, 60), (40, 25, 25, 10))[0]
    minutes = sorted(
        range(max(_OPENS, wished - patience), min(_LAST_START, wished + patience) + 1, _SLOT),
        key=lambda each: (abs(each - wished), each),
    )
    midnight = int(datetime.combine(EVENING, datetime.min.time(), ZONE).timestamp())
    return Request(Party(size), [midnight + each * 60 for each in minutes])
