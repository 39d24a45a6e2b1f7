"""A migrated database per service and test worker, empty before every test. Commits are real."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from pydantic import SecretStr
from sqlalchemy.pool import QueuePool

from devstack.databases import create_service_database
from servicekit import migrations
from servicekit.database import Database
from servicekit.errors import AppError
from servicekit.settings import DatabaseSettings

_OWNER_PASSWORD = "owner-of-the-tests-7f3a"  # noqa: S105  # a database that lives for one test run
_APP_PASSWORD = "application-of-the-tests-91c4"  # noqa: S105
_PATIENCE = {"pool_timeout_ms": 30_000, "statement_timeout_ms": 30_000, "lock_timeout_ms": 8_000}
"""A race of dozens on a busy machine is about who wins, not about how long a loser may wait."""
_EMPTY = """
DO $$
DECLARE
    each record;
BEGIN
    -- Of a replica: neither foreign keys nor triggers that keep rows for ever are asked.
    PERFORM set_config('session_replication_role', 'replica', true);
    FOR each IN
        SELECT oid::regclass AS name FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %s', each.name);
    END LOOP;
    FOR each IN
        SELECT format('%I.%I', schemaname, sequencename) AS name, start_value FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL
    LOOP
        PERFORM setval(each.name, each.start_value, false);
    END LOOP;
END $$
"""
"""A tenth of what TRUNCATE costs, which makes every table and every index anew."""
_TRUNCATE = """
DO $$
BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    EXECUTE (
        SELECT format('TRUNCATE %s', string_agg(oid::regclass::text, ', ')) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'alembic_version'
    );
END $$
"""
_TRUNCATED_EVERY = 50
"""What is deleted stays in the files, and is read over: not for more tests than these."""


class ServiceDatabases:
    """Makes and empties databases on one PostgreSQL server."""

    def __init__(self, superuser_url: str, *, suffix: str, migrations_folder: Path | None = None) -> None:
        """`migrations_folder` replaces the services' own, for tests of the platform tables alone."""
        self._server = superuser_url
        self._suffix = suffix
        self._folder = migrations_folder
        self._made: dict[str, DatabaseSettings] = {}
        self._emptied: Counter[str] = Counter()
        self._idle: dict[str, list[Database]] = {}

    def settings(self, service: str, *, copy: str = "") -> DatabaseSettings:
        """The settings of a service's migrated database; made on first use. `copy` names a further one."""
        name = f"{service}_{self._suffix}{copy}"
        if name not in self._made:
            create_service_database(
                self._server,
                service,
                owner_password=_OWNER_PASSWORD,
                app_password=_APP_PASSWORD,
                database=name,
            )
            owner = self._url(f"{service}_owner", _OWNER_PASSWORD, name)
            app = self._url(f"{service}_app", _APP_PASSWORD, name)
            migrations.upgrade(self._folder or migrations_of(service), owner)
            self._made[name] = DatabaseSettings(
                url=SecretStr(app), owner_url=SecretStr(owner), pool_size=20, **_PATIENCE
            )
        return self._made[name]

    async def empty(self, service: str) -> DatabaseSettings:
        """The settings of a service's database without any row, its sequences at their start."""
        settings = self.settings(service)
        name = f"{service}_{self._suffix}"
        self._emptied[name] += 1
        superuser = await asyncpg.connect(urlsplit(self._server)._replace(path=f"/{name}").geturl())
        try:
            if self._emptied[name] % _TRUNCATED_EVERY == 0:
                await superuser.execute(_TRUNCATE)
            await superuser.execute(_EMPTY)
        finally:
            await superuser.close()
        return settings

    async def lend(self, service: str) -> Database:
        """An empty database as the application sees it, for one test; `give_back` ends that.

        Its connections may be those of tests before, whose statements are compiled and prepared: that is half
        of what a test of a service would cost.
        """
        settings = await self.empty(service)
        for other in self._idle.keys() - {service}:  # the server has 300 connections for all
            await self._close_idle(other)
        while idle := self._idle.get(service):
            database = idle.pop()
            if await _works(database):
                return database
            await database.close()
        return Database(settings, name=service)

    async def give_back(self, service: str, database: Database) -> None:
        """Keeps its connections for the tests to come, or closes them all if the test still holds one."""
        pool = database.engine.sync_engine.pool
        if isinstance(pool, QueuePool) and pool.checkedout():
            await database.close()
        else:
            self._idle.setdefault(service, []).append(database)

    async def close(self) -> None:
        """Closes what is kept."""
        for service in tuple(self._idle):
            await self._close_idle(service)

    async def _close_idle(self, service: str) -> None:
        for database in self._idle.pop(service):
            await database.close()

    def _url(self, role: str, password: str, database: str) -> str:
        server = urlsplit(self._server)
        return f"postgresql://{role}:{password}@{server.hostname}:{server.port}/{database}"


async def _works(database: Database) -> bool:
    """Whether nobody has closed it."""
    try:
        await database.assert_sound()
    except AppError:
        return False
    return True


def migrations_of(service: str) -> Path:
    """Where a service keeps its migrations."""
    return Path(str(import_module(service).__file__)).parents[1] / "migrations"
