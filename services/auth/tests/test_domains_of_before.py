"""Domains that were verified before anybody looked again are looked at again from the migration on."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import alembic.command
import asyncpg
import pytest
from alembic.config import Config

from servicekit import ids
from testkit.databases import ServiceDatabases, migrations_of

_BEFORE, _AFTER = "0016", "0017"
_ORGANIZATION = "INSERT INTO organizations (id, name, plan) VALUES ($1, 'Corp', 'free')"
_CONNECTION = """INSERT INTO connections (organization_id, id, name, issuer, client_id, sealed_secret,
    default_role, role_claim, role_mappings, required, provides_second_factor)
    VALUES ($1, $2, 'Corp', 'https://login.example', 'us', '', 'viewer', '', '[]', false, false)"""
_DOMAIN = """INSERT INTO connection_domains (organization_id, connection_id, domain, token, verified_at)
    VALUES ($1, $2, $3, 'token', $4)"""


@pytest.fixture
async def database(service_databases: ServiceDatabases) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """A database of its own, as its owner sees it, and where it is."""
    settings = service_databases.settings("auth", copy="_before")
    assert settings.owner_url is not None
    url = settings.owner_url.get_secret_value()
    owner = await asyncpg.connect(url)
    yield owner, url
    await owner.close()


def move(url: str, command: Any, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_of("auth")))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+asyncpg://", 1)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(partial(command, config, revision)).result()


async def test_only_what_is_verified_gets_a_timer_within_a_day(
    database: tuple[asyncpg.Connection, str],
) -> None:
    owner, url = database
    move(url, alembic.command.downgrade, _BEFORE)
    organization, connection, now = ids.new(), ids.new(), datetime.now(UTC)
    async with owner.transaction():
        await owner.execute("SELECT set_config('app.organization_id', $1, true)", str(organization))
        await owner.execute(_ORGANIZATION, organization)
        await owner.execute(_CONNECTION, organization, connection)
        await owner.execute(_DOMAIN, organization, connection, "corp.example", now)
        await owner.execute(_DOMAIN, organization, connection, "corp.test", None)
    move(url, alembic.command.upgrade, _AFTER)
    async with owner.transaction():
        await owner.execute("ALTER TABLE timers NO FORCE ROW LEVEL SECURITY")
        found = await owner.fetch("SELECT key, due_at FROM timers WHERE kind = 'look_for_domain'")
        await owner.execute("ALTER TABLE timers FORCE ROW LEVEL SECURITY")
    assert [each["key"] for each in found] == [f"{organization}:corp.example"]
    assert now - timedelta(minutes=1) <= found[0]["due_at"] <= now + timedelta(days=1, minutes=1)
    move(url, alembic.command.downgrade, _BEFORE)
    move(url, alembic.command.upgrade, "head")
