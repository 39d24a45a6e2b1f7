"""The time budget of the running task: forwarded between services, and down to statement_timeout."""

import time
from contextvars import ContextVar

from servicekit.errors import DeadlineExceeded

MARGIN = 0.02
"""Seconds kept back at each hop, so that the caller hears the answer."""

_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def start(seconds: float | None) -> None:
    """Gives the running task `seconds` from now; None lifts the limit."""
    _deadline.set(None if seconds is None else time.monotonic() + seconds)


def remaining() -> float | None:
    """Seconds left, None without a limit.

    Raises:
        DeadlineExceeded: nothing is left: work whose answer nobody waits for is not begun.
    """
    limit = _deadline.get()
    if limit is None:
        return None
    left = limit - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded
    return left
