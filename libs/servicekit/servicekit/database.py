"""PostgreSQL: transactions bound to one tenant by row-level security, with timeouts, at READ COMMITTED."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import CursorResult, Executable, bindparam, event, func, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.types import String

from servicekit import deadline, held, identity
from servicekit.driver import Driver, DriverPool
from servicekit.errors import AppError, Busy, DeadlineExceeded, Unavailable
from servicekit.settings import DatabaseSettings
from servicekit.telemetry import metrics

_IDLE_IN_TRANSACTION_MS = "15000"

# set_config(..., true) lasts until the end of the transaction; 'role' is a setting like any other. One round
# trip opens every transaction: tenant or role, time budget, and the database's clock.
_ENTER_TENANT = select(
    func.set_config("app.organization_id", bindparam("organization", type_=String), True),
    func.set_config("app.venues", bindparam("venues", type_=String), True),
    func.set_config("statement_timeout", bindparam("timeout", type_=String), True),
    func.now().label("now"),
)
_ENTER_PLATFORM = select(
    func.set_config("role", bindparam("role", type_=String), True),
    func.set_config("statement_timeout", bindparam("timeout", type_=String), True),
    func.now().label("now"),
)


_DRIVER_FAILURES = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


class Transaction:
    """One open transaction. Everything in it commits together or not at all."""

    def __init__(self, connection: AsyncConnection, organization: UUID | None, now: datetime) -> None:
        self._connection = connection
        self.organization = organization
        self.now = now
        """The database's clock when the transaction began; the only clock that holds and deadlines follow."""
        self.after_commit: list[Callable[[], None]] = []
        """Called once the commit is durable: to wake a loop, never to do work."""

    async def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Runs one statement. `values` is one mapping, or a list of them for many rows."""
        result = await self._connection.execute(statement, values)
        assert isinstance(result, CursorResult)  # noqa: S101  # Core always answers one
        return result


class Database:
    """The service's own database."""

    def __init__(self, settings: DatabaseSettings, *, name: str) -> None:
        self._settings = settings
        self._platform_role = f"{name}_platform"
        url = settings.url.get_secret_value()
        server_settings = {
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": str(settings.statement_timeout_ms),
            "lock_timeout": str(settings.lock_timeout_ms),
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_MS,
        }
        wait_seconds = settings.pool_timeout_ms / 1000
        self._drivers = DriverPool(
            url, size=settings.pool_size, wait_seconds=wait_seconds, server_settings=server_settings
        )
        self.engine: AsyncEngine = create_async_engine(
            url.replace("postgresql://", "postgresql+asyncpg://", 1),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=wait_seconds,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={
                "timeout": 5,
                "command_timeout": settings.silence_seconds,
                "server_settings": server_settings,
            },
        )
        pool = self.engine.sync_engine.pool
        event.listen(pool, "checkout", _checked_out)
        event.listen(pool, "checkin", lambda *_: metrics.DATABASE_CONNECTIONS.dec())

    @asynccontextmanager
    async def begin(self, organization: UUID) -> AsyncIterator[Transaction]:
        """A transaction that sees and writes the rows of one organization only.

        In an RPC for members whose caller is limited to venues: only theirs, of the tables that were told
        to by `migrations.keep_to_venues`.

        Raises:
            Unavailable: the database cannot be reached, or broke off.
            Busy: a lock was not to be had in time.
            DeadlineExceeded: the time budget ran out.
        """
        entering = {"organization": str(organization), "venues": _array(identity.venues())}
        async with self._transaction(_ENTER_TENANT, entering, organization) as tx:
            yield tx

    @asynccontextmanager
    async def begin_platform(self, *, reason: str) -> AsyncIterator[Transaction]:
        """The named and counted exception: a transaction that crosses tenants. Raises like `begin`."""
        metrics.PLATFORM_TRANSACTIONS.labels(reason).inc()
        async with self._transaction(_ENTER_PLATFORM, {"role": self._platform_role}, None) as tx:
            yield tx

    @asynccontextmanager
    async def _transaction(
        self, enter: Executable, values: dict[str, str], organization: UUID | None
    ) -> AsyncIterator[Transaction]:
        async def opened(connection: AsyncConnection) -> Transaction:
            with_budget = values | {"timeout": str(self._budget_ms())}
            row = (await connection.execute(enter, with_budget)).one()
            return Transaction(connection, organization, row.now)

        call = held.current()
        if call is not None and call.takes:
            with mapped():
                async with call.begin(self.engine, (organization, values.get("venues", "")), opened) as tx:
                    yield tx
            return
        with mapped():
            async with self.engine.begin() as connection:
                tx = await opened(connection)
                yield tx
        for notify in tx.after_commit:
            notify()

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[Driver]:
        """A bare connection in autocommit, for a hot path of one statement that sets its tenant itself.

        From a pool of its own, as large as the other. Raises like `begin`.
        """
        with mapped():
            await held.settle()
            async with self._drivers.lease() as connection:
                yield connection

    def _budget_ms(self) -> int:
        left = deadline.remaining()
        allowed = self._settings.statement_timeout_ms
        return allowed if left is None else max(1, min(allowed, int(left * 1000)))

    async def assert_sound(self) -> None:
        """Refuses to run on a role or an isolation level that would void the guarantees of this module."""
        async with self.driver() as connection:
            row = await connection.fetchrow(
                "SELECT current_setting('default_transaction_isolation') AS isolation,"
                " rolsuper OR rolbypassrls AS above,"
                " EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS owner"
                " FROM pg_roles r WHERE rolname = current_user"
            )
        assert row is not None  # noqa: S101
        if row["isolation"] != "read committed" or row["above"] or row["owner"]:
            message = "the application role must own nothing, bypass nothing, and work at READ COMMITTED"
            raise RuntimeError(message)

    async def close(self) -> None:
        """Closes every connection."""
        await self._drivers.close()
        await self.engine.dispose()


def _array(venues: frozenset[UUID] | None) -> str:
    """Venues as app.venues has them, an array of PostgreSQL; empty text means all."""
    return "" if venues is None else "{" + ",".join(sorted(map(str, venues))) + "}"


def _checked_out(adapted: Any, _record: object, _proxy: object) -> None:
    """Has the pool replace a connection that the server has closed before anybody uses it."""
    if adapted.driver_connection.is_closed():
        raise DisconnectionError
    metrics.DATABASE_CONNECTIONS.inc()


@contextmanager
def mapped() -> Iterator[None]:
    """Turns the driver's failures into refusals; integrity errors pass, for the store to name."""
    try:
        yield
    except _DRIVER_FAILURES as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal(error: Exception) -> AppError | None:
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    cause = getattr(cause, "__cause__", None) or cause
    match cause:
        case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError() | asyncpg.SerializationError():
            return Busy()
        case asyncpg.QueryCanceledError():
            return DeadlineExceeded()
        case (
            PoolTimeout()
            | TimeoutError()
            | asyncpg.PostgresConnectionError()
            | asyncpg.InterfaceError()
            | asyncpg.InternalClientError()
            | asyncpg.OperatorInterventionError()
            | asyncpg.TooManyConnectionsError()
            | OSError()
        ):
            return Unavailable()
        case _:
            broken = isinstance(error, DBAPIError) and error.connection_invalidated
            return Unavailable() if broken else None


def constraint(error: IntegrityError | asyncpg.IntegrityConstraintViolationError) -> str:
    """The name of the constraint that refused; empty when the driver does not tell."""
    cause = error.orig.__cause__ if isinstance(error, IntegrityError) and error.orig else error
    return str(getattr(cause, "constraint_name", "") or "")
