"""The embedded servers as real processes: they serve, survive kill -9, and end with their owner."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from valkey import Valkey
from valkey.exceptions import AuthenticationError

from devstack.databases import create_service_database
from devstack.engines import BrokerEngine, EngineFailed, PostgresEngine, ValkeyEngine
from devstack.ports import LOOPBACK, PortTaken
from devstack.psql import PsqlFailed, connection_environment, run_sql
from testkit.waiting import eventually

_PARTITIONS = 6
_OWNER = """
import sys
from pathlib import Path
from devstack.engines import ValkeyEngine
engine = ValkeyEngine(Path(sys.argv[1]))
engine.start()
print(engine.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresEngine]:
    # pytest's directories are closed to other users, so a root caller exercises the cluster's second home.
    engine = PostgresEngine(tmp_path_factory.mktemp("own") / "postgres", durable=False)
    engine.start()
    yield engine
    engine.forget_data()


@pytest.fixture
def valkey_server(tmp_path: Path) -> Iterator[ValkeyEngine]:
    engine = ValkeyEngine(tmp_path / "valkey", password="of this test")
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerEngine]:
    engine = BrokerEngine(tmp_path / "broker")
    engine.start()
    yield engine
    engine.stop()


def test_postgres_keeps_rows_over_kill_9_and_stop_on_the_same_port(server: PostgresEngine) -> None:
    run_sql(server.superuser_url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1);")
    port, first = server.port, server.pid
    server.kill()
    server.start()
    run_sql(server.superuser_url, "INSERT INTO kept VALUES (2);")
    server.restart()
    assert run_sql(server.superuser_url, "SELECT sum(n) FROM kept;").strip() == "3"
    assert server.port == port
    assert server.pid != first


def test_postgres_never_runs_as_root_and_listens_on_loopback_tcp_alone(server: PostgresEngine) -> None:
    process = psutil.Process(server.pid)
    assert process.uids().effective != 0
    listening = {
        c.laddr.ip for c in process.net_connections(kind="all") if c.status == psutil.CONN_LISTEN and c.laddr
    }
    assert listening == {LOOPBACK}


def test_postgres_has_the_settings_and_extensions_the_services_need(server: PostgresEngine) -> None:
    shown = (
        "SELECT current_setting('timezone'), current_setting('max_connections'), current_setting('fsync');"
    )
    assert run_sql(server.superuser_url, shown).strip() == "UTC|300|off"
    available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'btree_gist';"
    assert run_sql(server.superuser_url, available).strip() == "1"


def test_postgres_refuses_a_wrong_password(server: PostgresEngine) -> None:
    with pytest.raises(PsqlFailed, match="password authentication failed"):
        run_sql(server.database_url("postgres", "wrong", database="postgres"), "SELECT 1;")


