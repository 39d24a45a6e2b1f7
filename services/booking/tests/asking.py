"""What tests of calendars, batches and alternatives do with a house: ask it, fill it, count what it reads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from booking.domain.availability import Slot
from booking.domain.closures import Closure
from booking.domain.overviews import Overview
from booking.domain.refusals import SlotTaken
from booking.domain.terms import Terms
from booking.domain.venues import ResourceKind
from booking.store.searches import Searches
from booking.usecases import (
    alternatives,
    availability,
    closures,
    overviews,
    venues,
)
from booking.usecases.alternatives import Alternatives
from booking.usecases.lookups import Question
from servicekit import ids

from .conftest import House

MONTH = 42


@dataclass
class Counting:
    """A database that counts what it is asked."""

    inner: Any
    statements: int = 0
    allocations: int = 0
    """Rows of what is taken that came as an answer."""

    @asynccontextmanager
    async def driver(self) -> AsyncIterator["Counting"]:
        """A connection that counts, too."""
        async with self.inner.driver() as connection:
            self._connection = connection
            yield self

    async def fetchrow(self, *arguments: Any) -> Any:
        """One statement."""
        self.statements += 1
        row = await self._connection.fetchrow(*arguments)
        self.allocations += len(row.get("resource_ids") or ())
        return row

    @asynccontextmanager
    async def begin(self, organization: Any) -> AsyncIterator[Any]:
        """A transaction counts once."""
        self.statements += 1
        async with self.inner.begin(organization) as tx:
            yield tx

    @asynccontextmanager
    async def begin_platform(self, *, reason: str) -> AsyncIterator[Any]:
        """Not counted: whose a venue is comes from a cache as a rule."""
        async with self.inner.begin_platform(reason=reason) as tx:
            yield tx


def fresh(house: House, db: Any = None) -> House:
    """The same house as a process sees it that remembers no answer."""
    app = replace(house.app, searches=Searches(), overviews=Searches(), db=db or house.app.db)
    return replace(house, app=app)


async def calendar(house: House, *, days: int = MONTH, party_size: int = 2) -> list[Overview]:
    return await overviews.get_calendar(
        house.app,
        house.ref,
        house.day(0),
        house.day(0) + timedelta(days=days - 1),
        party_size=party_size,
        offering_id=None,
    )


async def slots(house: House, day: date, *, party_size: int = 2, **how: Any) -> list[Slot]:
    found = await availability.search_availability(
        fresh(house).app, house.ref, day, party_size=party_size, offering_id=None, **how
    )
    return found.slots


async def fill(house: House, *, seed: int, most: int) -> None:
    """Guests of all sizes on many days, as far as there is room."""
    random = Random(seed)  # noqa: S311  # a demand that is always the same
    for _ in range(most):
        start = house.start(19, days=random.randint(1, 12)) + 900 * random.randint(0, 12)
        with suppress(SlotTaken):
            await house.book(random.choice([1, 2, 2, 3, 4, 5]), start)


async def close(house: House, days: int) -> None:
    day = house.day(days)
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=day,
        last=day,
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="Ball",
    )
    await closures.create_closure(house.app, house.organization, house.ref, closure)


async def wish_for(
    house: House, hour: int = 19, minute: int = 0, *, days: int = 7, party_size: int = 2, **how: Any
) -> Alternatives:
    question = Question(house.offering.id, house.start(hour, minute, days=days), party_size)
    return await alternatives.find_alternatives(house.app, house.ref, question, **how)


async def sell_out(house: House, *, hour: int = 20, days: int = 7) -> None:
    """Books the three tables that take two, for an hour and a half."""
    for _ in range(3):
        await house.book(2, house.start(hour, days=days))


async def branch(house: House, name: str) -> House:
    """Another venue of the same organization."""
    venue = await venues.create_venue(
        house.app,
        house.organization,
        name=name,
        slug=f"branch-{ids.new().hex[-12:]}",
        time_zone="Europe/Paris",
        currency="EUR",
        address="",
    )
    made = replace(house, venue_id=venue.id)
    for table in ("T1", "T2", "T3"):
        await add_table(made, table, most=2)
    return await made.offer(Terms())


async def add_table(house: House, name: str, *, most: int) -> None:
    await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name=name,
        kind=ResourceKind.TABLE,
        min_party=1,
        max_party=most,
        area_id=None,
    )
