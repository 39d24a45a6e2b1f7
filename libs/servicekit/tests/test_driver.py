"""Bare connections: so many and no more, each for one user at a time, none kept that nobody wants."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from servicekit.driver import DriverPool, Lease
from servicekit.settings import DatabaseSettings
from testkit import eventually

SIZE = 2


@pytest.fixture
async def drivers(database_settings: DatabaseSettings) -> AsyncIterator[DriverPool]:
    """A pool that closes what was idle for a moment."""
    url = database_settings.url.get_secret_value()
    pool = DriverPool(url, size=SIZE, server_settings={"application_name": "drivers"}, idle_seconds=0.2)
    yield pool
    await pool.close()


async def backend(drivers: DriverPool, *, seconds: float = 0.0) -> int:
    """Which of the server's processes a lease got."""
    async with Lease(drivers) as connection:
        found: int = await connection.fetchval("SELECT pg_backend_pid() FROM pg_sleep($1)", seconds)
        return found


async def test_many_users_share_few_connections(drivers: DriverPool) -> None:
    seen = await asyncio.gather(*(backend(drivers, seconds=0.02) for _ in range(5 * SIZE)))
    assert len(set(seen)) == SIZE


async def test_one_after_the_other_has_the_same_connection(drivers: DriverPool) -> None:
    assert len({await backend(drivers) for _ in range(3)}) == 1


async def test_what_nobody_wants_is_closed(drivers: DriverPool, db_watch: DriverPool) -> None:
    await asyncio.gather(*(backend(drivers, seconds=0.02) for _ in range(SIZE)))

    async def none_left() -> bool:
        async with Lease(db_watch) as connection:
            open_now = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'drivers'"
            )
            return bool(open_now == 0)

    assert not await none_left()
    await eventually(none_left, timeout=10)
    assert await backend(drivers)


async def test_a_connection_that_never_came_about_takes_nobodys_place(
    database_settings: DatabaseSettings,
) -> None:
    wrong = database_settings.url.get_secret_value().rsplit("/", 1)[0] + "/nowhere"
    pool = DriverPool(wrong, size=1, server_settings={})
    for _ in range(3):
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await backend(pool)
    await pool.close()


@pytest.fixture
async def db_watch(database_settings: DatabaseSettings) -> AsyncIterator[DriverPool]:
    """Somebody else, who looks on."""
    pool = DriverPool(database_settings.url.get_secret_value(), size=1, server_settings={})
    yield pool
    await pool.close()
