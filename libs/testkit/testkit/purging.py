"""Rounds of purging as a test runs them."""

from collections.abc import Mapping
from typing import TypeVar
from uuid import UUID

from servicekit import timers
from servicekit.database import Database
from servicekit.purging import PURGE
from servicekit.retention import Periods, Retention, note
from servicekit.timers import Handlers
from testkit.timers import scheduled

A = TypeVar("A")


async def purge(app: A, db: Database, handlers: Handlers[A], *keys: str) -> None:
    """Runs a whole round of each of these purges, stretch by stretch, as the timer loop does."""
    for key in keys:
        async with db.begin_platform(reason="begin a purge in a test") as tx:
            await timers.schedule(tx, PURGE, key, tx.now)
        going = True
        while going:
            (timer,) = [each for each in await scheduled(db, PURGE) if each.key == key]
            await handlers[PURGE](app, timer)
            (after,) = [each for each in await scheduled(db, PURGE) if each.key == key]
            going = "after" in after.payload


async def keep_for(db: Database, organization: UUID, days: Mapping[str, int], *, version: int = 2) -> None:
    """As if an organization had said for how many days it keeps what; the defaults of all else."""
    async with db.begin(organization) as tx:
        await note(tx, Retention(version, Periods(**days)))
