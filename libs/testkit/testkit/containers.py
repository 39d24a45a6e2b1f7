"""Engines in containers, for a platform without wheels. testcontainers is imported only when one is needed.

The images are those of docker-compose.yml. Ports are bound to loopback.
"""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from devstack.engines import EngineFailed, apache_kafka, kafka_probe
from devstack.ports import LOOPBACK, pick_port
from devstack.psql import PsqlFailed, run_sql

_PASSWORD = "container-of-the-tests-5d2b"  # noqa: S105  # lives for one test run, on loopback
_START_SECONDS, _PAUSE_SECONDS, _STOP_SECONDS = 120.0, 0.2, 10


@dataclass(frozen=True, slots=True)
class Image:
    """What to run, and on which of the container's ports it listens."""

    name: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


class Container:
    """An engine in a container, on a loopback port that stays the same over restarts."""

    def __init__(self, image: Image, *, port: int, url: str, answers: Callable[[], bool]) -> None:
        """`answers` says whether the engine serves; OSError counts as "not yet"."""
        self.url = url
        self._image = image
        self._port = port
        self._answers = answers
        self._container: Any = None

    def start(self) -> None:
        """Makes the container, or starts the stopped one again with its data.

        Raises:
            EngineFailed: it does not answer.
        """
        if self._container is None:
            self._container = self._make()
            self._container.start()
        else:
            self._container.get_wrapped_container().start()
        deadline = time.monotonic() + _START_SECONDS
        while not self._serves():
            if time.monotonic() > deadline:
                raise EngineFailed(self._image.name, f"did not answer within {_START_SECONDS:g} s")
            time.sleep(_PAUSE_SECONDS)

    def kill(self) -> None:
        """Signal 9. The container keeps its data."""
        self._container.get_wrapped_container().kill()
        self._container.get_wrapped_container().wait(timeout=_STOP_SECONDS)

    def stop(self) -> None:
        """Removes the container with its data."""
        if self._container is not None:
            self._container.stop()
            self._container = None

    def _make(self) -> Any:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  # slow, and rarely needed

        container: Any = DockerContainer(self._image.name)
        container.ports = {self._image.port: (LOOPBACK, self._port)}  # testcontainers would open it to all
        container.with_envs(**self._image.environment)
        return container.with_command(self._image.command) if self._image.command else container

    def _serves(self) -> bool:
        try:
            return self._answers()
        except OSError:
            return False


def docker_answers() -> bool:
    """Whether a Docker engine answers, where testcontainers looks for one."""
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415  # slow, and rarely needed
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    try:
        return bool(DockerClient().client.ping())
    except (DockerException, OSError):
        return False


def postgres() -> Container:
    """`url` is the superuser's. Needs psql on the PATH."""
    port = pick_port()
    url = f"postgresql://postgres:{_PASSWORD}@{LOOPBACK}:{port}/postgres"
    image = Image("postgres:18.6", 5432, {"POSTGRES_PASSWORD": _PASSWORD})
    return Container(image, port=port, url=url, answers=lambda: _postgres_answers(url))


def valkey() -> Container:
    """`url` is a redis:// URL with the password."""
    port = pick_port()
    url = f"redis://:{_PASSWORD}@{LOOPBACK}:{port}/0"
    image = Image("valkey/valkey:9.1.1", 6379, command=f"valkey-server --requirepass {_PASSWORD}")
    return Container(image, port=port, url=url, answers=lambda: _valkey_answers(port))


def kafka() -> Container:
    """Apache Kafka in KRaft mode; `url` is the bootstrap address."""
    port = pick_port()
    environment = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
    }
    image = Image(f"apache/kafka:{apache_kafka.VERSION}", 9092, environment)
    address = f"{LOOPBACK}:{port}"
    return Container(image, port=port, url=address, answers=lambda: kafka_probe.answers(port))


def _postgres_answers(url: str) -> bool:
    try:
        return run_sql(url, "SELECT 1;").strip() == "1"
    except PsqlFailed:
        return False


def _valkey_answers(port: int) -> bool:
    with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"-NOAUTH")
