"""`python -m devstack` as a developer types it, on real engines and fake services."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from devstack.ports import LOOPBACK
from devstack.state import StateFile
from testkit import eventually

_PORTS = ("GATEWAY", "SINK", "SMTP", "POSTGRES", "VALKEY", "BROKER", "STRIPE")


class Checkout:
    """A state directory and ports of its own."""

    def __init__(self, state_dir: Path, programs: Path, *, block: int, rpc: int, admin: int) -> None:
        self.state_dir = state_dir
        self.gateway = block
        ports = {f"COMPTOIR_{name}_PORT": str(block + number) for number, name in enumerate(_PORTS)}
        self.environment = {
            **os.environ,
            **ports,
            "COMPTOIR_RPC_PORT": str(rpc),
            "COMPTOIR_ADMIN_PORT": str(admin),
            "COMPTOIR_STATE_DIR": str(state_dir),
            "COMPTOIR_SEED": "off",
            "COMPTOIR_POSTGRES_URL": "",
            "COMPTOIR_REDIS_URL": "",
            "COMPTOIR_KAFKA_BOOTSTRAP": "",
            "PYTHONPATH": str(programs),
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "devstack", *arguments]
        outcome = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert outcome.returncode == code, outcome.stdout + outcome.stderr
        assert "Traceback" not in outcome.stdout + outcome.stderr
        return outcome.stdout

    def pids(self) -> dict[str, int]:
        state = StateFile(self.state_dir).read()
        assert state is not None
        found = {record.name: record.identity.pid for record in state.processes if record.identity}
        return {**found, "supervisor": state.supervisor.pid}


@pytest.fixture
def checkout(tmp_path: Path, fake_programs: Path, free_block: int) -> Iterator[Checkout]:
    state_dir = tmp_path / ".comptoir"
    checkout = Checkout(
        state_dir, fake_programs, block=free_block, rpc=free_block + 10, admin=free_block + 20
    )
    yield checkout
    checkout.run("reset")


def alive(pids: dict[str, int]) -> list[str]:
    return [name for name, pid in pids.items() if psutil.pid_exists(pid) and not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_day_with_the_platform(checkout: Checkout) -> None:
    checkout.state_dir.mkdir(mode=0o700)
    demo = checkout.state_dir / "demo.json"
    demo.touch(mode=0o600)
    demo.write_text(
        json.dumps({"logins": [{"who": "owner", "email": "paulette@chez.example", "password": "shown"}]})
    )
    shown = checkout.run("up")
    for line in (
        "postgres answers",
        "tables are up to date",
        "gateway is ready",
        "paulette@chez.example",
        "make demo",
    ):
        assert line in shown
    pids = checkout.pids()
    assert len(alive(pids)) == 14
    assert httpx.get(f"http://{LOOPBACK}:{checkout.gateway}/", trust_env=False).status_code == 200

    again = checkout.run("up")
    assert "running already" in again
    assert "make demo" in again
    assert checkout.pids() == pids
    assert checkout.run("status").count("running") == 13

    log = checkout.run("logs", "payment")
    assert "PAYMENT_STRIPE__API_KEY" in log
    assert "OWNER_URL" not in log
    assert "BOOKING_" not in log.replace("PAYMENT_PEERS__BOOKING", "")
    assert "there are: analytics" in checkout.run("logs", "nothing", code=1)
    listing = [sys.executable, "-m", "devstack", "logs"]
    with subprocess.Popen(
        listing, env=checkout.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as early:
        assert early.stdout is not None
        assert early.stderr is not None
        early.stdout.close()  # as `make logs | head` does
        assert early.stderr.read() == b""
    modes = {path.stat().st_mode & 0o077 for path in [checkout.state_dir, *checkout.state_dir.rglob("*")]}
    assert modes == {0}

    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pids = checkout.pids()
    assert "data are kept" in checkout.run("down")
    assert alive(pids) == []
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert "not running" in checkout.run("down")
    assert "not running" in checkout.run("status", code=1)

    (checkout.state_dir / "mine.txt").write_text("not made by the platform")
    said = checkout.run("reset")
    assert "forgotten" in said
    assert "kept" not in said
    assert [path.name for path in checkout.state_dir.iterdir()] == ["mine.txt"]


async def test_a_crashed_service_comes_back_and_is_reported(checkout: Checkout) -> None:
    checkout.run("up")
    before = checkout.pids()["booking"]
    os.kill(before, 9)
    await eventually(lambda: checkout.pids().get("booking", before) != before)
    assert "was ended by SIGKILL" in checkout.run("status")


async def test_nothing_outlives_a_supervisor_that_was_killed(checkout: Checkout) -> None:
    checkout.run("up")
    pids = checkout.pids()
    os.kill(pids["supervisor"], 9)
    await eventually(lambda: alive(pids) == [], timeout=90)
    assert "not running" in checkout.run("status", code=1)
    assert "down" in checkout.run("down")


def test_a_taken_port_is_one_line_that_says_what_to_do(checkout: Checkout) -> None:
    with socket.create_server((LOOPBACK, checkout.gateway)):
        said = checkout.run("up", code=1)
    variable = "COMPTOIR_GATEWAY_PORT"
    (line,) = said.splitlines()
    assert f"port {checkout.gateway} is taken by" in line
    assert f"(pid {os.getpid()})" in line
    assert line.endswith(f"set {variable} in .env to another")


def test_a_service_that_cannot_start_is_shown_with_its_log(checkout: Checkout, fake_programs: Path) -> None:
    (fake_programs / "support" / "__main__.py").write_text(
        "raise SystemExit('settings are not valid: no rpc')"
    )
    said = checkout.run("up", code=1)
    assert "support-migrate ended with exit code 1" in said
    assert "settings are not valid: no rpc" in said
    assert "not running" in checkout.run("status", code=1)
