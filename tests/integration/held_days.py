"""A moment that lasts: bookings have planned, and cannot commit before a test lets them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx

from testkit import eventually

from .arena import Arena, verdicts
from .invariants import Bookkeeping

_PATIENCE = 60.0
_MOST_WAITING = 12
"""Fewer than connections to the database, of which each of three processes has six for what guests book."""

_WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@asynccontextmanager
async def days_held(books: Bookkeeping) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Whoever commits on a service day that the venue has, waits until the end. Yields how many wait."""
    connection = await asyncpg.connect(books.database)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM service_days WHERE venue_id = $1 FOR UPDATE", books.venue)

            async def waiting() -> int:
                await connection.execute("SELECT pg_stat_clear_snapshot()")
                return int(await connection.fetchval(_WAITING))

            yield waiting
    finally:
        await connection.close()


async def fight(house: Arena, attempts: Sequence[Awaitable[httpx.Response]]) -> Counter[tuple[int, str]]:
    """All at once, on days that have bookings: twelve at least have planned before the first one commits."""
    async with days_held(house.books) as waiting:
        fighting = asyncio.create_task(verdicts(attempts))

        async def enough_wait() -> bool:
            return fighting.done() or await waiting() >= min(len(attempts), _MOST_WAITING)

        await eventually(enough_wait, timeout=_PATIENCE)
    return await fighting
