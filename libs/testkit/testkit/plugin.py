"""The pytest plugin: engines start when a test first asks for them, and end with the run."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from comptoir.auth.v1 import privacy_pb2_grpc
from devstack.engines import BrokerEngine, PostgresEngine, SinkEngine, StripeEngine, ValkeyEngine
from devstack.engines.apache_kafka import DEFAULT_JARS, ApacheKafkaEngine
from servicekit.answers import Answers
from servicekit.database import Database
from servicekit.rpc.server import Registration
from testkit import containers
from testkit.brokers import APACHE, EMBEDDED, GIVEN, Broker
from testkit.databases import ServiceDatabases
from testkit.edge import Edge
from testkit.engines import BROKER, POSTGRES, VALKEY, Availability, EngineKind, RunningEngine, Source, choose
from testkit.keys import Keys
from testkit.privacy import PrivacyOffice

OpenDatabase = Callable[[str], Awaitable[Database]]
_TEST_KAFKA = "COMPTOIR_TEST_KAFKA"


class StartEdge(Protocol):
    """Starts a service's edge."""

    async def __call__(
        self, service: str, registrations: Sequence[Registration], db: Database | None = None
    ) -> Edge:
        """As `rpc_edge` says."""


def _source(kind: EngineKind, *, url: str | None) -> Source:
    """Skips the test when there is no source; in CI it fails."""
    in_ci = os.environ.get("CI", "").lower() in {"true", "1"}
    available = Availability(url=url, wheel=kind.has_wheel, docker=containers.docker_answers, ci=in_ci)
    source = choose(kind.name, available)
    if source is Source.NONE:
        pytest.skip(f"{kind.name}: set {kind.variable}, or start a Docker engine")
    return source


@contextmanager
def _started(engine: RunningEngine) -> Iterator[RunningEngine]:
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@contextmanager
def _running(
    kind: EngineKind, embedded: Callable[[], RunningEngine], container: Callable[[], RunningEngine]
) -> Iterator[RunningEngine]:
    """An engine of this run, never somebody else's by URL, so that tests may kill it."""
    source = _source(kind, url=None)
    with _started(embedded() if source is Source.WHEEL else container()) as engine:
        yield engine


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
def valkey_engine(engine_directory: Path) -> Iterator[RunningEngine]:
    """A cache that a test may kill."""
    with _running(VALKEY, lambda: ValkeyEngine(engine_directory / "valkey"), containers.valkey) as engine:
        yield engine


@pytest.fixture(scope="session")
def broker_engine(engine_directory: Path) -> Iterator[RunningEngine]:
    """A broker that a test may kill."""
    with _running(BROKER, lambda: BrokerEngine(engine_directory / "broker"), containers.kafka) as engine:
        yield engine


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
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The superuser's URL: COMPTOIR_POSTGRES_URL if set, else of the embedded server, else of a container."""
    given = os.environ.get(POSTGRES.variable)
    match _source(POSTGRES, url=given):
        case Source.URL:
            yield str(given)
        case Source.WHEEL:
            yield request.getfixturevalue("postgres_engine").superuser_url
        case _:
            with _started(containers.postgres()) as engine:
                yield engine.url


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest) -> str:
    """COMPTOIR_REDIS_URL if set, else the URL of `valkey_engine`."""
    return os.environ.get(VALKEY.variable) or str(request.getfixturevalue("valkey_engine").url)


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, engine_directory: Path) -> Iterator[Broker]:
    """The broker of the contract suite: by URL, Apache Kafka if asked for, else `broker_engine`."""
    given, wanted = os.environ.get(BROKER.variable), os.environ.get(_TEST_KAFKA, "")
    if wanted not in {"", "apache"}:
        raise pytest.UsageError(f"{_TEST_KAFKA} knows only apache")
    if given:
        yield Broker(given, GIVEN, engine=None)
    elif wanted:
        jars = request.config.rootpath / DEFAULT_JARS
        with _started(ApacheKafkaEngine(engine_directory / "apache-kafka", jars=jars)) as apache:
            yield Broker(apache.url, APACHE, apache)
    else:
        engine: RunningEngine = request.getfixturevalue("broker_engine")
        yield Broker(engine.url, EMBEDDED if isinstance(engine, BrokerEngine) else APACHE, engine)


@pytest.fixture(scope="session")
async def service_databases(postgres_url: str) -> AsyncIterator[ServiceDatabases]:
    databases = ServiceDatabases(postgres_url, suffix=os.environ.get("PYTEST_XDIST_WORKER", "main"))
    yield databases
    await databases.close()


@pytest.fixture
async def service_database(service_databases: ServiceDatabases) -> AsyncIterator[OpenDatabase]:
    """`await service_database("booking")`: the service's database, empty, as the application sees it."""
    lent: list[tuple[str, Database]] = []

    async def open_database(service: str) -> Database:
        database = await service_databases.lend(service)
        lent.append((service, database))
        return database

    yield open_database
    for service, database in lent:
        await service_databases.give_back(service, database)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
async def rpc_edge(keys: Keys) -> AsyncIterator[StartEdge]:
    """`await rpc_edge("booking", servicers(app))`: the service's edge on a free port.

    With `db`, the service's database, it keeps the answers to calls with an Idempotency-Key.
    """
    started: list[Edge] = []

    async def start(service: str, registrations: Sequence[Registration], db: Database | None = None) -> Edge:
        started.append(await Edge.start(service, keys, registrations, Answers(db) if db else None))
        return started[-1]

    yield start
    for edge in started:
        await edge.stop()


@pytest.fixture
async def privacy_office(rpc_edge: StartEdge) -> AsyncIterator[PrivacyOffice]:
    """Auth, as far as requests about persons go."""
    office = PrivacyOffice()
    edge = await rpc_edge(
        "auth",
        [lambda server: privacy_pb2_grpc.add_PrivacyDirectoryServiceServicer_to_server(office, server)],
    )
    yield office.opened(edge)
    await office.close()
