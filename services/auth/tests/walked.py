"""An organization whose lists are walked: rows come as copies of the one that its owner has."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from servicekit.database import Transaction
from servicekit.identity import Caller
from testkit.paging import Copies, Read

from .conftest import People
from .operating import OWNER
from .staff import log_in

_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


@dataclass(frozen=True)
class House:
    """An organization, and its owner, who has one row of what a walk copies."""

    people: People
    owner: Caller

    @classmethod
    async def open(cls, people: People) -> "House":
        """One that is new, and its owner logged in."""
        await people.own(OWNER)
        return cls(people, await log_in(people, OWNER))

    @property
    def app(self) -> App:
        return self.people.app

    @property
    def organization(self) -> UUID:
        return self.owner.tenant

    @property
    def user(self) -> UUID:
        assert self.owner.user is not None
        return self.owner.user

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Whoever's the rows are."""
        return self.app.db.begin_platform(reason="copy rows in a test")

    def copies(
        self, key: sa.Column[Any], template: object, read: Read, *, keys: int = 1, **how: Any
    ) -> Copies:
        """The list that `read` lists, as `Copies` takes it."""
        return Copies(self.begin, key, template, read=read, keys=keys, **how)


def hashed(column: str) -> Callable[[int, UUID], dict[str, Any]]:
    """Copies that differ in a hash."""
    return lambda _sort, row: {column: row.bytes * 2}


def addressed(sort: int, row: UUID) -> dict[str, Any]:
    """Copies that differ in their address."""
    return {"email": f"{sort}-{row}@example.org"}


def since(sort: int, _row: UUID) -> dict[str, Any]:
    """Copies that differ in when they were made: some hours after the clocks went back."""
    return {"created_at": _SINCE + timedelta(hours=sort, microseconds=sort)}
