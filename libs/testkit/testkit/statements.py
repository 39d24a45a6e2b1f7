"""What a piece of work sends to a database: the measure of equal work that a busy machine does not blur."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa

from servicekit.database import Database

T = TypeVar("T")


@asynccontextmanager
async def sent(db: Database) -> AsyncIterator[list[str]]:
    """The statements of both pools meanwhile, without their values, in the order in which they ended.

    Of the bare connections one is listened to: the work is done by one call at a time.
    """
    seen: list[str] = []

    def note(*said: Any) -> None:
        seen.append(str(said[2]))

    def note_bare(record: Any) -> None:
        seen.append(str(record.query))

    engine = db.engine.sync_engine
    async with db.driver() as bare:
        connection = bare._con  # noqa: SLF001  # the pool lends a proxy that forgets its listeners
    connection.add_query_logger(note_bare)
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        connection.remove_query_logger(note_bare)


async def costs_the_same(db: Database, call: Callable[[T], Awaitable[object]], one: T, other: T) -> bool:
    """Whether both calls send the same statements, and any at all. The first round may fill caches."""
    work = []
    for each in (one, other, one, other):
        async with sent(db) as statements:
            await call(each)
            await asyncio.sleep(0)  # the bare connection tells its listeners a turn later
        work.append(list(statements))
    return work[2] == work[3] != []
