"""One line of JSON for each request: never a path, a query, an address, a name or anything a client wrote.

The exceptions are the ids of request and trace, which a client may choose and whose forms are checked. Lines
are gathered, since one write for each would cost as much as the routing.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from gateway import metrics
from gateway.note import Note
from servicekit.identity import Caller

_INTERVAL_SECONDS = 0.5
_MOST_LINES = 500


def _to_stdout(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


class AccessLog:
    """Writes when 500 lines are there, twice a second (`keep_flushing`), and at the end (`flush`)."""

    def __init__(self, write: Callable[[bytes], object] = _to_stdout) -> None:
        self._write = write
        self._lines: list[bytes] = []

    def add(
        self, request_id: str, method: str, route: str, note: Note, *, status: int, seconds: float, size: int
    ) -> None:
        """Notes an answer: `route` is a template, `size` the bytes of the body as they were sent."""
        line: dict[str, object] = {
            "event": "request",
            "level": "info",
            "service": "gateway",
            "timestamp": datetime.now(UTC).isoformat(),
            "method": method if method in metrics.METHODS else metrics.OTHER_METHOD,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "bytes": size,
            "request_id": request_id,
            "trace_id": note.trace_id,
            "caller": _kind(note.caller),
        }
        if note.caller is not None and note.caller.organization is not None:
            line["organization"] = note.caller.organization
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if len(self._lines) >= _MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Writes what is there. A log that cannot be written stops nobody."""
        lines, self._lines = self._lines, []
        if lines:
            with contextlib.suppress(OSError, ValueError):
                self._write(b"".join(lines))

    async def keep_flushing(self) -> None:
        """Ends by being cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            self.flush()


def _kind(caller: Caller | None) -> str:
    """How the caller is known; a break-glass operator is no member."""
    if caller is None:
        return "anonymous"
    if caller.key is not None:
        return "key"
    return "operator" if caller.operator is not None else caller.kind.value
