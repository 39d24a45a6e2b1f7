"""Versions of venues and their service days, as they stood a moment ago."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from booking.store.statements import compiled, parameters
from servicekit.database import Database, Transaction

SECONDS = 0.1
"""How old a version may be that another process has changed since. Searches may be stale by two seconds
(architecture §7); this is what a guest who looks again at once does not notice."""
_MOST_ORGANIZATIONS = 1_000
_MOST_QUESTIONS = 500

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


class _Read(NamedTuple):
    at: float
    """When it was asked for, by this process's own clock."""
    versions: Versions | None


_Question = tuple[UUID, date, date]
_known: OrderedDict[UUID, dict[_Question, _Read]] = OrderedDict()
"""What this process has read lately, by organization."""


async def read_versions(
    db: Database, organization: UUID, venue_id: UUID, first: date, last: date
) -> Versions | None:
    """The versions of service days from `first` to `last`; None without such a venue.

    Of at most `SECONDS` ago, and never of before what this process itself has committed or found since.
    """
    known = _known.get(organization)
    if known is None or len(known) >= _MOST_QUESTIONS:
        known = _known[organization] = {}
        if len(_known) > _MOST_ORGANIZATIONS:
            _known.popitem(last=False)
    asked, now = (venue_id, first, last), time.monotonic()
    read = known.get(asked)
    if read is None or now - read.at > SECONDS:
        # What is forgotten while this reads goes with the dictionary that it was for.
        read = known[asked] = _Read(now, await _read(db, organization, venue_id, first, last))
    return read.versions


def forget(organization: UUID | None) -> None:
    """For whoever changed a day or a venue, or learned that somebody has. None: of every organization."""
    if organization is None:
        _known.clear()
    else:
        _known.pop(organization, None)


def forget_after(tx: Transaction) -> None:
    """Forgets once the transaction is committed."""
    tx.after_commit.append(partial(forget, tx.organization))


async def _read(db: Database, organization: UUID, venue_id: UUID, first: date, last: date) -> Versions | None:
    values = {"organization": organization, "venue": venue_id, "first": first, "last": last}
    async with db.driver() as connection:
        row = await connection.fetchrow(_BARE_READ, *(values[name] for name in _READ_ORDER))
    if row is None:
        return None
    return Versions(
        row["venue_version"], dict(zip(row["day_dates"] or (), row["day_versions"] or (), strict=True))
    )
