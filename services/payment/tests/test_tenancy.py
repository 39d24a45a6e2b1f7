"""The tables as migrated: as described in tables.py, and closed to tenants where they must be."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from payment.tables import METADATA, PAYMENTS, PLATFORM_ONLY, REFUNDS
from payment.usecases.refunds import owe_refund
from servicekit import ids

from .conftest import DEPOSIT, Till, webhook


async def test_the_migrations_make_what_the_tables_say(failing_till: Till) -> None:
    def compare(connection: sa.Connection) -> Sequence[object]:
        found: Sequence[object] = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_server_default": False}), METADATA
        )
        return [each for each in found if "alembic_version" not in str(each)]

    async with failing_till.app.db.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_row_level_security_is_forced_on_every_table_of_ours(failing_till: Till) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    async with failing_till.app.db.driver() as connection:
        forced = {row["relname"] for row in await connection.fetch(query)}
    assert set(METADATA.tables) - forced == {"answers", "relay_confirmations", "consumer_positions"}


@pytest.mark.parametrize("table", PLATFORM_ONLY)
async def test_a_tenants_transaction_sees_no_webhook(failing_till: Till, table: str) -> None:
    await failing_till.receive(webhook("payment_intent.succeeded", "pi_1"))
    assert await failing_till.outcomes() == {"evt_1": None}
    async with failing_till.app.db.begin(failing_till.organization) as tx:
        assert (await tx.execute(sa.text(f"SELECT * FROM {table}"))).all() == []  # noqa: S608


@pytest.mark.parametrize("table", [PAYMENTS, REFUNDS], ids=lambda table: table.name)
async def test_a_tenant_sees_its_own_rows_only_and_nobody_sees_any_without_a_tenant(
    failing_till: Till, table: sa.Table
) -> None:
    theirs = Till(failing_till.app, failing_till.guest, ids.new())
    for till in (failing_till, theirs):
        payment = await till.paid()
        async with till.app.db.begin(till.organization) as tx:
            await owe_refund(tx, payment, DEPOSIT, "a test")
    for till in (failing_till, theirs):
        async with till.app.db.begin(till.organization) as tx:
            assert (await tx.execute(sa.select(table.c.organization_id))).scalars().all() == [
                till.organization
            ]
    async with failing_till.app.db.driver() as connection:
        assert await connection.fetch(f"SELECT * FROM {table.name}") == []  # noqa: S608
