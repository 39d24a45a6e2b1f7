"""The live gateway against its own document: every check of schemathesis, a bounded number of examples."""

import subprocess
import sys
from pathlib import Path

import pytest

from devstack.demo.owner import Owner
from devstack.platform import Platform

EXAMPLES = "8"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["anybody", "owner"])
def test_the_gateway_keeps_its_document(who: str, platform: Platform, owner: Owner, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{platform.gateway_url}/openapi.json",
        "--url",
        platform.gateway_url,
        "--checks",
        "all",
        # Rules that no schema can say (no such day, a password too common) are refused with 400 as yet.
        "--exclude-checks",
        "positive_data_acceptance",
        "--max-examples",
        EXAMPLES,
        "--seed",
        "7",
        "--phases",
        "examples,coverage,fuzzing",
        "--generation-allow-x00",  # JSON strings with U+0000 are refused, and a schema cannot say so readably
        "false",
        "--generation-database",
        "none",
        "--suppress-health-check",
        "all",
    ]
    if who == "owner":
        token = owner.api.headers["authorization"]
        command += ["--header", f"Authorization: {token}", "--exclude-path", "/v1/auth/logout"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
