"""Alembic, driven from the service as the owner of its tables, and the tables that every service shares."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa
from alembic import command, context, op
from alembic.config import Config
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

_LOCK_TIMEOUT = "5s"
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


def create_platform_tables(service: str) -> None:
    """Makes outbox, inbox, timers and idempotency_keys as servicekit expects them."""
    for table in platform_tables(sa.MetaData()):
        op.execute(sa.schema.CreateTable(table))
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            op.execute(sa.schema.CreateIndex(index))
    isolate(service, "outbox", "inbox", "timers", "idempotency_keys")


def platform_tables(metadata: sa.MetaData) -> Sequence[sa.Table]:
    """The tables that servicekit keeps in every service's database."""
    moment = sa.DateTime(timezone=True)
    now = sa.text("now()")
    outbox = sa.Table(
        "outbox",
        metadata,
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False, unique=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("headers", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("created_at", moment, nullable=False, server_default=now),
        sa.Column("published_at", moment),
        sa.Column("partition", sa.Integer),
        sa.Column("log_offset", sa.BigInteger),
    )
    # The relay's poll; and its look at how far the log got.
    sa.Index("outbox_pending", outbox.c.position, postgresql_where=outbox.c.published_at.is_(None))
    sa.Index("outbox_log", outbox.c.topic, outbox.c.partition, outbox.c.log_offset)
    confirmations = sa.Table(
        "relay_confirmations",
        metadata,
        sa.Column("topic", sa.Text, primary_key=True),
        sa.Column("partition", sa.Integer, primary_key=True),
        sa.Column("log_offset", sa.BigInteger, nullable=False),
    )
    inbox = sa.Table(
        "inbox",
        metadata,
        sa.Column("event_id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("handled_at", moment, nullable=False, server_default=now),
    )
    timers = sa.Table(
        "timers",
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("organization_id", sa.Uuid),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("due_at", moment, nullable=False),
        sa.Column("leased_until", moment),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("payload", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("traceparent", sa.Text),
        sa.UniqueConstraint("kind", "key", name="timers_one_per_key"),
    )
    # The timer loop's poll.
    sa.Index("timers_due", timers.c.due_at)
    keys = sa.Table(
        "idempotency_keys",
        metadata,
        sa.Column("organization_id", sa.Uuid, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("resource_id", sa.Uuid, nullable=False),
        sa.Column("created_at", moment, nullable=False, server_default=now),
    )
    return outbox, confirmations, inbox, timers, keys
