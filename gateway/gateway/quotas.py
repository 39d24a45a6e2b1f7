"""Calls that keys made today, counted in Redis for all gateways. While it is away, each counts for itself."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway.errors import DailyQuotaSpent
from servicekit import telemetry
from servicekit.errors import RETRY_AFTER
from servicekit.settings import RedisSettings

_DAY = 86_400
_KEPT_SECONDS = 2 * _DAY
_TIMEOUT = 0.2
_PAUSE_SECONDS = 5.0
_MOST_KEYS = 100_000

_log = telemetry.logger(__name__)


class DailyQuotas:
    """Counts calls by key and day (UTC).

    Losing Redis refuses nobody: each gateway goes on from the last number it saw, so that N of them let
    N times the rest of a quota through at most.
    """

    def __init__(self, settings: RedisSettings, *, clock: Callable[[], float] = time.time) -> None:
        url = settings.url.get_secret_value() if settings.url else None
        self._redis = (
            Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT) if url else None
        )
        self._clock = clock
        self._seen: dict[tuple[UUID, int], int] = {}
        self._paused_until = 0.0

    async def spend(self, key: UUID, *, most: int) -> None:
        """Counts one more call.

        Raises:
            DailyQuotaSpent: there were `most` of them today; when to come again is in the metadata.
        """
        now = self._clock()
        today = int(now // _DAY)
        counted = self._seen.get((key, today), 0) + 1
        if counted <= most:
            counted = max(counted, await self._shared(key, today))
            if len(self._seen) >= _MOST_KEYS:
                self._seen = {each: seen for each, seen in self._seen.items() if each[1] == today}
            self._seen[key, today] = counted
        if counted > most:
            raise DailyQuotaSpent(metadata={RETRY_AFTER: str(int((today + 1) * _DAY - now) + 1)})

    async def close(self) -> None:
        """Closes the connections to Redis."""
        if self._redis:
            await self._redis.aclose()

    async def _shared(self, key: UUID, today: int) -> int:
        """How many calls all gateways have counted with this one; 0 while that is not known."""
        if self._redis is None or time.monotonic() < self._paused_until:
            return 0
        name = f"gateway:quota:{today}:{key}"
        try:
            pipeline: Any = self._redis.pipeline(transaction=False)
            pipeline.incr(name)
            pipeline.expire(name, _KEPT_SECONDS)
            counted, _ = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            _log.warning("redis_paused", error=type(error).__name__)
            return 0
        return int(counted)
