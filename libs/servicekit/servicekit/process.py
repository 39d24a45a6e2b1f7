"""Around the work of every process that stays: signals to stop it, traces, and the admin port."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from servicekit import admin
from servicekit.settings import ListenSettings, TelemetrySettings
from servicekit.telemetry import traces


@dataclass(frozen=True, slots=True)
class Process:
    """How the process that runs is told to stop, and tells that it is ready."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by SIGTERM and SIGINT."""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """What /readyz answers. Whoever works sets it, and clears it before they end."""


@asynccontextmanager
async def running(name: str, port: ListenSettings, telemetry: TelemetrySettings) -> AsyncIterator[Process]:
    """A process that hears signals and answers on its admin port; traces are exported to the very last.

    Raises:
        CannotListen: the address of the admin port is taken.
    """
    process = Process()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.stop.set)
    with traces.exported(name, telemetry):
        async with admin.serve(admin.app(process.ready.is_set), port.listen):
            yield process
