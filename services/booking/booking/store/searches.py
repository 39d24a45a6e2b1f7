"""Searches answered lately, each with the versions it was made of. Used only while these still stand."""

import time
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa

from booking.store.days import compiled, parameters
from servicekit.database import Database

_MOST = 256
_SECONDS = 2.0
"""Notice, releases and holds that run out change answers without a version; so long may they come late."""

T = TypeVar("T")

_READ: sa.Select[*tuple[Any, ...]] = sa.select(
    *(sa.column(name) for name in ("venue_version", "day_dates", "day_versions"))
).select_from(
    sa.func.read_day_versions(
        *parameters(organization=sa.Uuid, venue=sa.Uuid, first=sa.Date, last=sa.Date)
    ).table_valued()
)
_BARE_READ, _READ_ORDER = compiled(_READ)


@dataclass(frozen=True, slots=True)
class Versions:
    """What a search depends on: the venue, and every service day whose stays may touch the one searched."""

    venue: int
    days: Mapping[date, int]
    """Days that nothing was ever booked on are left out."""


async def read_versions(
    db: Database, organization: UUID, venue_id: UUID, first: date, last: date
) -> Versions | None:
    """The versions as they stand, of service days from `first` to `last`; None without such a venue."""
    values = {"organization": organization, "venue": venue_id, "first": first, "last": last}
    async with db.driver() as connection:
        row = await connection.fetchrow(_BARE_READ, *(values[name] for name in _READ_ORDER))
    if row is None:
        return None
    return Versions(
        row["venue_version"], dict(zip(row["day_dates"] or (), row["day_versions"] or (), strict=True))
    )


class Searches(Generic[T]):
    """Answers by what was asked, the ones asked for longest ago forgotten first."""

    def __init__(self, *, seconds: float = _SECONDS, most: int = _MOST) -> None:
        """Keeps `most` answers; each for `seconds` at most."""
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[Hashable, tuple[Versions, float, T]] = OrderedDict()

    def has(self, asked: Hashable) -> bool:
        """Whether an answer that is new enough is kept; its versions may be outdated."""
        return self._fresh(asked) is not None

    def get(self, asked: Hashable, versions: Versions | None) -> T | None:
        """The answer kept, if it is new enough and was made of these versions."""
        entry = self._fresh(asked)
        if entry is None or entry[0] != versions:
            return None
        self._kept.move_to_end(asked)
        return entry[2]

    def put(self, asked: Hashable, versions: Versions, answer: T) -> None:
        """Keeps an answer that was made of these versions just now."""
        self._kept[asked] = (versions, time.monotonic(), answer)
        self._kept.move_to_end(asked)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def _fresh(self, asked: Hashable) -> tuple[Versions, float, T] | None:
        entry = self._kept.get(asked)
        if entry is None or time.monotonic() - entry[1] > self._seconds:
            return None
        return entry
