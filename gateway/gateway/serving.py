"""Runs the gateway: both listeners on one loop, readiness first and last, and the order of draining."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
import uvloop

from gateway import wire
from gateway.app import open_gateway
from gateway.live.upgrading import server_options
from gateway.settings import Settings
from servicekit import admin, telemetry
from servicekit.telemetry import traces

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
    stop, ready = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    traces.setup("gateway", settings.telemetry.otlp_endpoint, settings.telemetry.sample_ratio)
    async with AsyncExitStack() as stack:
        stack.callback(traces.shutdown)
        await stack.enter_async_context(admin.serve(admin.app(ready.is_set), settings.admin.listen))
        await stack.enter_async_context(listen(settings, ready))
        ready.set()
        _log.info("serving", listen=settings.http.listen)
        await stop.wait()
        ready.clear()
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
