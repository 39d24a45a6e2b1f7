"""Fake programs and free ports, so that the platform's own behaviour is tested without the services."""

import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from devstack.commands import Command
from devstack.ports import LOOPBACK, is_free
from devstack.process import ManagedProcess
from devstack.topology import PROGRAMS

# A program that answers /readyz, and says in its log which variables it was given.
_PROGRAM = """
import http.server, os, sys, threading

prefix = __spec__.name.split(".")[0].upper() + "_"
if sys.argv[1] == "migrate":
    sys.exit(prefix + "DATABASE__OWNER_URL" not in os.environ)


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def serve(variable):
    host, port = os.environ[prefix + variable].rsplit(":", 1)
    http.server.ThreadingHTTPServer((host, int(port)), Answer).serve_forever()


print("given", *sorted(os.environ), flush=True)
main = "HTTP__LISTEN" if prefix == "GATEWAY_" else "RPC__LISTEN"
threading.Thread(target=serve, args=(main,), daemon=True).start()
serve("ADMIN__LISTEN")
"""

_LISTENER = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"""


class FakeProgram(ManagedProcess):
    """Accepts connections, or fails with the given script instead."""

    def __init__(self, name: str, logs: Path, *, script: str = _LISTENER) -> None:
        super().__init__(name, port=0, log_file=logs / f"{name}.log")
        self.script = script

    def command(self) -> Command:
        """A script of this file."""
        return Command([sys.executable, "-c", self.script, str(self.port)])

    def probe(self) -> bool:
        """Whether it accepts."""
        socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        return True


class NewProgram(Protocol):
    """How tests ask for a fake program."""

    def __call__(self, name: str, *, script: str = ...) -> ManagedProcess: ...


@pytest.fixture
def new_program(tmp_path: Path) -> Iterator[NewProgram]:
    """Makes fake programs by name; ends them after the test."""
    made: list[FakeProgram] = []

    def make(name: str, *, script: str = _LISTENER) -> FakeProgram:
        made.append(FakeProgram(name, tmp_path / "logs", script=script))
        return made[-1]

    yield make
    for program in made:
        program.kill()


@pytest.fixture
def fake_programs(tmp_path: Path) -> Path:
    """A directory for PYTHONPATH in which every program is the fake one."""
    root = tmp_path / "programs"
    for program in PROGRAMS:
        (root / program).mkdir(parents=True)
        (root / program / "__init__.py").touch()
        (root / program / "__main__.py").write_text(_PROGRAM)
    return root


@pytest.fixture
def free_block() -> int:
    """The first of 32 consecutive free ports, of a range that `pick_port` gives nobody any of."""
    while True:
        first = random.randrange(12_000, 19_000, 32)  # noqa: S311  # not a secret
        if all(is_free(port) for port in range(first, first + 32)):
            return first
