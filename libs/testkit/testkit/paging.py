"""Walks through a list page by page while rows come and go, and finds what is lost or seen twice."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Protocol
from uuid import UUID, uuid4

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from servicekit import paging
from servicekit.database import Transaction
from servicekit.paging import Page

WHOLE = Page(200, None, "")
"""The first page, which has all there is in a test."""

Begin = Callable[[], AbstractAsyncContextManager[Transaction]]
Read = Callable[[Page], Awaitable[tuple[Sequence[UUID], str]]]
Vary = Callable[[int, UUID], dict[str, Any]]


class Listing(Protocol):
    """A list that a walk fills, disturbs and reads."""

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        """Adds rows that share the sort value `sort`, in one transaction; answers their ids."""

    async def remove(self, row: Hashable) -> bool:
        """Removes a row. False when this list keeps what it has."""

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        """The ids of a page, and the token of the next."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens between two pages: rows come, or, for a `number` of 0, the `sort`-th row goes."""

    sort: int
    number: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A walk: what is there first, how large pages are, and what happens after each."""

    groups: tuple[Change, ...]
    size: int
    between: tuple[tuple[Change, ...], ...]


class PageLost(AssertionError):
    """A list showed a row twice, or left one out that was there throughout."""


_coming = st.builds(Change, st.integers(0, 3), st.integers(1, 4))
_going = st.builds(Change, st.integers(0, 50), st.just(0))
PLANS = st.builds(
    Plan,
    st.lists(_coming, min_size=1, max_size=4).map(tuple),
    st.integers(1, 4),
    st.lists(st.lists(_coming | _going, max_size=3).map(tuple), max_size=5).map(tuple),
)
WALKS = settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How often a list on a real database is walked."""


async def walk(listing: Listing, plan: Plan) -> None:
    """Walks through a list while it changes, and empties it again.

    Raises:
        PageLost: a row was seen twice, or one was not seen that was there from before the first page.
    """
    present = [row for group in plan.groups for row in await listing.add(group.sort, group.number)]
    throughout, seen, token = set(present), set[Hashable](), ""
    try:
        for changes in chain(plan.between, repeat(())):
            rows, token = await listing.page(plan.size, token)
            if len(rows) > plan.size or len(set(rows)) < len(rows) or not seen.isdisjoint(rows):
                message = f"seen twice: {rows}"
                raise PageLost(message)
            seen.update(rows)
            if not token:
                break
            for change in changes:
                await _happen(listing, change, present, throughout)
        if not throughout <= seen:
            message = f"lost: {throughout - seen}"
            raise PageLost(message)
    finally:
        for row in present:
            await listing.remove(row)


async def _happen(
    listing: Listing, change: Change, present: list[Hashable], throughout: set[Hashable]
) -> None:
    if change.number:
        present += await listing.add(change.sort, change.number)
    elif present:
        going = present[change.sort % len(present)]
        if await listing.remove(going):
            present.remove(going)
            throughout.discard(going)


class Copies:
    """A list whose rows are copies of one that is there."""

    def __init__(
        self, begin: Begin, table: sa.Table, template: UUID, *, vary: Vary, read: Read, keys: int
    ) -> None:
        """Takes what of a copy differs, by its sort value and id, and a page's ids as the service lists them.

        `keys`: parts of the list's sort key.
        """
        self._begin = begin
        self._table = table
        self._template = template
        self._vary = vary
        self._read = read
        self._keys = keys

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        """Copies, in one transaction. Their ids are in no order."""
        made = [uuid4() for _ in range(number)]
        async with self._begin() as tx:
            query = sa.select(self._table).where(self._table.c.id == self._template)
            row = dict((await tx.execute(query)).mappings().one())
            copies = [row | {"id": each} | self._vary(sort, each) for each in made]
            await tx.execute(sa.insert(self._table), copies)
        return made

    async def remove(self, row: Hashable) -> bool:
        """Deletes a copy."""
        async with self._begin() as tx:
            await tx.execute(sa.delete(self._table).where(self._table.c.id == row))
        return True

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        """As the service answers it."""
        return await self._read(paging.page(size, token, "walk", keys=self._keys))