def test_pgbench_of_the_wheel_runs_against_the_server(server: PostgresEngine) -> None:
    environment = {**os.environ, **connection_environment(server.superuser_url)}
    outcome = subprocess.run(
        [server.pgbench, "--initialize", "--quiet"], env=environment, capture_output=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    assert run_sql(server.superuser_url, "SELECT count(*) FROM pgbench_accounts;").strip() == "100000"


def test_killing_postgres_leaves_none_of_its_backends(server: PostgresEngine) -> None:
    family = psutil.Process(server.pid).children(recursive=True)
    assert family
    server.kill()
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    server.start()


async def test_roles_of_a_service_may_do_their_own_work_and_no_more(server: PostgresEngine) -> None:
    for _ in range(2):  # the second run changes nothing
        _make_database(server, "lending")
    _make_database(server, "stranger")
    owner = await asyncpg.connect(server.database_url("lending_owner", "o-word", database="lending"))
    app = await asyncpg.connect(server.database_url("lending_app", "a-word", database="lending"))
    try:
        await owner.execute("CREATE TABLE loan (id int GENERATED ALWAYS AS IDENTITY, during tstzrange)")
        await app.execute("INSERT INTO loan (during) VALUES (NULL)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("CREATE TABLE mine (n int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("TRUNCATE loan")
        assert not await app.fetchval("SELECT pg_has_role(current_user, 'lending_platform', 'USAGE')")
        await app.execute("SET ROLE lending_platform")
        assert await app.fetchval("SELECT count(*) FROM loan") == 1
        assert await owner.fetchval("SELECT count(*) FROM pg_extension WHERE extname = 'btree_gist'") == 1
    finally:
        await owner.close()
        await app.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(server.database_url("stranger_app", "a-word", database="lending"))


def test_valkey_keeps_values_over_kill_9_and_asks_for_its_password(valkey_server: ValkeyEngine) -> None:
    with Valkey.from_url(valkey_server.url) as client:
        client.set("seat", "12A")
    valkey_server.kill()
    valkey_server.start()
    with Valkey.from_url(valkey_server.url) as client:
        assert client.get("seat") == b"12A"
    with Valkey(LOOPBACK, valkey_server.port) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


async def test_the_broker_takes_six_partitions_and_a_group_that_continues(broker: BrokerEngine) -> None:
    await _make_topic(broker)
    sent = {f"key-{number}".encode() for number in range(60)}
    await _produce(broker, sent)
    seen, partitions = await _consume(broker, count=len(sent))
    assert seen == sent
    assert partitions == set(range(_PARTITIONS))
    await _produce(broker, {b"later"})
    assert (await _consume(broker, count=1))[0] == {b"later"}


async def test_the_broker_forgets_everything_over_kill_9_and_serves_again(broker: BrokerEngine) -> None:
    await _make_topic(broker)
    await _produce(broker, {b"lost"})
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    await _make_topic(broker)
    await _produce(broker, {b"new"})
    assert (await _consume(broker, count=1))[0] == {b"new"}


def test_a_taken_port_is_refused_with_its_holder(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]
        engine = ValkeyEngine(tmp_path, port=port)
        with pytest.raises(PortTaken, match=rf"port {port} is taken by .*pid {os.getpid()}"):
            engine.start()
    assert engine.pid is None


def test_an_engine_that_ends_at_once_fails_with_its_last_log_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "appendonlydir" / "appendonly.aof.manifest"
    manifest.parent.mkdir()
    manifest.write_text("not a manifest\n")
    with pytest.raises(EngineFailed, match="ended with exit code 1 before it answered") as failed:
        ValkeyEngine(tmp_path).start()
    assert failed.value.name == "valkey"
    assert "manifest" in "\n".join(failed.value.log)


def start_then_die(directory: Path) -> psutil.Process:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout is not None
        engine = psutil.Process(int(owner.stdout.readline()))
        assert engine.is_running()
        owner.send_signal(signal.SIGKILL)
    return engine


async def test_an_engine_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    engine = start_then_die(tmp_path)
    await eventually(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE)


def _make_database(server: PostgresEngine, service: str) -> None:
    create_service_database(server.superuser_url, service, owner_password="o-word", app_password="a-word")


async def _make_topic(broker: BrokerEngine) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.url)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("bookings", num_partitions=_PARTITIONS, replication_factor=1)])
    finally:
        await admin.close()


async def _produce(broker: BrokerEngine, keys: set[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker.url, enable_idempotence=False) as producer:
        for key in keys:
            await producer.send_and_wait("bookings", key=key, value=key)


async def _consume(broker: BrokerEngine, *, count: int) -> tuple[set[bytes], set[int]]:
    consumer = AIOKafkaConsumer(
        "bookings",
        bootstrap_servers=broker.url,
        group_id="readers",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    async with consumer, asyncio.timeout(90):
        records = [await consumer.getone() for _ in range(count)]
        await consumer.commit()
    return {record.value for record in records}, {record.partition for record in records}
