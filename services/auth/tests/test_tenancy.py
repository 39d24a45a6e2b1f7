"""The tables as migrated: as described in tables.py, and closed to tenants where they must be."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from asyncpg.exceptions import InsufficientPrivilegeError
from sqlalchemy.exc import ProgrammingError

from auth.app import App
from auth.tables import (
    API_KEYS,
    AUDIT_ENTRIES,
    AUDIT_HEADS,
    CONNECTION_DOMAINS,
    CONNECTIONS,
    INVITATION_LINKS,
    INVITATIONS,
    MEMBERSHIPS,
    METADATA,
    ORGANIZATIONS,
    PLATFORM_ONLY,
    REVOCATIONS,
    ROLES,
    SCIM_GROUP_MEMBERS,
    SCIM_GROUPS,
    SCIM_TOKENS,
    SCIM_USERS,
    SESSIONS,
)
from servicekit import ids

from .conftest import People
from .providers_of_people import provisioned
from .staff import invite, link, log_in, own_connection, own_role
from .test_api_keys import make as make_key


async def test_the_migrations_make_what_the_tables_say(app: App) -> None:
    def compare(connection: sa.Connection) -> Sequence[object]:
        found: Sequence[object] = compare_metadata(
            MigrationContext.configure(connection, opts={"compare_server_default": False}), METADATA
        )
        return [each for each in found if "alembic_version" not in str(each)]

    async with app.db.engine.connect() as connection:
        assert await connection.run_sync(compare) == []


async def test_row_level_security_is_forced_on_every_table_of_ours(app: App) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    async with app.db.driver() as connection:
        forced = {row["relname"] for row in await connection.fetch(query)}
    assert set(METADATA.tables) - forced == {"answers", "relay_confirmations", "consumer_positions"}


@pytest.mark.parametrize("table", PLATFORM_ONLY)
async def test_a_tenants_transaction_sees_nothing_of_people_not_even_its_own(
    app: App, people: People, table: str
) -> None:
    organization = await people.own("paulette@example.org")
    await people.register("marcel@example.org")
    await people.log_in("paulette@example.org")
    async with app.db.begin(organization) as tx:
        assert (await tx.execute(sa.text(f"SELECT * FROM {table}"))).all() == []  # noqa: S608


@pytest.mark.parametrize(
    "table",
    [
        ORGANIZATIONS,
        MEMBERSHIPS,
        ROLES,
        INVITATIONS,
        INVITATION_LINKS,
        SESSIONS,
        REVOCATIONS,
        AUDIT_ENTRIES,
        AUDIT_HEADS,
        CONNECTIONS,
        CONNECTION_DOMAINS,
        API_KEYS,
        SCIM_TOKENS,
        SCIM_USERS,
        SCIM_GROUPS,
        SCIM_GROUP_MEMBERS,
    ],
    ids=lambda table: table.name,
)
async def test_a_tenant_sees_its_own_rows_only_and_nobody_sees_any_without_a_tenant(
    app: App, people: People, table: sa.Table
) -> None:
    mine, theirs = await people.own("paulette@example.org"), await people.own("marcel@example.org")
    for email in ("paulette@example.org", "marcel@example.org"):
        session = await people.session(await people.log_in(email))
        await people.end(session)
        caller = await log_in(people, email)
        await make_key(app, caller)
        role = await own_role(app, caller, "Cellar", "venues.read")
        connection = await own_connection(app, caller, "corp.example")
        await provisioned(app, caller, connection)
        await link(app, await invite(app, caller, "odette@example.org", ids.show("rol", role.id)))
    tenant = table.c.id if table is ORGANIZATIONS else table.c.organization_id
    for organization in (mine, theirs):
        async with app.db.begin(organization) as tx:
            assert set((await tx.execute(sa.select(tenant))).scalars()) == {organization}
    async with app.db.driver() as connection:
        assert await connection.fetch(f"SELECT * FROM {table.name}") == []  # noqa: S608


async def test_a_tenant_can_neither_make_nor_change_another_one(app: App, people: People) -> None:
    mine, theirs = await people.own("paulette@example.org"), await people.own("marcel@example.org")
    with pytest.raises(ProgrammingError) as refusal:
        async with app.db.begin(mine) as tx:
            await tx.execute(sa.insert(ORGANIZATIONS).values(id=ids.new(), name="forged"))
    assert isinstance(refusal.value.orig.__cause__, InsufficientPrivilegeError)  # type: ignore[union-attr]
    async with app.db.begin(mine) as tx:
        renamed = await tx.execute(
            sa.update(ORGANIZATIONS).where(ORGANIZATIONS.c.id == theirs).values(name="forged")
        )
    assert renamed.rowcount == 0
