"""Counts in Redis, and in this process alone while Redis is away. Never refuses because it is."""

import asyncio
import contextlib
from collections.abc import Sequence

from gateway.limits import metrics
from gateway.limits.gcra import Charge
from gateway.limits.local import LocalBuckets
from gateway.limits.shared import SharedBuckets
from servicekit import telemetry
from servicekit.settings import RedisSettings

_PAUSE_SECONDS = 1.0

_log = telemetry.logger(__name__)


class Buckets:
    """Whoever finds Redis away waits 150 ms at most; nobody waits again before it has answered a probe."""

    def __init__(self, settings: RedisSettings, *, local: LocalBuckets | None = None) -> None:
        """Without a URL this process always counts for itself."""
        self._shared = SharedBuckets(settings.url.get_secret_value()) if settings.url else None
        self._local = local or LocalBuckets()
        self._probing: asyncio.Task[None] | None = None

    @property
    def alone(self) -> bool:
        """Whether this process counts for itself."""
        return self._shared is None or self._probing is not None

    async def spend(self, charges: Sequence[Charge]) -> list[int]:
        """The levels before, in microseconds; spent from all buckets if the request fitted into all."""
        shared = self._shared
        if shared is not None and self._probing is None:
            levels = await shared.spend(charges)
            if levels is not None:
                return levels
            self._leave(shared)
        return self._local.spend(charges)

    async def close(self) -> None:
        """Ends the probe and closes the connections."""
        if self._probing is not None:
            self._probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._probing
        if self._shared is not None:
            await self._shared.close()

    def _leave(self, shared: SharedBuckets) -> None:
        if self._probing is None:
            _log.warning("rate_limits_alone", error=shared.trouble)
            metrics.ALONE.set(1)
            self._probing = asyncio.create_task(self._return(shared))

    async def _return(self, shared: SharedBuckets) -> None:
        while not await shared.answers():  # noqa: ASYNC110  # Redis sets no event of ours
            await asyncio.sleep(_PAUSE_SECONDS)
        self._probing = None
        metrics.ALONE.set(0)
        _log.info("rate_limits_shared")
