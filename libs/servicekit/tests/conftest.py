"""A database with servicekit's own tables, and settings for the embedded broker."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.engines import BrokerEngine
from servicekit.database import Database
from servicekit.settings import DatabaseSettings, KafkaSettings
from testkit.databases import ServiceDatabases


@pytest.fixture(scope="session")
def kit_databases(postgres_url: str) -> ServiceDatabases:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = Path(__file__).parent / "platform_migrations"
    return ServiceDatabases(postgres_url, suffix=f"kit_{worker}", migrations_folder=folder)


@pytest.fixture
async def database_settings(kit_databases: ServiceDatabases) -> DatabaseSettings:
    return await kit_databases.empty("booking")


@pytest.fixture
async def db(database_settings: DatabaseSettings) -> AsyncIterator[Database]:
    database = Database(database_settings, name="booking")
    yield database
    await database.close()


@pytest.fixture
def kafka(broker_engine: BrokerEngine) -> KafkaSettings:
    return KafkaSettings(
        bootstrap_servers=broker_engine.url, idempotent_producer=False, partitions=4, session_timeout_ms=2_000
    )
