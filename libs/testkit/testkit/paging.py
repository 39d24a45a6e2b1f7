"""Walks through a list page by page while rows come and go, and finds what is lost or seen twice."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Protocol
from uuid import uuid4

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from servicekit import contract, paging
from servicekit.database import Transaction
from servicekit.paging import Page

WHOLE = Page(200, None, "")
"""The first page, which has all there is in a test."""

Begin = Callable[[], AbstractAsyncContextManager[Transaction]]
Read = Callable[[Page], Awaitable[tuple[Sequence[Any], str]]]
Vary = Callable[[int, Any], dict[str, Any]]
Beside = Callable[[Transaction, Sequence[Any]], Awaitable[None]]


class Listing(Protocol):
    """A list that a walk fills, disturbs and reads."""

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        """Adds rows that share the sort value `sort`, in one transaction; answers their ids."""

    async def remove(self, *rows: Hashable) -> bool:
        """Removes rows, in one transaction. False when this list keeps what it has."""

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


def paged(service: str) -> set[str]:
    """The RPCs of a service that answer page by page, like "VenueService.ListVenues"."""
    return {
        f"{rpc.method.containing_service.name}.{rpc.method.name}"
        for rpc in contract.rpcs().values()
        if rpc.service == service
        and not {"page_size", "page_token"}.isdisjoint(rpc.method.input_type.fields_by_name)
    }


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
        await listing.remove(*present)


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


async def copy(tx: Transaction, key: sa.Column[Any], template: object, changed: list[dict[str, Any]]) -> None:
    """Copies the rows of the key's table whose key is `template`, each time with other values."""
    rows = (await tx.execute(sa.select(key.table).where(key == template))).mappings().all()
    await tx.execute(sa.insert(key.table), [dict(row) | each for row in rows for each in changed])


class Copies:
    """A list whose rows are copies of one that is there."""

    def __init__(
        self,
        begin: Begin,
        key: sa.Column[Any],
        template: object,
        *,
        read: Read,
        keys: int,
        vary: Vary = lambda _sort, _row: {},
        shown: Callable[[Any], Hashable] = attrgetter("id"),
        make: Callable[[], Hashable] = uuid4,
        beside: Beside | None = None,
        parts: sa.Column[Any] | None = None,
    ) -> None:
        """Copies the row whose `key`, unique in the list, is `template`; `read` lists as the service does.

        `keys`: parts of the list's sort key. `vary`: what else of a copy differs, by its sort value and key.
        `shown`: the key of what is listed. `make`: a key that is free. `beside`: writes what rows with these
        keys refer to. `parts`: refers to the key from rows that come and go with theirs.
        """
        self._begin = begin
        self._key = key
        self._template = template
        self._vary = vary
        self._read = read
        self._keys = keys
        self._shown = shown
        self._make = make
        self._beside = beside
        self._parts = parts

    async def add(self, sort: int, number: int) -> Sequence[Hashable]:
        """Copies, in one transaction. Their keys are in no order unless `make` has one."""
        made = [self._make() for _ in range(number)]
        async with self._begin() as tx:
            if self._beside is not None:
                await self._beside(tx, made)
            copies = [{self._key.name: each} | self._vary(sort, each) for each in made]
            await copy(tx, self._key, self._template, copies)
            if self._parts is not None:
                await copy(tx, self._parts, self._template, [{self._parts.name: each} for each in made])
        return made

    async def remove(self, *rows: Hashable) -> bool:
        """Deletes copies."""
        async with self._begin() as tx:
            for key in (self._parts, self._key):
                if key is not None:
                    await tx.execute(sa.delete(key.table).where(key.in_(rows)))
        return True

    async def page(self, size: int, token: str) -> tuple[Sequence[Hashable], str]:
        """As the service answers it."""
        found, after = await self._read(paging.page(size, token, "walk", keys=self._keys))
        return [self._shown(each) for each in found], after
