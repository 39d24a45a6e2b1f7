"""Waiting for something to become true, without sleeping for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

import sqlalchemy as sa

from servicekit.database import Database

T = TypeVar("T")

_PAUSE = 0.05


@overload
async def eventually(probe: Callable[[], Awaitable[T]], *, timeout: float = ...) -> T: ...  # noqa: ASYNC109


@overload
async def eventually(probe: Callable[[], T], *, timeout: float = ...) -> T: ...  # noqa: ASYNC109


async def eventually(probe: Callable[[], Any], *, timeout: float = 30.0) -> Any:  # noqa: ASYNC109
    """The first truthy answer of `probe`. An AssertionError of the probe counts as "not yet".

    Raises:
        AssertionError: it did not become true within `timeout` seconds; the probe's own one when it has one.
    """
    limit = time.monotonic() + timeout
    while True:
        failure: AssertionError | None = None
        try:
            answer = probe()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
        except AssertionError as error:
            failure = error
        if time.monotonic() > limit:
            raise failure or AssertionError(f"not true within {timeout} s")
        await asyncio.sleep(_PAUSE)


async def waiting_for_locks(db: Database) -> int:
    """How many wait for a lock that somebody else has, in the whole server."""
    async with db.begin_platform(reason="look into the database in a test") as tx:
        found: int = (
            await tx.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        ).scalar_one()
    return found
