"""Both generated clients do the main job, each in a program that an integrator could have written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack.platform import Platform
from testkit import typescript
from tools.clients.build import WRITTEN, build, read_api

EXAMPLES = WRITTEN / "examples"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    build(folder, read_api())
    return folder


@pytest.fixture
def addresses(platform: Platform) -> dict[str, str]:
    return {
        "COMPTOIR_URL": platform.gateway_url,
        "SINK_URL": platform.engines.sink.url,
        "STRIPE_URL": platform.engines.stripe.url,
    }


def assert_the_job_is_done(happened: dict[str, Any]) -> None:
    assert happened == {
        "starts": 9,
        "held": "held",
        "deposit": 7000,
        "booked_once": True,
        "managed": "confirmed",
        "cancelled": "cancelled",
        "tables": ["T1", "T2"],
        "bookings": [True],
        "another_wish": "IDEMPOTENCY_KEY_REUSED",
        "no_link": "MANAGE_TOKEN_NOT_FOUND",
    }


def test_the_python_client_does_the_main_job(built: Path, addresses: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "main_job.py")],
        env={**os.environ, **addresses, "PYTHONPATH": str(built / "python")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_the_job_is_done(json.loads(done.stdout))


def test_the_typescript_client_does_the_main_job(
    built: Path, addresses: dict[str, str], tmp_path: Path
) -> None:
    package = built / "typescript"
    typescript.compile_package(package)
    script = typescript.compile_program(EXAMPLES / "main_job.ts", package, tmp_path / "program")
    assert_the_job_is_done(json.loads(typescript.run(script, addresses)))
