"""A cache that may always be empty: this process first, then Redis. Losing it costs time only."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit import telemetry
from servicekit.settings import RedisSettings
from servicekit.telemetry import metrics

_LOCAL_ENTRIES: Final = 10_000
_LOCAL_SECONDS: Final = 2.0
_REFRESH_SECONDS: Final = 0.25
"""How long the others go on with an entry that ran out while the first who noticed reads it again."""
_REDIS_TIMEOUT: Final = 0.2
_PAUSE_SECONDS: Final = 5.0

_READ_LOCALLY: Final = metrics.CACHE_READS.labels("local")
_log = telemetry.logger(__name__)


class Cache:
    """Bytes by key. Shared entries may be stale by their TTL, local ones by two seconds and a moment more."""

    def __init__(self, settings: RedisSettings, *, prefix: str) -> None:
        url = settings.url.get_secret_value() if settings.url else None
        self._redis = (
            Redis.from_url(url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT)
            if url
            else None
        )
        self._prefix = prefix
        self._local: dict[str, tuple[float, bytes]] = {}
        self._paused_until = 0.0

    async def get_or_load(self, key: str, load: Callable[[], Awaitable[bytes]], *, ttl: int) -> bytes:
        """The cached bytes of `key`, or what `load` answers (and raises), kept for `ttl` seconds."""
        now = time.monotonic()
        cached = self._local.get(key)
        if cached and cached[0] > now:
            _READ_LOCALLY.inc()
            return cached[1]
        if cached:
            self._local[key] = (now + _REFRESH_SECONDS, cached[1])
        try:
            found = await self._read(key, load, ttl)
        finally:
            self._local.pop(key, None)  # nobody goes on with what cannot be read again
        if len(self._local) >= _LOCAL_ENTRIES:
            self._local.clear()
        self._local[key] = (now + min(_LOCAL_SECONDS, ttl), found)
        return found

    async def _read(self, key: str, load: Callable[[], Awaitable[bytes]], ttl: int) -> bytes:
        found = await self._shared(key)
        if found is None:
            found = await load()
            metrics.CACHE_READS.labels("loaded").inc()
            await self._share(key, found, ttl)
        return found

    async def forget(self, key: str) -> None:
        """Drops a key here and in Redis; other processes may serve it for two seconds more."""
        self._local.pop(key, None)
        if self._usable():
            try:
                await self._redis.delete(self._prefix + key)  # type: ignore[union-attr]
            except (RedisError, OSError, TimeoutError) as error:
                self._pause(error)

    async def close(self) -> None:
        """Closes the connections to Redis."""
        if self._redis:
            await self._redis.aclose()

    async def _shared(self, key: str) -> bytes | None:
        if not self._usable():
            return None
        try:
            found: Any = await self._redis.get(self._prefix + key)  # type: ignore[union-attr]
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return None
        if found is None:
            return None
        metrics.CACHE_READS.labels("shared").inc()
        return bytes(found)

    async def _share(self, key: str, value: bytes, ttl: int) -> None:
        if not self._usable():
            return
        try:
            await self._redis.set(self._prefix + key, value, ex=ttl)  # type: ignore[union-attr]
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)

    def _usable(self) -> bool:
        return self._redis is not None and time.monotonic() >= self._paused_until

    def _pause(self, error: Exception) -> None:
        """Leaves a Redis that fails alone for a while, so that nobody waits for its timeouts."""
        self._paused_until = time.monotonic() + _PAUSE_SECONDS
        _log.warning("redis_paused", error=type(error).__name__)
