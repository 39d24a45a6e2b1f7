"""Bare asyncpg connections in autocommit, for hot paths of one statement. Opened when first wanted."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from servicekit.errors import AppError
from servicekit.telemetry import metrics

_CONNECT_SECONDS = 5.0
_REFUSED_BY_THE_SERVER = (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Failures after which a connection is as good as before."""

Driver: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class DriverPool:
    """A third of what a connection costs through SQLAlchemy's pool; nothing is reset between two users.

    So whoever uses one leaves nothing behind in the session: one statement, in autocommit.
    """

    def __init__(
        self, url: str, *, size: int, wait_seconds: float, server_settings: Mapping[str, str]
    ) -> None:
        """Connects to nothing yet. At most `size` connections; idle ones are closed after five minutes."""
        self._url, self._size, self._wait_seconds = url, size, wait_seconds
        self._settings = dict(server_settings)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    def lease(self) -> "Lease":
        """A connection for one statement: `async with drivers.lease() as connection`.

        One that was cut off in the middle of its statement is closed: nobody uses it again.

        Raises:
            TimeoutError: none was free in `wait_seconds`.
            OSError, asyncpg.PostgresError: the server cannot be reached, or refused.
        """
        return Lease(self)

    async def acquire(self) -> Driver:
        """One that is nobody else's until `release`."""
        pool = self._pool or await self._open()
        # A time limit costs a tenth of a statement: it is set only where there may be something to wait for.
        return await pool.acquire(timeout=None if pool.get_idle_size() else self._wait_seconds)

    async def release(self, connection: Driver) -> None:
        """Gives it back."""
        if self._pool is not None:
            await self._pool.release(connection)

    async def close(self) -> None:
        """Closes every connection at once; what still runs on one fails."""
        if self._pool is not None:
            self._pool.terminate()

    async def _open(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=self._size,
                    timeout=_CONNECT_SECONDS,
                    reset=_keep,
                    server_settings=self._settings,
                )
            return self._pool


class Lease:
    """What `DriverPool.lease` answers. A class, because a generator would cost as much again."""

    __slots__ = ("_connection", "_drivers")

    def __init__(self, drivers: DriverPool) -> None:
        self._drivers = drivers

    async def __aenter__(self) -> Driver:
        self._connection = await self._drivers.acquire()
        metrics.DATABASE_CONNECTIONS.inc()
        return self._connection

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object
    ) -> None:
        metrics.DATABASE_CONNECTIONS.dec()
        if error is not None and not isinstance(error, _REFUSED_BY_THE_SERVER):
            self._connection.terminate()
        await self._drivers.release(self._connection)


async def _keep(_connection: Any) -> None:
    """Instead of asyncpg's own reset, which costs a round trip."""
