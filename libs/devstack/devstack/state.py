"""What commands know about a running platform. A recycled process id is never taken for one of ours."""

import json
import os
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import psutil

# Clock corrections move start times a little; the same pid is never handed out again that fast.
_SAME_START_SECONDS = 2.0


class Phase(StrEnum):
    """Where a start has come to."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """None when there is no such process."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def find(self) -> psutil.Process | None:
        """The process while it lives."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """One supervised process."""

    name: str
    identity: Identity | None
    restarts: int = 0
    trouble: str = ""
    """Why it is not running, or was not at last; empty when it never failed."""


@dataclass(frozen=True, slots=True)
class State:
    """What the supervisor last wrote."""

    supervisor: Identity
    phase: Phase = Phase.STARTING
    steps: list[str] = field(default_factory=list)
    error: str = ""
    links: dict[str, str] = field(default_factory=dict)
    processes: list[ProcessRecord] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self.supervisor.find() is not None


class StateFile:
    """`state.json` of one state directory; replaced as a whole, readable by this user only."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "state.json"

    def write(self, state: State) -> None:
        """Readers see the old or the new state."""
        draft = self._path.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
            json.dump(asdict(state), file, indent=2)
        draft.replace(self._path)

    def read(self) -> State | None:
        """None when nothing was started, or the file is not ours."""
        try:
            return _from_json(json.loads(self._path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def remove(self) -> None:
        """Nothing runs any more."""
        self._path.unlink(missing_ok=True)


def _from_json(found: dict[str, Any]) -> State:
    processes = [
        ProcessRecord(
            name=each["name"],
            identity=Identity(**each["identity"]) if each["identity"] else None,
            restarts=each["restarts"],
            trouble=each["trouble"],
        )
        for each in found["processes"]
    ]
    return State(
        supervisor=Identity(**found["supervisor"]),
        phase=Phase(found["phase"]),
        steps=found["steps"],
        error=found["error"],
        links=found["links"],
        processes=processes,
    )
