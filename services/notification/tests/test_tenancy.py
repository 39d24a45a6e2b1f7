"""The database keeps tenants apart by itself, and its tables are the ones the code believes in."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection

from notification.app import App
from notification.tables import ISOLATED, METADATA

_POLICED = sa.text(
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    " AND relrowsecurity AND relforcerowsecurity"
)


async def test_the_migrated_tables_are_those_of_the_metadata(app: App) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async with app.db.engine.connect() as connection:
        found = await connection.run_sync(differences)
    assert [each for each in found if "alembic_version" not in str(each)] == []


async def test_row_level_security_is_forced_on_every_table_of_ours(app: App) -> None:
    async with app.db.engine.connect() as connection:
        policed = set((await connection.execute(_POLICED)).scalars())
    assert policed >= set(ISOLATED)
    assert set(ISOLATED) == set(METADATA.tables) - {
        "answers",
        "outbox",
        "relay_confirmations",
        "consumer_positions",
        "inbox",
        "timers",
        "idempotency_keys",
    }
