"""A service as a process: how it ends, and what it says when it cannot begin."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import httpx
import pytest

from devstack.ports import LOOPBACK, pick_port
from servicekit.settings import DatabaseSettings, KafkaSettings
from testkit import eventually
from testkit.databases import ServiceDatabases
from testkit.keys import Keys

_PROGRAM = Path(__file__).with_name("tiny_service.py")

Environment = dict[str, str]
Run = Callable[..., Awaitable[Process]]


@pytest.fixture
def environment(database_settings: DatabaseSettings, kafka: KafkaSettings, keys: Keys) -> Environment:
    return {
        "BOOKING_ENVIRONMENT": "development",
        "BOOKING_DATABASE__URL": database_settings.url.get_secret_value(),
        "BOOKING_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "BOOKING_KAFKA__IDEMPOTENT_PRODUCER": "false",
        "BOOKING_KAFKA__PARTITIONS": "4",
        "BOOKING_KAFKA__SESSION_TIMEOUT_MS": "2000",
        "BOOKING_RPC__LISTEN": f"{LOOPBACK}:{pick_port()}",
        "BOOKING_ADMIN__LISTEN": f"{LOOPBACK}:{pick_port()}",
        "BOOKING_IDENTITY__SIGNING_KEY_FILE": str(keys.file("booking")),
        "BOOKING_IDENTITY__TRUSTED_KEYS_FILE": str(keys.trusted),
    }


@pytest.fixture
async def run(environment: Environment) -> AsyncIterator[Run]:
    """`await run("all", BOOKING_…=…)`: the process, which does not outlive the test."""
    started: list[Process] = []

    async def start(*arguments: str, **variables: str) -> Process:
        given = {**os.environ, **environment, **variables}
        command = [sys.executable, str(_PROGRAM), *arguments]
        started.append(await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=given))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def is_ready(environment: Environment) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"http://{environment['BOOKING_ADMIN__LISTEN']}/readyz")
        except httpx.TransportError:
            return False
    return answer.status_code == httpx.codes.OK


async def test_a_signal_ends_every_role_without_a_complaint(run: Run, environment: Environment) -> None:
    process = await run("all")
    await eventually(lambda: is_ready(environment), timeout=30)
    process.send_signal(signal.SIGTERM)
    out, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert complaints == b""
    assert process.returncode == 0
    assert b'"event":"stopped"' in out.splitlines()[-1]


async def test_a_loop_that_dies_ends_the_process_and_leaves_no_server_behind(
    run: Run, kit_databases: ServiceDatabases
) -> None:
    broken = await asyncio.to_thread(kit_databases.settings, "booking", copy="_broken")
    assert broken.owner_url
    owner = await asyncpg.connect(broken.owner_url.get_secret_value())
    await owner.execute("DROP TABLE timers")
    await owner.close()
    process = await run("all", BOOKING_DATABASE__URL=broken.url.get_secret_value())
    out, complaints = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert b"UndefinedTable" in out + complaints
    assert b"Event loop is closed" not in complaints


@pytest.mark.parametrize("variable", ["BOOKING_ADMIN__LISTEN", "BOOKING_RPC__LISTEN"])
async def test_a_taken_address_is_one_line_and_not_a_stack_trace(
    run: Run, environment: Environment, variable: str
) -> None:
    host, port = environment[variable].split(":")
    with socket.create_server((host, int(port))):
        process = await run("serve")
        _, complaints = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert complaints.decode().startswith(f"cannot listen on {environment[variable]}: ")
    assert len(complaints.splitlines()) == 1
