"""What `make up` and `make status` show. Plain text when the output is not a terminal."""

import json
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from devstack.state import Phase, ProcessRecord, State


def show_ready(console: Console, state: State, state_dir: Path) -> None:
    """URLs, demo log-ins and what to try next."""
    demo = _read_demo(state_dir)
    table = Table(show_header=False, title="Comptoir", title_justify="left")
    for name, url in {**state.links, **demo.get("links", {})}.items():
        table.add_row(name, str(url))
    for login in demo.get("logins", []):
        table.add_row(f"Log in: {login['who']}", f"{login['email']}  {login['password']}")
    console.print(table)
    console.print("Try next: [bold]make demo[/bold]", highlight=False)


def show_status(console: Console, state: State) -> None:
    """One line per process."""
    table = Table(title=f"Comptoir is {state.phase}", title_justify="left")
    for heading in ("process", "pid", "state", "up", "memory", "restarts", "last trouble"):
        table.add_column(heading)
    for record in state.processes:
        table.add_row(*_row(record, state.phase))
    console.print(table)


def _row(record: ProcessRecord, phase: Phase) -> tuple[str, ...]:
    process = record.identity.find() if record.identity else None
    if process is None:
        waiting = "waiting" if phase is Phase.STARTING else "down"
        return record.name, "", waiting, "", "", str(record.restarts), record.trouble
    try:
        age = _duration(time.time() - process.create_time())
        memory = f"{process.memory_info().rss / 1e6:.0f} MB"
    except psutil.Error:
        age = memory = ""
    return record.name, str(process.pid), "running", age, memory, str(record.restarts), record.trouble


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _read_demo(state_dir: Path) -> dict[str, Any]:
    """What the seed left: `{"logins": [{"who", "email", "password"}], "links": {name: url}}`."""
    try:
        found: dict[str, Any] = json.loads((state_dir / "demo.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found
