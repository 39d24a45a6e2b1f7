"""`make logs`: the ends of the logs, and what is written from then on."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.logs import NoSuchLog, show_logs


def write(logs: Path, name: str, *lines: str) -> None:
    with (logs / f"{name}.log").open("a") as log:
        log.writelines(f"{line}\n" for line in lines)


def shown(logs: Path, name: str | None = None) -> list[str]:
    out = io.StringIO()
    show_logs(logs, out, name=name)
    return out.getvalue().splitlines()


def test_all_logs_are_shown_with_names_and_one_without(tmp_path: Path) -> None:
    write(tmp_path, "auth", "a1", "a2")
    write(tmp_path, "booking", "b1")
    assert [line.replace(" ", "") for line in shown(tmp_path)] == ["auth|a1", "auth|a2", "booking|b1"]
    assert shown(tmp_path, "auth") == ["a1", "a2"]


def test_only_the_end_of_a_long_log_is_shown(tmp_path: Path) -> None:
    write(tmp_path, "auth", *(f"line {number}" for number in range(5000)))
    lines = shown(tmp_path, "auth")
    assert (len(lines), lines[-1]) == (200, "line 4999")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    write(tmp_path, "auth", "a1")
    with pytest.raises(NoSuchLog, match="no log of kitchen; there are: auth"):
        shown(tmp_path, "kitchen")


def test_following_shows_new_lines_and_new_logs(tmp_path: Path) -> None:
    write(tmp_path, "auth", "old")
    script = (
        "import sys; from pathlib import Path; from devstack.logs import show_logs;"
        "show_logs(Path(sys.argv[1]), sys.stdout, follow=True)"
    )
    command = [sys.executable, "-u", "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as following:
        assert following.stdout is not None
        assert following.stdout.readline().endswith("| old\n")
        write(tmp_path, "auth", "new")
        assert following.stdout.readline().endswith("| new\n")
        write(tmp_path, "seed", "first")
        assert following.stdout.readline().startswith("seed ")
        following.kill()
