"""What a service purges is begun by its migrations: a kind without a timer would be kept for ever."""

from importlib import import_module

import asyncpg
import pytest

from servicekit.purging import PURGE
from testkit.databases import ServiceDatabases

SERVICES = ("auth", "booking", "payment", "notification", "support")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_purge_is_due_in_a_new_database(
    service: str, service_databases: ServiceDatabases
) -> None:
    settings = service_databases.settings(service, copy="_new")
    assert settings.owner_url is not None
    connection = await asyncpg.connect(settings.url.get_secret_value())
    try:
        await connection.execute(f"SET ROLE {service}_platform")
        due = await connection.fetch("SELECT key FROM timers WHERE kind = $1 AND due_at <= now()", PURGE)
    finally:
        await connection.close()
    purges = import_module(f"{service}.usecases.purges").PURGES
    assert sorted(row["key"] for row in due) == sorted(purges)
    assert PURGE in import_module(f"{service}.timers").TIMERS
