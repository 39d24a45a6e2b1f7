"""The migrated database is what `tables.py` says, and every table of a tenant is isolated."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from analytics.tables import METADATA
from testkit.plugin import OpenDatabase

_UNFORCED = sa.text(
    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'organization_id'"
    " AND NOT (c.relrowsecurity AND c.relforcerowsecurity"
    " AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'))"
)
_FORCED = sa.text("SELECT relname FROM pg_class WHERE relforcerowsecurity")


def _differences(connection: Connection) -> list[object]:
    options = {"include_name": lambda name, kind, _parents: (kind, name) != ("table", "alembic_version")}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


async def test_the_migrations_make_what_the_tables_say(service_database: OpenDatabase) -> None:
    db = await service_database("analytics")
    async with db.engine.connect() as connection:
        assert await connection.run_sync(_differences) == []


async def test_every_table_with_an_organization_is_isolated(service_database: OpenDatabase) -> None:
    db = await service_database("analytics")
    async with db.engine.connect() as connection:
        assert (await connection.execute(_UNFORCED)).all() == []
        forced = set((await connection.execute(_FORCED)).scalars())
    assert forced == set(METADATA.tables) - {"answers", "relay_confirmations", "consumer_positions"}
