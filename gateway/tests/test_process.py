"""The gateway as a process: what it refuses to start with, how it serves, and the order in which it stops."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings
from servicekit.contract import CONTEXTS
from testkit.waiting import eventually


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "GATEWAY_ENVIRONMENT": "development",
        "GATEWAY_HTTP__LISTEN": "127.0.0.1:0",
        "GATEWAY_HTTP__DRAIN_SECONDS": "0",
        "GATEWAY_ADMIN__LISTEN": "127.0.0.1:0",
        "GATEWAY_IDENTITY__SIGNING_KEY_FILE": str(settings.identity.signing_key_file),
        "GATEWAY_IDENTITY__TRUSTED_KEYS_FILE": str(settings.identity.trusted_keys_file),
        "GATEWAY_PEERS": json.dumps(settings.peers),
    }


def start(environ: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=environ, stdout=output, stderr=subprocess.STDOUT
        )


def fetch(port: int, path: str) -> tuple[int, bytes]:
    """The status and the body on a connection of its own; 0 when nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, b""


@pytest.fixture
async def free_ports() -> list[int]:
    servers = [await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) for _ in range(2)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    for server in servers:
        server.close()
        await server.wait_closed()
    return ports


async def test_the_process_serves_and_stops_on_a_signal(
    settings: Settings, tmp_path: Path, free_ports: Any
) -> None:
    public, admin = free_ports
    log = tmp_path / "gateway.log"
    listening = {
        "GATEWAY_HTTP__LISTEN": f"127.0.0.1:{public}",
        "GATEWAY_ADMIN__LISTEN": f"127.0.0.1:{admin}",
    }
    process = start(environment(settings) | listening, log)

    try:
        await eventually(lambda: fetch(admin, "/readyz") == (200, b"ready\n"), timeout=90)
        assert b"openapi" in fetch(public, "/openapi.json")[1]
        metrics = fetch(admin, "/metrics")[1].decode()
        assert 'comptoir_http_requests_total{method="GET",route="/openapi.json",status="200"} 1.0' in metrics
        assert (
            'comptoir_http_request_duration_seconds_count{method="GET",route="/openapi.json"} 1.0' in metrics
        )
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    events = [json.loads(line)["event"] for line in log.read_text(encoding="utf-8").splitlines()]
    assert events[-1] == "stopped"


async def test_it_is_not_ready_first_serves_on_meanwhile_and_then_ends(
    settings: Settings, tmp_path: Path, free_ports: Any
) -> None:
    """Balancers need a moment to notice: whoever is sent here until then is answered."""
    public, admin = free_ports
    log = tmp_path / "gateway.log"
    listening = {
        "GATEWAY_HTTP__LISTEN": f"127.0.0.1:{public}",
        "GATEWAY_ADMIN__LISTEN": f"127.0.0.1:{admin}",
        "GATEWAY_HTTP__DRAIN_SECONDS": "10",
    }
    process = start(environment(settings) | listening, log)
    try:
        await eventually(lambda: fetch(admin, "/readyz")[0] == 200, timeout=90)
    finally:
        process.send_signal(signal.SIGTERM)
    await eventually(lambda: fetch(admin, "/readyz")[0] == 503)
    served: list[int] = []

    def closed() -> bool:
        served.append(fetch(public, "/healthz")[0])
        return served[-1] == 0

    await eventually(closed, timeout=60)
    # Without the pause one connection or two get in while the listener closes.
    assert len(served) > 6
    assert set(served[:-1]) == {200}
    assert await asyncio.to_thread(process.wait, 60) == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"GATEWAY_HTPP__LISTEN": "127.0.0.1:0"}, "GATEWAY_HTPP__LISTEN"),
        ({"GATEWAY_HTTP__DEBUG": "true"}, "http.debug"),
        ({"GATEWAY_PEERS": json.dumps(dict.fromkeys(CONTEXTS[1:], "127.0.0.1:1"))}, "no target for auth"),
        (
            {"GATEWAY_ENVIRONMENT": "production", "GATEWAY_REDIS__URL": "redis://:weak@127.0.0.1"},
            "redis.url",
        ),
    ],
)
def test_settings_that_do_not_hold_end_the_process_with_their_name(
    settings: Settings, tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    log = tmp_path / "gateway.log"
    assert start(environment(settings) | change, log).wait(90) == 1
    text = log.read_text(encoding="utf-8")
    assert complaint in text
    assert "Traceback" not in text
    assert "weak@" not in text
