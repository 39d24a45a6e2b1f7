"""Row-level security of all six databases: a walk through the catalogue, and raw SQL as the application role.

The attempts run in a copy of each database, as migrated but for constraints and triggers: any row will do.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest

from servicekit.contract import CONTEXTS
from testkit.databases import ServiceDatabases

MINE, THEIRS = UUID(int=1 << 64), UUID(int=2 << 64)
OPEN = {"alembic_version", "answers", "relay_confirmations", "consumer_positions"}
"""They show nothing of anybody: sealed answers, and how far migrations, relay and consumers have come."""
ACROSS = {
    "organizations_sandbox_of",
    "api_keys_act_in",
    "privacy_receipts_of_request",
    "privacy_parts_of_request",
    "privacy_identifiers_of_request",
}
"""Keys without an organization, on purpose: to a sandbox, and to requests, some of which have none."""
_TENANT = "(NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid"
_TABLES = """
SELECT oid, relname AS name, relrowsecurity AND relforcerowsecurity AS forced,
  (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns
FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY relname
"""
_POLICIES = """
SELECT polname AS name, polpermissive AS permissive, polcmd::text AS command,
  polroles::regrole[]::text[] AS roles,
  pg_get_expr(polqual, polrelid) AS reads, pg_get_expr(polwithcheck, polrelid) AS writes
FROM pg_policy WHERE polrelid = $1
"""
_COLUMNS = """
SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
"""
_KEYS = """
SELECT conname AS name, conrelid::regclass::text AS "from", confrelid::regclass::text AS "to",
  (SELECT array_agg(attname::text) FROM pg_attribute
   WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""
_ROLES = """
SELECT rolname AS name, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication AS mighty,
  EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relnamespace = 'public'::regnamespace) AS owner
FROM pg_roles r WHERE rolname = ANY ($1::text[])
"""
_SIDE_DOORS = """
SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
UNION ALL SELECT relname::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'f')
"""
_LOOSENED = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('f', 'c', 'x')
"""
_SAMPLES = {
    "uuid": "gen_random_uuid()",
    "text": "md5(random()::text)",
    "boolean": "false",
    "bigint": "(random() * 1e12)::bigint",
    "bytea": "decode(md5(random()::text), 'hex')",
    "jsonb": "'{}'",
    "date": "'2026-11-21'",
    "inet": "'192.0.2.1'",
    "time without time zone": "'12:00'",
    "timestamp with time zone": "now()",
}
_NUMBERS = ("integer", "smallint", "numeric", "double precision")


@dataclass(frozen=True, slots=True)
class Copy:
    """A loosened copy of a service's database, seen by its superuser and by the application role."""

    service: str
    superuser: asyncpg.Connection
    application: asyncpg.Connection
    tenants: dict[str, str]
    """Table → the column that says whose a row is; each has a row of MINE and one of THEIRS."""
    platform_only: list[str]
    """Tables of which no tenant sees anything; each has a row."""


def sample(kind: str) -> str:
    """Some value of a type, as SQL."""
    if kind.endswith("[]"):
        return "'{}'"
    return "1" if kind.startswith(_NUMBERS) else _SAMPLES[kind]


def tenant_of(table: asyncpg.Record) -> str:
    """The column that a table's tenant policy looks at."""
    return "id" if table["name"] == "organizations" else "organization_id"


@pytest.fixture(params=CONTEXTS)
async def copy(
    request: pytest.FixtureRequest, service_databases: ServiceDatabases, postgres_url: str
) -> AsyncIterator[Copy]:
    service = str(request.param)
    url = service_databases.settings(service, copy="_rls").url.get_secret_value()
    superuser = await asyncpg.connect(f"{postgres_url.rpartition('/')[0]}/{url.rpartition('/')[2]}")
    application = await asyncpg.connect(url)
    for loosen in await superuser.fetch(_LOOSENED):
        await superuser.execute(loosen[0])
    tenants, platform_only = {}, []
    for table in await superuser.fetch(_TABLES):
        if table["name"] in OPEN:
            continue
        await superuser.execute(f"ALTER TABLE {table['name']} DISABLE TRIGGER USER")
        await superuser.execute(f"TRUNCATE {table['name']}")
        policies = {each["name"] for each in await superuser.fetch(_POLICIES, table["oid"])}
        column = tenant_of(table) if "tenant" in policies else ""
        for whose in (MINE, THEIRS):
            await _insert(superuser, table, column, whose)
        if column:
            tenants[table["name"]] = column
        else:
            platform_only.append(table["name"])
    yield Copy(service, superuser, application, tenants, platform_only)
    await application.close()
    await superuser.close()


async def _insert(connection: asyncpg.Connection, table: asyncpg.Record, column: str, whose: UUID) -> None:
    columns = await connection.fetch(_COLUMNS, table["oid"])
    values = [f"'{whose}'" if each["name"] == column else sample(each["type"]) for each in columns]
    names = ", ".join(each["name"] for each in columns)
    await connection.execute(f"INSERT INTO {table['name']} ({names}) VALUES ({', '.join(values)})")  # noqa: S608


async def test_the_catalogue_holds_what_every_table_promises(copy: Copy) -> None:
    for table in await copy.superuser.fetch(_TABLES):
        policies = {each["name"]: each for each in await copy.superuser.fetch(_POLICIES, table["oid"])}
        if table["name"] in OPEN:
            assert "organization_id" not in table["columns"]
            continue
        assert table["forced"], table["name"]
        permissive = {name for name, each in policies.items() if each["permissive"]}
        assert permissive in ({"platform"}, {"platform", "tenant"}), table["name"]
        assert policies["platform"]["roles"] == [f"{copy.service}_platform"]
        if "tenant" not in policies:
            continue
        tenant = policies["tenant"]
        column = tenant_of(table)
        said = f'({column} = ( SELECT {_TENANT} AS "nullif"))'
        assert (tenant["command"], tenant["reads"], tenant["writes"]) == ("*", said, said), table["name"]


async def test_no_key_no_view_and_no_function_leads_around_it(
    copy: Copy, service_databases: ServiceDatabases, postgres_url: str
) -> None:
    url = service_databases.settings(copy.service).url.get_secret_value()
    whole = await asyncpg.connect(f"{postgres_url.rpartition('/')[0]}/{url.rpartition('/')[2]}")
    try:
        for key in await whole.fetch(_KEYS):
            if {key["from"], key["to"]} <= copy.tenants.keys() and key["name"] not in ACROSS:
                assert "organization_id" in key["columns"], key["name"]
        assert await whole.fetch(_SIDE_DOORS) == []
        names = [f"{copy.service}_app", f"{copy.service}_platform"]
        roles = await whole.fetch(_ROLES, names)
        assert sorted(each["name"] for each in roles) == names
        assert not any(each["mighty"] or each["owner"] for each in roles)
    finally:
        await whole.close()


async def test_without_a_tenant_the_application_role_sees_and_touches_nothing(copy: Copy) -> None:
    for setting in ("", None):
        if setting is not None:
            await copy.application.execute("SELECT set_config('app.organization_id', '', false)")
        for table in (*copy.tenants, *copy.platform_only):
            assert await copy.application.fetch(f"SELECT * FROM {table}") == [], table  # noqa: S608
            assert await touched(copy, f"DELETE FROM {table}") == 0, table  # noqa: S608
            described = await described_table(copy, table)
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await _insert_as_application(copy, described, MINE)


async def test_a_tenant_sees_and_touches_its_own_rows_alone(copy: Copy) -> None:
    await copy.application.execute("SELECT set_config('app.organization_id', $1, false)", str(MINE))
    for table in copy.platform_only:
        assert await copy.application.fetch(f"SELECT * FROM {table}") == [], table  # noqa: S608
        assert await touched(copy, f"DELETE FROM {table}") == 0, table  # noqa: S608
    for table, column in copy.tenants.items():
        seen = await copy.application.fetch(f"SELECT {column} AS whose FROM {table}")  # noqa: S608
        assert [each["whose"] for each in seen] == [MINE], table
        theirs = f"{column} = '{THEIRS}'"
        assert await touched(copy, f"UPDATE {table} SET {column} = {column} WHERE {theirs}") == 0  # noqa: S608
        assert await touched(copy, f"DELETE FROM {table} WHERE {theirs} OR true AND {theirs}") == 0  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await copy.application.execute(f"UPDATE {table} SET {column} = '{THEIRS}'")  # noqa: S608
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _insert_as_application(copy, await described_table(copy, table), THEIRS)
        left = await copy.superuser.fetchval(f"SELECT count(*) FROM {table} WHERE {theirs}")  # noqa: S608
        assert left == 1, table


async def test_the_application_role_cannot_switch_it_off(copy: Copy) -> None:
    await copy.application.execute("SELECT set_config('app.organization_id', $1, false)", str(MINE))
    table = next(iter(copy.tenants))
    for attempt in (
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} OWNER TO {copy.service}_app",
        f"DROP POLICY tenant ON {table}",
        f"CREATE POLICY mine ON {table} USING (true)",
        f"CREATE VIEW theirs AS SELECT * FROM {table}",  # noqa: S608
        "CREATE FUNCTION theirs() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        f"TRUNCATE {table}",
        f"SET ROLE {copy.service}_owner",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        f"ALTER ROLE {copy.service}_app BYPASSRLS",
        "SET session_replication_role = replica",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await copy.application.execute(attempt)
    await copy.application.execute("SET row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await copy.application.fetch(f"SELECT * FROM {table}")  # noqa: S608


async def test_the_control_without_force_and_policy_a_row_of_another_would_be_seen(copy: Copy) -> None:
    """The rows of the attempts are there, and the same SQL finds them once the table is open."""
    await copy.application.execute("SELECT set_config('app.organization_id', $1, false)", str(MINE))
    transaction = copy.superuser.transaction()
    await transaction.start()
    for table, column in copy.tenants.items():
        await copy.superuser.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        await copy.superuser.execute(f"SET ROLE {copy.service}_app")
        seen = await copy.superuser.fetch(f"SELECT {column} AS whose FROM {table}")  # noqa: S608
        await copy.superuser.execute("RESET ROLE")
        assert {each["whose"] for each in seen} == {MINE, THEIRS}, table
    await transaction.rollback()


async def touched(copy: Copy, statement: str) -> int:
    """How many rows of anybody the application role changed by it; none where it may not at all."""
    transaction = copy.application.transaction()
    await transaction.start()
    try:
        return int((await copy.application.execute(statement)).rpartition(" ")[2])
    except asyncpg.InsufficientPrivilegeError:
        return 0
    finally:
        await transaction.rollback()


async def described_table(copy: Copy, name: str) -> asyncpg.Record:
    """A table as the catalogue has it."""
    return next(each for each in await copy.superuser.fetch(_TABLES) if each["name"] == name)


async def _insert_as_application(copy: Copy, table: asyncpg.Record, whose: UUID) -> None:
    await _insert(copy.application, table, copy.tenants.get(table["name"], ""), whose)
