"""The engine alone: how long a search of a full day takes, by party size. No program, no database."""

import time
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

from booking.domain import availability
from booking.domain.floor import Party
from booking.domain.offerings import Offering
from booking.domain.turns import TurnTime
from tools.bench.figures import percentile
from tools.bench.seating.evenings import EVENING, ZONE, plan_of, row, table
from tools.bench.seating.policies import House, Policy

TARGET_MS = 5.0
"""What 95 of 100 searches may take."""
PARTIES = range(1, 13)
_TABLES, _BOOKINGS, _STARTS = 60, 200, 96
_SEATS = (2, 2, 2, 4, 4, 6)
_TURNS = (TurnTime(2, 90), TurnTime(4, 105), TurnTime(6, 120), TurnTime(12, 150))
_AHEAD = 86_400


@dataclass(frozen=True, slots=True)
class Speed:
    """What searches took, in milliseconds of CPU."""

    p50: float
    p95: float
    most: float


def full_house(*, crowded: bool, seed: int = 1) -> House:
    """60 tables in rows of five, 96 starts, 200 bookings: all day long, or in one crowded evening."""
    random = Random(seed)  # noqa: S311  # nothing secret
    what = Offering(UUID(int=1), "Table", _TURNS, None, 24 * 60 // _STARTS, 0, 90)
    tables = [table(number, _SEATS[number % len(_SEATS)], 1) for number in range(_TABLES)]
    rows = [row(number, tables[5 * number : 5 * number + 5], 3) for number in range(_TABLES // 5)]
    plan = plan_of(tables, rows, what, hours=(0, 24 * 60 - 15, 24 * 60))
    house = House(plan, what, Policy.BEST_FIT)
    starts = plan.starts(what, EVENING)
    while house.parties < _BOOKINGS:
        number = min(95, max(0, round(random.gauss(80, 7)))) if crowded else random.randrange(_STARTS)
        house.accept(Party(random.choice((1, 2, 2, 2, 3, 4, 4, 5, 6))), starts[number])
    return house


def measure(house: House, *, rounds: int) -> dict[int, Speed]:
    """Of each party size; sizes take turns."""
    now = int(datetime.combine(EVENING, datetime.min.time(), ZONE).timestamp()) - _AHEAD
    taken = house.taken
    times: dict[int, list[float]] = {size: [] for size in PARTIES}
    for _ in range(rounds):
        for size, spent in times.items():
            began = time.process_time()
            availability.search(
                house.plan, [house.offering], EVENING, party=Party(size), taken=taken, now=now
            )
            spent.append((time.process_time() - began) * 1e3)
    return {size: _speed(spent) for size, spent in times.items()}


def overall(times: dict[int, Speed]) -> Speed:
    """The slowest party size in each figure: what is promised for every size."""
    return Speed(*(max(getattr(each, part) for each in times.values()) for part in ("p50", "p95", "most")))


def _speed(spent: list[float]) -> Speed:
    return Speed(percentile(spent, 0.5), percentile(spent, 0.95), max(spent))
