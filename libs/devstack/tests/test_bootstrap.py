"""What `make` does before there is an environment."""

import runpy
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_pinned_uv_is_taken_from_the_lock_with_all_its_hashes() -> None:
    bootstrap = runpy.run_path(str(ROOT / "libs" / "devstack" / "bootstrap.py"))
    requirement: str = bootstrap["_pinned_requirement"]("uv")
    lines = requirement.splitlines()
    assert lines[0].startswith("uv==")
    assert len(lines) > 2
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])
    assert not lines[-1].endswith("\\")


def test_every_workspace_member_is_on_the_path() -> None:
    bootstrap = runpy.run_path(str(ROOT / "libs" / "devstack" / "bootstrap.py"))
    roots = {path.relative_to(ROOT).as_posix() for path in bootstrap["_source_roots"]()}
    assert {"libs/devstack", "libs/servicekit", "services/booking", "gateway", "."} <= roots


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/usr/bin/env", "make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_make_alone_lists_the_commands() -> None:
    shown = make().stdout
    for command in ("up", "down", "reset", "logs", "demo", "test", "check"):
        assert f"make {command} " in shown


def test_a_missing_python_is_one_clear_line() -> None:
    outcome = make("environment", "PYTHON=no-such-python")
    assert outcome.returncode != 0
    assert "needs Python 3.11 or newer, and there is no no-such-python" in outcome.stdout


def test_an_old_python_is_one_clear_line(tmp_path: Path) -> None:
    old = tmp_path / "python2"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && echo Python 2.7.18\nexit 1\n')
    old.chmod(0o755)
    outcome = make("environment", f"PYTHON={old}")
    assert outcome.returncode != 0
    assert "is Python 2.7.18" in outcome.stdout
