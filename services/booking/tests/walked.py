"""A venue's lists as they are walked: rows come as copies of one that is there."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.closures import Closure
from booking.store import hours as hours_store
from servicekit import ids
from servicekit.database import Transaction
from testkit.paging import Copies, Read, Vary

from .conftest import House


def copies(house: House, table: sa.Table, template: UUID, read: Read, *, keys: int = 2, **how: Any) -> Copies:
    """The list that `read` lists, as `Copies` takes it."""

    def begin() -> AbstractAsyncContextManager[Transaction]:
        return house.app.db.begin(house.organization)

    return Copies(begin, table.c.id, template, read=read, keys=keys, **how)


def parts(house: House, listed: Callable[..., Any], *days: date) -> Read:
    """Reads a list of the venue's, one of some days if days are given."""
    where = (house.app, house.organization, house.ref, *days)
    return lambda page: listed(*where, page=page)


def starting(house: House) -> Vary:
    """Copies that differ in when they start."""
    start = datetime.fromtimestamp(house.start(), tz=None).astimezone()

    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        begins = start + timedelta(minutes=15 * sort, microseconds=sort)
        return {"start_at": begins, "end_at": begins + timedelta(hours=1)}

    return vary


async def close(house: House, last: date) -> UUID:
    """Closes the venue from the day on that visits are on; nobody is told."""
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=house.day(),
        last=last,
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="",
    )
    async with house.app.db.begin(house.organization) as tx:
        await hours_store.insert_closure(tx, house.venue_id, closure)
    return closure.id
