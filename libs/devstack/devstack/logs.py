"""`make logs`: shows what the processes wrote, and follows it. It only reads."""

import time
from pathlib import Path
from typing import TextIO

from devstack.commands import last_lines

_SHOWN_OF_ONE, _SHOWN_OF_EACH = 200, 10
_NAME_WIDTH = 20
_POLL_SECONDS = 0.3


class NoSuchLog(Exception):
    """There is no log of that name; the text lists those there are."""


def show_logs(logs_dir: Path, out: TextIO, *, name: str | None = None, follow: bool = False) -> None:
    """Prints the end of one log, or of each with its name in front; `follow` goes on until interrupted.

    Raises:
        NoSuchLog: nothing of that name has written anything.
    """
    known = sorted(path.stem for path in logs_dir.glob("*.log"))
    if name is not None and name not in known:
        raise NoSuchLog(f"no log of {name}; there are: {', '.join(known) or 'none yet'}")
    seen = {path: path.stat().st_size for path in _logs(logs_dir, name)}
    for path in seen:
        _write(
            out, path, last_lines(path, count=_SHOWN_OF_ONE if name else _SHOWN_OF_EACH), named=name is None
        )
    while follow:
        out.flush()
        time.sleep(_POLL_SECONDS)
        for path in _logs(logs_dir, name):
            lines, seen[path] = _read_new(path, seen.get(path, 0))
            _write(out, path, lines, named=name is None)


def _logs(logs_dir: Path, name: str | None) -> list[Path]:
    return sorted(logs_dir.glob(f"{name or '*'}.log"))


def _read_new(path: Path, start: int) -> tuple[list[str], int]:
    """The whole lines after `start`, and where they end."""
    if path.stat().st_size < start:
        start = 0  # rotated
    with path.open("rb") as log:
        log.seek(start)
        chunk = log.read()
    whole = chunk[: chunk.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), start + len(whole)


def _write(out: TextIO, path: Path, lines: list[str], *, named: bool) -> None:
    front = f"{path.stem:<{_NAME_WIDTH}} | " if named else ""
    out.writelines(f"{front}{line}\n" for line in lines)
