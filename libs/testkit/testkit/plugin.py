"""The pytest plugin: engines start when a test first asks for them, and end with the run."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from devstack.engines import BrokerEngine, PostgresEngine, SinkEngine, StripeEngine, ValkeyEngine
from servicekit.database import Database
from servicekit.rpc.server import Registration
from testkit.databases import ServiceDatabases
from testkit.edge import Edge
from testkit.keys import Keys

OpenDatabase = Callable[[str], Awaitable[Database]]
StartEdge = Callable[[str, Sequence[Registration]], Awaitable[Edge]]


@pytest.fixture(scope="session")
def engine_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("engines")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_engine(engine_directory: Path) -> Iterator[PostgresEngine]:
    engine = PostgresEngine(engine_directory / "postgres", durable=False)
    engine.start()
    yield engine
    engine.stop()
    engine.forget_data()


@pytest.fixture(scope="session")
def valkey_engine(engine_directory: Path) -> Iterator[ValkeyEngine]:
    engine = ValkeyEngine(engine_directory / "valkey")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def broker_engine(engine_directory: Path) -> Iterator[BrokerEngine]:
    engine = BrokerEngine(engine_directory / "broker")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def stripe_engine(engine_directory: Path) -> Iterator[StripeEngine]:
    engine = StripeEngine(engine_directory / "stripe")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def sink_engine(engine_directory: Path) -> Iterator[SinkEngine]:
    engine = SinkEngine(engine_directory / "sink")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    """The superuser's URL: COMPTOIR_POSTGRES_URL if set, else the embedded server."""
    given = os.environ.get("COMPTOIR_POSTGRES_URL")
    if given:
        return given
    engine: PostgresEngine = request.getfixturevalue("postgres_engine")
    return engine.superuser_url


@pytest.fixture(scope="session")
def service_databases(postgres_url: str) -> ServiceDatabases:
    return ServiceDatabases(postgres_url, suffix=os.environ.get("PYTEST_XDIST_WORKER", "main"))


@pytest.fixture
async def service_database(service_databases: ServiceDatabases) -> AsyncIterator[OpenDatabase]:
    """`await service_database("booking")`: the service's database, empty, as the application sees it."""
    opened: list[Database] = []

    async def open_database(service: str) -> Database:
        opened.append(await service_databases.open(service))
        return opened[-1]

    yield open_database
    for database in opened:
        await database.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def rpc_edge(keys: Keys) -> AsyncIterator[StartEdge]:
    """`await rpc_edge("booking", servicers(app))`: the service's edge on a free port."""
    started: list[Edge] = []

    async def start(service: str, registrations: Sequence[Registration]) -> Edge:
        started.append(await Edge.start(service, keys, registrations))
        return started[-1]

    yield start
    for edge in started:
        await edge.stop()
