"""Checks that other programs do. Each answers the lines that say what is wrong."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from servicekit.contract import CONTEXTS
from tools.checks.sources import ROOT, tracked

BIN = Path(sys.executable).parent
_ONLY_MOVED = 3
_SHIPPED = "gateway/gateway/openapi/openapi.json"
_NO_SECRETS_IN = ("requirements.lock", ".secrets.baseline", "libs/protos/", "docs/openapi.json", _SHIPPED)
"""Hashes, and what is generated: `generated files` holds it to its sources, which are looked at."""
IMAGE = "libs/protos/comptoir/contract.binpb"

# One mypy run per member: each is a distribution of its own.
_MEMBERS = (
    *(f"libs/{name}" for name in ("servicekit", "testkit", "devstack")),
    *(f"services/{name}" for name in CONTEXTS),
    "gateway",
)


def _run(command: Sequence[str | Path], *, cwd: Path = ROOT) -> list[str]:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    return [] if done.returncode == 0 else (done.stdout + done.stderr).strip().splitlines()


def ruff() -> list[str]:
    """Lint and format."""
    lint = _run([BIN / "ruff", "check", "--output-format=concise", "."])
    return lint + _run([BIN / "ruff", "format", "--check", "."])


def mypy() -> list[str]:
    """Types, strictly."""
    packages = [f"{member}/{member.rsplit('/', 1)[-1]}" for member in _MEMBERS]
    return _run([BIN / "mypy", *packages, "tools"])


def import_linter() -> list[str]:
    """Who may import whom."""
    return _run([BIN / "lint-imports"])


def buf() -> list[str]:
    """The contract's style, and that it breaks nobody since the last release, or commit before the first."""
    return _run([BIN / "buf", "lint", IMAGE]) + breaking(ROOT / IMAGE, _last_released_image())


def breaking(image: Path, against: bytes) -> list[str]:
    """What of `against` a caller could no longer do with `image`."""
    with tempfile.TemporaryDirectory() as scratch:
        before = Path(scratch) / "before.binpb"
        before.write_bytes(against)
        return _run([BIN / "buf", "breaking", image, "--against", before])


def _last_released_image() -> bytes:
    describe = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    found = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False)
    revision = found.stdout.strip() or "HEAD"
    return subprocess.run(
        ["git", "show", f"{revision}:{IMAGE}"], cwd=ROOT, capture_output=True, check=True
    ).stdout


def secrets() -> list[str]:
    """Nothing that looks like a credential is new: what the baseline lists was looked at and is made up."""
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    files = [name for name in names if not name.startswith(_NO_SECRETS_IN)]
    with tempfile.TemporaryDirectory() as scratch:
        baseline = shutil.copy(ROOT / ".secrets.baseline", scratch)  # the program rewrites moved line numbers
        command = [str(BIN / "detect-secrets-hook"), "--baseline", str(baseline), *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [] if done.returncode in {0, _ONLY_MOVED} else (done.stdout + done.stderr).strip().splitlines()


def hadolint() -> list[str]:
    """The style of every Dockerfile."""
    return _run([BIN / "hadolint", *dockerfiles()])


def dockerfiles() -> list[Path]:
    """All that are tracked, wherever they are."""
    return [path for path in tracked() if "Dockerfile" in {path.name, path.suffix.removeprefix(".")}]
