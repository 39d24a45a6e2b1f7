"""Bare asyncpg connections in autocommit, for hot paths of one statement. Opened when first wanted."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from servicekit.errors import AppError
from servicekit.telemetry import metrics

_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 3.0
_REFUSED_BY_THE_SERVER = (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Failures after which a connection is as good as before."""

Driver: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"


class DriverPool:
    """A third of what a connection costs through SQLAlchemy's pool; nothing is reset between two users.

    So whoever uses one leaves nothing behind in the session: one statement, in autocommit.
    """

    def __init__(self, url: str, *, size: int, server_settings: Mapping[str, str]) -> None:
        """Connects to nothing yet. At most `size` connections; idle ones are closed after five minutes."""
        self._url, self._size, self._settings = url, size, dict(server_settings)
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Driver]:
        """One for a statement. One that was cut off in the middle of it is closed: nobody uses it again.

        Raises:
            TimeoutError: none was free in three seconds.
            OSError, asyncpg.PostgresError: the server cannot be reached, or refused.
        """
        pool = self._pool or await self._open()
        async with pool.acquire(timeout=_WAIT_SECONDS) as connection:
            metrics.DATABASE_CONNECTIONS.inc()
            try:
                yield connection
            except BaseException as error:
                if not isinstance(error, _REFUSED_BY_THE_SERVER):
                    connection.terminate()
                raise
            finally:
                metrics.DATABASE_CONNECTIONS.dec()

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


async def _keep(_connection: Any) -> None:
    """Instead of asyncpg's own reset, which costs a round trip."""
