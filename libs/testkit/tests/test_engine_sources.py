"""The order in which tests look for an engine, and what happens when there is none."""

import os
import subprocess
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from devstack.ports import LOOPBACK, pick_port
from testkit.engines import BROKER, POSTGRES, VALKEY, Availability, EngineAbsent, EngineKind, Source, choose

_START_KAFKA = """
import sys
from pathlib import Path
from devstack.engines.apache_kafka import ApacheKafkaEngine
ApacheKafkaEngine(Path(sys.argv[1]), jars=Path(sys.argv[2])).start()
"""
_ASK_DOCKER = "from testkit.containers import docker_answers; print(docker_answers())"


def yes() -> bool:
    return True


def no() -> bool:
    return False


def never() -> bool:
    raise AssertionError("a later source was asked although an earlier one was there")


@pytest.mark.parametrize(
    ("url", "wheel", "docker", "expected"),
    [
        ("kafka.local:9092", never, never, Source.URL),
        (None, yes, never, Source.WHEEL),
        ("", yes, never, Source.WHEEL),
        (None, no, yes, Source.CONTAINER),
    ],
)
@pytest.mark.parametrize("ci", [True, False])
def test_the_first_source_there_is_wins(
    url: str | None, wheel: Callable[[], bool], docker: Callable[[], bool], expected: Source, *, ci: bool
) -> None:
    assert choose("the broker", Availability(url=url, wheel=wheel, docker=docker, ci=ci)) is expected


def test_an_absent_engine_fails_in_ci_and_is_named() -> None:
    with pytest.raises(EngineAbsent, match="the broker: no URL"):
        choose("the broker", Availability(url=None, wheel=no, docker=no, ci=True))


def test_an_absent_engine_is_a_skip_on_a_developers_machine() -> None:
    assert choose("the broker", Availability(url=None, wheel=no, docker=no, ci=False)) is Source.NONE


@pytest.mark.parametrize("kind", [POSTGRES, VALKEY, BROKER], ids=lambda kind: kind.package)
def test_the_installed_wheels_are_found(kind: EngineKind) -> None:
    assert kind.has_wheel()
    assert not EngineKind(kind.name, kind.variable, kind.package, "bin/of-another-platform").has_wheel()
    assert not EngineKind(kind.name, kind.variable, "comptoir_not_installed", kind.program).has_wheel()


class _DockerEngine(BaseHTTPRequestHandler):
    """As much of Docker's API as a ping needs."""

    def do_GET(self) -> None:
        body = b'{"ApiVersion": "1.47"}' if self.path.endswith("/version") else b"OK"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def test_a_docker_engine_counts_when_it_answers() -> None:
    engine = ThreadingHTTPServer((LOOPBACK, 0), _DockerEngine)
    Thread(target=engine.serve_forever, daemon=True).start()
    try:
        assert _ask_docker(engine.server_port) == "True"
    finally:
        engine.shutdown()
        engine.server_close()
    assert _ask_docker(pick_port()) == "False"


def _ask_docker(port: int) -> str:
    environment = {**os.environ, "DOCKER_HOST": f"tcp://{LOOPBACK}:{port}"}
    asked = [sys.executable, "-c", _ASK_DOCKER]
    return subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_apache_kafka_says_which_program_it_misses(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    assert "needs Java 17 or newer, and there is no java on the PATH" in _start_kafka(tmp_path, programs)
    (programs / "java").symlink_to(sys.executable)
    assert "needs Maven, to fetch Kafka's jars, and there is no mvn" in _start_kafka(tmp_path, programs)


def _start_kafka(directory: Path, programs: Path) -> str:
    arguments = [sys.executable, "-c", _START_KAFKA, str(directory / "data"), str(directory / "jars")]
    environment = {**os.environ, "PATH": str(programs)}
    outcome = subprocess.run(arguments, env=environment, check=False, capture_output=True, text=True)
    assert "EngineFailed" in outcome.stderr
    return outcome.stderr
