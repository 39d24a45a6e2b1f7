"""Work beside the requests: for as long as the gateway is open, and again when a defect ends it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from gateway import metrics
from servicekit import telemetry

_PAUSE_SECONDS = 1.0

_log = telemetry.logger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]
"""Begins the work anew with each call. It returns only when there is nothing to do."""


def run_beside(name: str, work: Work, stack: AsyncExitStack) -> None:
    """Keeps the work running until the stack ends, and ends it there. `name`: in log and metric."""
    task = asyncio.create_task(keep_running(name, work))

    async def end() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(end)


async def keep_running(name: str, work: Work, *, pause_seconds: float = _PAUSE_SECONDS) -> None:
    """Runs the work, and again after a pause when a defect has ended it. Ends by being cancelled.

    The process does not end with it: what such work trips over (an entry in Redis, an answer of auth) meets
    all processes at the same time, and to restart them all would take HTTP away from everybody, again and
    again. It goes on with what it knows; the log has `background_work_failed` with the traceback each time,
    and `comptoir_background_failures_total` rises for as long as that lasts.
    """
    while True:
        task = asyncio.create_task(work())
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            await asyncio.wait([task])
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        if failure is None:
            return
        metrics.BACKGROUND_FAILURES.labels(name).inc()
        _log.error("background_work_failed", work=name, error=type(failure).__name__, exc_info=failure)
        await asyncio.sleep(pause_seconds)
