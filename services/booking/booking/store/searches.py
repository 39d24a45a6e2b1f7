"""Searches answered lately, each with the versions it was made of. Used only while these still stand."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

import sqlalchemy as sa

from booking.store.days import Window
from booking.store.versions import Versions
from booking.tables import ALLOCATIONS, BOOKINGS
from servicekit.database import Transaction

_MOST = 256
_SECONDS = 2.0
"""Notice, releases and holds that run out change answers without a version; so long may they come late."""

T = TypeVar("T")

_SINCE = sa.bindparam("since", type_=sa.DateTime(timezone=True))
_A_HOLD_ENDED = sa.select(
    sa.exists().where(
        ALLOCATIONS.c.venue_id == sa.bindparam("venue"),
        ALLOCATIONS.c.start_at > sa.bindparam("start", type_=sa.DateTime(timezone=True)) - timedelta(days=1),
        ALLOCATIONS.c.start_at < sa.bindparam("end"),
        ALLOCATIONS.c.expires_at > _SINCE,
        ALLOCATIONS.c.expires_at <= sa.func.statement_timestamp(),
    )
    # Pacing counts what begins on the whole service day, also outside of the hours.
    | sa.exists().where(
        BOOKINGS.c.venue_id == sa.bindparam("venue"),
        BOOKINGS.c.service_date.in_(sa.bindparam("days", expanding=True)),
        BOOKINGS.c.hold_expires_at > _SINCE,
        BOOKINGS.c.hold_expires_at <= sa.func.statement_timestamp(),
    )
)


async def a_hold_ended(tx: Transaction, venue_id: UUID, window: Window, *, since: int) -> bool:
    """Whether a hold of the venue has run out since then (epoch seconds), of those in the window."""
    moments = {"start": window.start, "end": window.end, "since": since}
    values = {name: datetime.fromtimestamp(at, UTC) for name, at in moments.items()}
    asked = {"venue": venue_id, "days": window.days, **values}
    return bool((await tx.execute(_A_HOLD_ENDED, asked)).scalar_one())


class Kept(NamedTuple, Generic[T]):
    """An answer, what it was made of, and when."""

    versions: Versions
    looked_at: float
    """By this process's own clock."""
    made: int
    """By the database's clock, in epoch seconds."""
    answer: T


class Searches(Generic[T]):
    """Answers by what was asked, the ones asked for longest ago forgotten first."""

    def __init__(self, *, seconds: float = _SECONDS, most: int = _MOST) -> None:
        """Keeps `most` answers; each is new enough for `seconds`."""
        self._seconds, self._most = seconds, most
        self._kept: OrderedDict[Hashable, Kept[T]] = OrderedDict()

    def has(self, asked: Hashable, *, oldest: float | None = None) -> bool:
        """Whether an answer is kept that is new enough, or not older than `oldest` seconds.

        Its versions may be outdated.
        """
        entry = self._kept.get(asked)
        most = self._seconds if oldest is None else oldest
        return entry is not None and time.monotonic() - entry.looked_at <= most

    def get(self, asked: Hashable, versions: Versions | None) -> T | None:
        """The answer kept, if it is new enough and was made of these versions."""
        entry = self.older(asked, versions)
        if entry is None or time.monotonic() - entry.looked_at > self._seconds:
            return None
        self._kept.move_to_end(asked)
        return entry.answer

    def older(self, asked: Hashable, versions: Versions | None) -> Kept[T] | None:
        """What was made of these versions, new enough or not: only time can have changed it."""
        entry = self._kept.get(asked)
        return entry if entry is not None and entry.versions == versions else None

    def put(self, asked: Hashable, versions: Versions, answer: T, *, made: int, read: float) -> None:
        """Keeps an answer that is true of these versions and of `made`, which this clock calls `read`.

        An answer of a later reading stays.
        """
        known = self._kept.get(asked)
        if known is not None and known.looked_at > read:
            return
        self._kept[asked] = Kept(versions, read, made, answer)
        self._kept.move_to_end(asked)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
