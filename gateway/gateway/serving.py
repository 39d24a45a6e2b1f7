"""Runs the gateway: both listeners on one loop, readiness first and last, and the order of draining."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
import uvloop

from gateway import wire
from gateway.app import open_gateway
from gateway.live.upgrading import server_options
from gateway.settings import Settings
from servicekit import admin, telemetry
from servicekit.process import running

_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 5
_log = telemetry.logger(__name__)


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Then: not ready, a pause for balancers, requests in flight finish.

    Raises:
        CannotListen: an address is taken.
    """
    if not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        sys.exit("the gateway runs on uvloop only: asyncio's own loop costs half as much again")
    async with (
        running("gateway", settings.admin, settings.telemetry) as process,
        listen(settings, process.ready),
    ):
        process.ready.set()
        _log.info("serving", listen=settings.http.listen)
        await process.stop.wait()
        process.ready.clear()
        await asyncio.sleep(settings.http.drain_seconds)
    _log.info("stopped")


@asynccontextmanager
async def listen(settings: Settings, ready: asyncio.Event) -> AsyncIterator[uvicorn.Server]:
    """The public listener, open; when the context ends it takes no more and finishes what it has."""
    async with (
        open_gateway(settings, ready.is_set) as edge,
        admin.serve(
            edge,
            settings.http.listen,
            http=wire.protocol(settings.limits, edge.count_unrouted),
            **server_options(settings.live),
            date_header=True,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=int(settings.limits.timeout_seconds) + _GRACE_SECONDS,
        ) as server,
    ):
        try:
            yield server
        finally:
            await edge.drain()
