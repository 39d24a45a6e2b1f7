"""What a child process is given: arguments, a small environment, a log file; nothing about its life."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devstack.guard import guard

_LOG_LINES_SHOWN = 15
_LOG_ROTATES_AT_BYTES = 20_000_000
# Everything else of the caller's environment stays out: no foreign PG*, no other service's secrets.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "PYTHONPATH", "SSL_CERT_FILE")
_INHERITED_PREFIXES = ("COVERAGE_", "COV_")
_BECOME = (
    "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]));"
    " os.execv(sys.argv[3], sys.argv[3:])"
)


class ProcessFailed(Exception):
    """A child process did not start, or ended too early; carries its last log lines."""

    def __init__(self, name: str, reason: str, *, log: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.log = tuple(log)
        super().__init__("\n  ".join([f"{name} {reason}", *self.log]))


@dataclass(frozen=True, slots=True)
class Command:
    """What to execute; `stdin` is fed and closed."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: str = ""
    directory: Path | None = None


def python_module(module: str, *arguments: str) -> list[str]:
    """The command that runs a module with this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def as_account(user: int, group: int, arguments: Sequence[str]) -> list[str]:
    """The command that root gives to run `arguments` (the first is a path) as somebody else, in one group.

    `subprocess` has options for that, but forks then: gRPC's threads, if there are any, may break the copy of
    this process before it executes anything. Without them nothing of this process runs in the child.
    """
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(user), str(group), *arguments]


def inherited_environment() -> dict[str, str]:
    """The few variables of this process that every child may see."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES)
    }


def spawn(command: Command, log_file: Path) -> subprocess.Popen[bytes]:
    """Starts the process in a session of its own; it ends when this process does. Its output is appended.

    Raises:
        OSError: it cannot be executed.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if log_file.exists() and log_file.stat().st_size > _LOG_ROTATES_AT_BYTES:
        log_file.replace(log_file.with_suffix(".log.1"))
    with os.fdopen(os.open(log_file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as log:
        process = subprocess.Popen(  # noqa: S603 - that is its purpose
            list(command.arguments),
            env={**inherited_environment(), **command.environment},
            stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.directory,
            start_new_session=True,
        )
    guard.watch(process.pid)
    if process.stdin is not None:
        with process.stdin:
            process.stdin.write(command.stdin.encode())
    return process


def run_to_end(name: str, command: Command, *, log_file: Path, timeout: float) -> None:
    """Runs a command that ends by itself, within `timeout` seconds.

    Raises:
        ProcessFailed: it failed or took too long.
    """
    process = spawn(command, log_file)
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise ProcessFailed(name, f"took longer than {timeout:g} s", log=last_lines(log_file)) from None
    finally:
        guard.forget(process.pid)
    if code != 0:
        raise ProcessFailed(name, how_it_ended(code), log=last_lines(log_file))


def how_it_ended(code: int | None) -> str:
    """An exit code in words."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"


def last_lines(log_file: Path, *, count: int = _LOG_LINES_SHOWN) -> list[str]:
    """The end of a log; empty when there is none."""
    if not log_file.exists():
        return []
    with log_file.open("rb") as log:
        log.seek(max(0, log_file.stat().st_size - 500 * count))
        return log.read().decode(errors="replace").splitlines()[-count:]
