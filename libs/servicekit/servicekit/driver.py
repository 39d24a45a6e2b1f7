"""Bare asyncpg connections in autocommit, for hot paths of one statement. Opened when first wanted."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import TypeAlias

import asyncpg

from servicekit.errors import AppError
from servicekit.telemetry import metrics

_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 3.0
_CLOSE_SECONDS = 5.0
_IDLE_SECONDS = 300.0
_REFUSED_BY_THE_SERVER = (AppError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""Failures after which a connection is as good as before."""

Driver: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class DriverPool:
    """A tenth of what a connection costs through a pool that resets it: nothing is, between two users.

    So whoever uses one leaves nothing behind in the session: one statement, in autocommit.
    """

    def __init__(
        self, url: str, *, size: int, server_settings: Mapping[str, str], idle_seconds: float = _IDLE_SECONDS
    ) -> None:
        """Connects to nothing yet. At most `size` connections; idle ones are closed after five minutes."""
        self._url, self._settings, self._idle_seconds = url, dict(server_settings), idle_seconds
        self._free = asyncio.Semaphore(size)
        self._idle: deque[tuple[float, Driver]] = deque()
        """Since when, and which; the one given back last is lent first."""
        self._open: set[Driver] = set()
        self._sweep: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def acquire(self) -> Driver:
        """One that is nobody else's until `release`.

        Raises:
            TimeoutError: none was free in three seconds.
            OSError, asyncpg.PostgresError: the server cannot be reached, or refused.
        """
        if self._free.locked():  # a time limit costs as much as all the rest
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._free.acquire()
        else:
            await self._free.acquire()
        while self._idle:
            connection = self._idle.pop()[1]
            if not connection.is_closed():
                return connection
            self._open.discard(connection)
        try:
            return await self._connect()
        except BaseException:
            self._free.release()
            raise

    def release(self, connection: Driver) -> None:
        """Gives it back."""
        if connection.is_closed():
            self._open.discard(connection)
        else:
            self._idle.append((time.monotonic(), connection))
            if self._sweep is None:
                self._sweep = asyncio.get_running_loop().call_later(self._idle_seconds, self._close_idle)
        self._free.release()

    async def close(self) -> None:
        """Closes every connection at once; what still runs on one fails."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        while self._open:
            self._open.pop().terminate()

    async def _connect(self) -> Driver:
        connection = await asyncpg.connect(
            self._url, timeout=_CONNECT_SECONDS, server_settings=self._settings
        )
        self._open.add(connection)
        return connection

    def _close_idle(self) -> None:
        """Closes what nobody wanted for long, and comes again for the rest."""
        self._sweep = None
        loop, now = asyncio.get_running_loop(), time.monotonic()
        while self._idle and self._idle[0][0] <= now - self._idle_seconds:
            connection = self._idle.popleft()[1]
            self._open.discard(connection)
            closing = loop.create_task(_close(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        if self._idle:
            left = self._idle[0][0] + self._idle_seconds - now
            self._sweep = loop.call_later(left, self._close_idle)


class Lease:
    """A connection for one statement: `async with Lease(drivers) as connection`. Raises as `acquire`.

    One that was cut off in the middle of its statement is closed: nobody uses it again.
    """

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
        self._drivers.release(self._connection)


async def _close(connection: Driver) -> None:
    """Says goodbye to the server; one that does not listen any more is dropped."""
    try:
        await connection.close(timeout=_CLOSE_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
