"""`make demo` fails with a line that says what was expected, never with a stack trace."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.demo.api import Failed, only
from devstack.demo.guest import first_start
from devstack.ports import LOOPBACK, pick_port
from devstack.settings import Ports

_PORTS = [name for name in Ports.__dataclass_fields__ if name not in {"gateway", "rpc", "admin"}]


class Answer(http.server.BaseHTTPRequestHandler):
    """What stands between a browser and a gateway that is away, or another program on the gateway's port."""

    status, content = 502, b"<h1>Bad gateway</h1>"

    def do_POST(self) -> None:
        self.send_response(self.status)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Stays silent."""


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of somebody who is not the gateway."""
    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def demo(directory: Path, gateway: int) -> subprocess.CompletedProcess[str]:
    lines = [
        f"COMPTOIR_GATEWAY_PORT={gateway}",
        *(f"COMPTOIR_{name.upper()}_PORT={pick_port()}" for name in _PORTS),
    ]
    (directory / ".env").write_text("\n".join(lines))
    command = [sys.executable, "-m", "devstack.demo"]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_platform_it_says_how_to_start_one(tmp_path: Path) -> None:
    told = demo(tmp_path, pick_port())
    assert told.returncode == 1
    assert "Is the platform up? make up" in told.stdout.replace("\n", " ")
    assert told.stderr == ""


def test_an_answer_that_is_no_problem_is_named_with_its_step(tmp_path: Path, stranger: int) -> None:
    told = demo(tmp_path, stranger)
    assert told.returncode == 1
    assert "FAILED in step 1: POST /v1/auth/register: 502 Bad Gateway" in told.stdout
    assert told.stderr == ""


def test_when_no_start_is_late_enough_those_that_there_are_are_shown() -> None:
    slots = [
        {"start": "2027-05-04T18:45:00+02:00", "bookable": True},
        {"start": "2027-05-04T19:00:00+02:00", "bookable": False},
    ]
    with pytest.raises(Failed, match=r"from 19:00 on was expected; bookable are 2027-05-04T18:45:00\+02:00"):
        first_start(slots, hour=19)
    with pytest.raises(Failed, match="bookable are none"):
        first_start([], hour=19)
    assert first_start(slots, hour=18) == "2027-05-04T18:45:00+02:00"


@pytest.mark.parametrize("found", [[], ["a", "b"]])
def test_what_should_be_one_and_is_not_is_counted(found: list[str]) -> None:
    with pytest.raises(Failed, match=f"tickets: exactly one was expected, and there are {len(found)}"):
        only(found, "tickets")
    assert only(["a"], "tickets") == "a"
