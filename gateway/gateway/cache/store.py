"""Kept answers in Redis, each sealed with the names that its tags had before its service was asked.

One script looks, by Redis' own clock: an answer counts only while none of its tags has another name, so that
nothing that was read before an event is served after it. Without Redis, or with a slow one, nothing is kept.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.cache.tags import BEAT, KEY_OF_TAG
from servicekit import telemetry
from servicekit.settings import RedisSettings

_KEY: Final = "edge:answer:"
_PAUSE_SECONDS: Final = 5.0
_CONNECTIONS: Final = 16
_NAMES_MS: Final = 120_000
"""Longer than any answer is kept. A tag whose name is forgotten gets one that no answer has."""
_UNFOLLOWED_MS: Final = 2_000
"""How old an answer may be while nobody follows: what search may be stale by."""
_LARGEST: Final = 256 * 1024

_LOOK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = redis.call('MGET', unpack(KEYS, 2))
for number = 2, #names do
  if not names[number] then
    names[number] = ARGV[1]
    redis.call('SET', KEYS[number + 1], ARGV[1], 'PX', ARGV[2])
  end
end
local seal = table.concat(names, ' ', 2)
local kept = redis.call('HMGET', KEYS[1], 'seal', 'made', 'body')
if not kept[1] then
  return {'', seal, now}
end
local age = now - kept[2]
if kept[1] == seal and age >= 0 and age <= tonumber(ARGV[3])
  and math.floor(now / 60000) == math.floor(kept[2] / 60000)
  and (names[1] or age <= tonumber(ARGV[4])) then
  return {'', seal, now, kept[3]}
end
return {'stale', seal, now}
"""
# Whole minutes: rules of time are said in minutes, and no event tells when one begins to count.

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What is there."""

    seal: bytes
    """The names of the tags, now."""
    at: int
    """When, in milliseconds by Redis' clock."""
    body: bytes | None
    """The kept answer, if it counts."""
    stale: bool
    """Whether there is one that does not count any more."""


class Store:
    """Kept answers. Every trouble with Redis is a pause in which there is nothing, never an error."""

    def __init__(self, settings: RedisSettings, *, timeout: float) -> None:
        """`settings` name a Redis. `timeout`: seconds after which it counts as away."""
        assert settings.url is not None  # noqa: S101  # whoever has none opens no store
        pool = BlockingConnectionPool.from_url(
            settings.url.get_secret_value(),
            max_connections=_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Any = Redis.from_pool(pool)
        self._script = self._redis.register_script(_LOOK)
        self._paused_until = 0.0

    async def look(self, key: str, tags: Sequence[str], *, seconds: int) -> Look | None:
        """The answer of `key` if it counts and is at most `seconds` old; None when Redis cannot say."""
        if time.monotonic() < self._paused_until:
            return None
        keys = [_KEY + key, BEAT, *(KEY_OF_TAG + tag for tag in tags)]
        given: list[str | int] = [secrets.token_hex(8), _NAMES_MS, seconds * 1000, _UNFOLLOWED_MS]
        try:
            state, seal, at, *body = await self._script(keys, given)
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return None
        return Look(seal, at, body[0] if body else None, stale=bool(state))

    async def keep(self, key: str, look: Look, body: bytes, *, seconds: int) -> bool:
        """Keeps what a service answered after `look`. Whether it did."""
        if len(body) > _LARGEST or time.monotonic() < self._paused_until:
            return False
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hset(_KEY + key, mapping={"seal": look.seal, "made": look.at, "body": body})
        pipeline.expire(_KEY + key, seconds)
        try:
            await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._pause(error)
            return False
        return True

    async def close(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    def _pause(self, error: Exception) -> None:
        """Leaves a Redis that fails alone for a while, so that nobody waits for its timeouts."""
        self._paused_until = time.monotonic() + _PAUSE_SECONDS
        _log.warning("redis_paused", error=type(error).__name__)
