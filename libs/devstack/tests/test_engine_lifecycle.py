"""What all five engines promise alike, on the real programs."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devstack.engines import (
    BrokerEngine,
    Engine,
    PostgresEngine,
    SinkEngine,
    StripeEngine,
    ValkeyEngine,
)
from devstack.engines.postgres import forget_postgres
from devstack.ports import LOOPBACK, PortTaken, is_free, pick_port

MakeEngine = Callable[[Path, int], Engine]
ENGINES: dict[str, MakeEngine] = {
    "postgres": lambda directory, port: PostgresEngine(directory, port=port, durable=False),
    "valkey": lambda directory, port: ValkeyEngine(directory, port=port),
    "broker": lambda directory, port: BrokerEngine(directory, port=port),
    "stripe": lambda directory, port: StripeEngine(directory, port=port),
    "sink": lambda directory, port: SinkEngine(directory, port=port),
}


@pytest.fixture(params=sorted(ENGINES))
def make_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[int], Engine]]:
    made: list[Engine] = []

    def make(port: int = 0) -> Engine:
        made.append(ENGINES[request.param](tmp_path / "data", port))
        return made[-1]

    yield make
    for engine in made:
        engine.kill()
    forget_postgres(tmp_path / "data")


def test_an_engine_lives_through_start_kill_restart_and_stop(make_engine: Callable[[int], Engine]) -> None:
    engine = make_engine(0)
    engine.start()
    first, port = engine.pid, engine.port
    assert engine.probe()

    engine.kill()
    assert not engine.running
    assert is_free(port)

    engine.start()
    assert engine.probe()
    assert (engine.pid != first, engine.port) == (True, port)

    engine.restart()
    assert engine.probe()
    engine.stop()
    assert not engine.running
    assert is_free(port)


def test_an_engine_listens_on_loopback_only(make_engine: Callable[[int], Engine]) -> None:
    engine = make_engine(0)
    engine.start()

    listening = {
        connection.laddr.ip
        for connection in psutil.Process(engine.pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {LOOPBACK}


def test_a_taken_port_names_its_holder(make_engine: Callable[[int], Engine]) -> None:
    port = pick_port()
    with socket.create_server((LOOPBACK, port)), pytest.raises(PortTaken) as refused:
        make_engine(port).start()

    assert refused.value.port == port
    assert f"pid {os.getpid()}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_second_start_of_a_running_engine_changes_nothing(tmp_path: Path) -> None:
    engine = BrokerEngine(tmp_path)
    engine.start()
    pid = engine.pid
    engine.start()
    assert engine.pid == pid
    engine.stop()
