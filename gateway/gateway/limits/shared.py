"""Buckets in Redis, for all gateways: one atomic script, by the clock of Redis. Decides nothing else."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from gateway.limits.gcra import Charge, Quota
from servicekit import telemetry

KEY_PREFIX = "gateway:{limits}:"
"""The braces keep all buckets in one slot of a cluster: a script may touch one slot only."""

_TIMEOUT = 0.15
"""Seconds for one call, connecting included. Nobody waits for a second one."""
_MOST_REQUESTS = 200
"""In one call: Redis does nothing else meanwhile, for half a millisecond."""
_PROBE = Charge("probe", Quota(1000, 1))

_Told: TypeAlias = asyncio.Future[list[int] | None]
_Waiting: TypeAlias = tuple[Sequence[Charge], _Told]

_log = telemetry.logger(__name__)

_CLOCK = "redis.call('TIME')"
_SCRIPT = """
local time = {clock}
local now = time[1] * 1000000 + time[2]
local stored = redis.call('MGET', unpack(KEYS))
local levels = {{}}
for i = 1, #KEYS do
  levels[KEYS[i]] = math.max((tonumber(stored[i] or 0) or 0) - now, 0)
end
local before, changed, key, at = {{}}, {{}}, 0, 1
while at <= #ARGV do
  local buckets = tonumber(ARGV[at])
  local fits = true
  for n = 1, buckets do
    local interval, full = tonumber(ARGV[at + 2 * n - 1]), tonumber(ARGV[at + 2 * n])
    before[key + n] = math.min(levels[KEYS[key + n]], full)
    fits = fits and before[key + n] + interval <= full
  end
  if fits then
    for n = 1, buckets do
      levels[KEYS[key + n]] = before[key + n] + tonumber(ARGV[at + 2 * n - 1])
      changed[KEYS[key + n]] = true
    end
  end
  key = key + buckets
  at = at + 1 + 2 * buckets
end
for each, _ in pairs(changed) do
  redis.call('SET', each, string.format('%.0f', now + levels[each]), 'PX', math.ceil(levels[each] / 1000))
end
return before
"""


def script(clock: str = _CLOCK) -> str:
    """The script. `clock` is what it asks for seconds and microseconds.

    KEYS: the buckets of all requests. ARGV, for each request: how many of them are its own, then of each the
    interval and the brim in microseconds. Answers the levels before, in microseconds; one request was spent
    from each of its buckets if it fitted into all, else from none. A bucket that is empty again is gone.
    """
    return _SCRIPT.format(clock=clock)


class SharedBuckets:
    """Requests that come while a call is under way are counted together, by the next one."""

    def __init__(self, url: str, *, clock: str = _CLOCK) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            max_connections=2,
        )
        self._script = script(clock)
        self._hash: str | None = None
        self._waiting: list[_Waiting] = []
        self._sending: asyncio.Task[None] | None = None
        self.calls = 0
        """How many times Redis was asked."""
        self.trouble = ""
        """The kind of the last error; empty once Redis has counted again."""

    async def spend(self, charges: Sequence[Charge]) -> list[int] | None:
        """The levels before, as `script` says; None, after at most 150 ms, when Redis does not answer so."""
        told: _Told = asyncio.get_running_loop().create_future()
        self._waiting.append((charges, told))
        if self._sending is None:
            # A context of its own: what it logs belongs to no single request.
            self._sending = asyncio.create_task(self._send(), context=Context())
        return await told

    async def answers(self) -> bool:
        """Whether Redis counts."""
        return await self.spend([_PROBE]) is not None

    async def close(self) -> None:
        """Closes the connections."""
        if self._sending is not None:
            await asyncio.wait([self._sending])
        await self._redis.aclose()

    async def _send(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_REQUESTS], self._waiting[_MOST_REQUESTS:]
                levels = await self._ask([charges for charges, _ in batch])
                if levels is None:
                    break
                at = 0
                for charges, told in batch:
                    _tell(told, levels[at : at + len(charges)])
                    at += len(charges)
                self.trouble = ""
        except Exception as error:  # noqa: BLE001  # the edge of counting: no defect may stop a request
            defect = type(error).__name__
            if defect != self.trouble:  # else said before: a probe finds the same one every second
                _log.exception("rate_limits_broken", error=defect)
            self.trouble = defect
        finally:  # whoever came meanwhile would wait in vain, too
            batch, self._waiting, self._sending = batch + self._waiting, [], None
            for _, told in batch:
                _tell(told, None)

    async def _ask(self, requests: Sequence[Sequence[Charge]]) -> list[int] | None:
        keys = [KEY_PREFIX + charge.key for charges in requests for charge in charges]
        rules: list[int] = []
        for charges in requests:
            rules.append(len(charges))
            for charge in charges:
                rules += (charge.quota.interval, charge.quota.full)
        self.calls += 1
        try:
            async with asyncio.timeout(_TIMEOUT):
                levels: list[int] = await self._run(keys, rules)
        except (RedisError, OSError, TimeoutError) as error:
            self.trouble = type(error).__name__
            return None
        return levels

    async def _run(self, keys: Sequence[str], rules: Sequence[int]) -> Any:
        redis: Any = self._redis
        if self._hash is not None:
            try:
                return await redis.evalsha(self._hash, len(keys), *keys, *rules)
            except NoScriptError:  # restarted, or its scripts were flushed
                self._hash = None
        self._hash = str(await redis.script_load(self._script))
        return await redis.evalsha(self._hash, len(keys), *keys, *rules)


def _tell(told: _Told, levels: list[int] | None) -> None:
    if not told.done():  # else its client has left
        told.set_result(levels)
