"""Alembic, driven from the service as the owner of its tables. Only the migrate verb needs it in memory."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from servicekit.tables import platform_tables, retention_table

_LOCK_TIMEOUT = "5s"
_VENUES = "(SELECT NULLIF(current_setting('app.venues', true), '')::uuid[])"
_DEFINITION = sa.text(
    "SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace AND proname = :name AND strpos(prosrc, :saying) > 0"
)
_TENANT = "organization_id = (SELECT NULLIF(current_setting('app.organization_id', true), '')::uuid)"


def upgrade(migrations: Path, owner_url: str) -> None:
    """Brings the database to the newest revision. Waits at most five seconds for any lock."""
    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["url"] = owner_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    with ThreadPoolExecutor(
        1
    ) as thread:  # the environment runs a loop of its own, and this thread may have one
        thread.submit(command.upgrade, config, "head").result()


def run_environment(metadata: sa.MetaData) -> None:
    """What a service's migrations/env.py calls."""
    asyncio.run(_run(metadata))


async def _run(metadata: sa.MetaData) -> None:
    engine = create_async_engine(context.config.attributes["url"], poolclass=sa.NullPool)
    async with engine.connect() as connection:
        await connection.execute(sa.text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
        await connection.run_sync(_migrate, metadata)
        await connection.commit()
    await engine.dispose()


def _migrate(connection: Connection, metadata: sa.MetaData) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
    with context.begin_transaction():
        context.run_migrations()


def isolate(service: str, *tables: str) -> None:
    """Forces row-level security: a tenant sees and writes its own rows only, a platform transaction all."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({_TENANT}) WITH CHECK ({_TENANT})")
        op.execute(f"CREATE POLICY platform ON {table} TO {service}_platform USING (true) WITH CHECK (true)")


def keep_to_venues(table: str, column: str) -> None:
    """Hides, from a member who is limited to venues, the rows of all others; `column` holds the venue."""
    bound = f"{_VENUES} IS NULL OR {column} = ANY ({_VENUES}::uuid[])"
    op.execute(f"CREATE POLICY venues ON {table} AS RESTRICTIVE USING ({bound}) WITH CHECK ({bound})")


def create_platform_tables(service: str) -> None:
    """Makes outbox, inbox, timers, idempotency_keys and what servicekit's loops keep for themselves."""
    add_platform_tables()
    isolate(service, "outbox", "inbox", "timers", "idempotency_keys")


def rewrite_function(name: str, *changes: tuple[str, str], saying: str = "") -> None:
    """Replaces words in a function of the schema: pairs of before and after. Parameters and options stay.

    Of functions of one name, the one whose body says `saying` is meant. It goes on being called while this
    runs, by the program before this one too: what that does not tell has to have a default.

    Raises:
        RuntimeError: a word does not stand there, or more than once.
    """
    named = {"name": name, "saying": saying}
    definition = op.get_bind().execute(_DEFINITION, named).scalar_one()
    for before, after in changes:
        if definition.count(before) != 1:
            raise RuntimeError(before)
        definition = definition.replace(before, after)
    op.get_bind().exec_driver_sql(definition)


def backwards(changes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same changes of words, for the way back."""
    return [(after, before) for before, after in changes]


def add_platform_tables() -> None:
    """Makes those that are not there yet: what servicekit came to need after a service's first migration."""
    for table in platform_tables(sa.MetaData()):
        op.execute(sa.schema.CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            op.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def create_retention_table(service: str) -> None:
    """Makes the service's copy of how long organizations keep what."""
    op.execute(sa.schema.CreateTable(retention_table(sa.MetaData())))
    isolate(service, "retention_settings")


def schedule_purges(*keys: str) -> None:
    """Has `servicekit.purging` begin its rounds: one timer a kind, which comes again by itself ever after."""
    rows = ", ".join(f"(gen_random_uuid(), 'purge', '{key}', now())" for key in keys)
    _in_spite_of_policies(
        "timers",
        f"INSERT INTO timers (id, kind, key, due_at) VALUES {rows}",  # noqa: S608  # names of ours
    )


def end_purges(*keys: str) -> None:
    """Undoes `schedule_purges`."""
    named = ", ".join(f"'{key}'" for key in keys)
    _in_spite_of_policies("timers", f"DELETE FROM timers WHERE kind = 'purge' AND key IN ({named})")  # noqa: S608


def _in_spite_of_policies(table: str, statement: str) -> None:
    """Forced policies bind the owner, too, who migrates: lifted for one statement."""
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
