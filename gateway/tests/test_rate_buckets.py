"""Buckets: script, process alone and a brute-force oracle decide alike; Redis killed, flushed, silent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.limits.buckets import Buckets
from gateway.limits.gcra import MICROSECONDS, Charge, Quota, admits
from gateway.limits.local import LocalBuckets
from gateway.limits.shared import KEY_PREFIX, SharedBuckets
from servicekit.settings import RedisSettings
from testkit.engines import RunningEngine
from testkit.waiting import eventually

_FAST = [Quota(1, 1), Quota(2, 3), Quota(7, 10), Quota(1000, 1)]
_SLOW = [Quota(1, 60), Quota(2, 100), Quota(3, 3600), Quota(5, 900)]
"""Nothing of theirs expires, by the real clock, within one story."""
_numbers = count()

_Story = Sequence[tuple[int, Sequence[Charge]]]
"""Pauses in microseconds, and who comes then."""


def _stories(quotas: Sequence[Quota], longest: int) -> st.SearchStrategy[_Story]:
    buckets = [Charge(f"b{number}", quota) for number, quota in enumerate(quotas)]
    requests = st.lists(st.sampled_from(buckets), min_size=1, max_size=3, unique=True)
    pauses = st.integers(0, longest * MICROSECONDS) | st.integers(0, longest * 1000)
    return st.lists(st.tuples(pauses, requests), max_size=25)


@dataclass
class Clock:
    """Microseconds that pass when a test says so."""

    now: int = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now


class Oracle:
    """A leaking bucket by exact fractions: what is in it, drop by drop. Shares nothing with the rule."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[Fraction, int]] = {}

    def spend(self, charges: Sequence[Charge], now: int) -> bool:
        """Whether one request fits into all buckets; then it is in all of them."""
        drops = {}
        for key, quota in charges:
            before, at = self._spent.get(key, (Fraction(0), now))
            leaked = Fraction(now - at, quota.seconds * MICROSECONDS // quota.most)
            drops[key] = max(Fraction(0), before - leaked)
        fits = all(drops[key] + 1 <= quota.most for key, quota in charges)
        if fits:
            self._spent |= {key: (drop + 1, now) for key, drop in drops.items()}
        return fits


@settings(deadline=None)
@given(_stories(_FAST, 3) | _stories(_SLOW, 600))
def test_a_process_alone_decides_like_a_leaking_bucket(story: _Story) -> None:
    clock, oracle = Clock(), Oracle()
    buckets = LocalBuckets(clock=clock)
    for pause, charges in story:
        clock.now += pause
        assert admits(charges, buckets.spend(charges)) == oracle.spend(charges, clock.now)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Any]:
    """A client of the test's own."""
    client: Any = Redis.from_url(redis_url)
    yield client
    await client.aclose()


def test_the_script_decides_like_a_process_alone(redis_url: str) -> None:
    """With a clock that the test sets, in a key of its own."""
    clock = Clock()
    with asyncio.Runner() as runner:
        client: Any = Redis.from_url(redis_url)
        shared = SharedBuckets(redis_url, clock="redis.call('MGET', 'test:seconds', 'test:microseconds')")

        @settings(deadline=None, max_examples=50)
        @given(_stories(_SLOW, 600))
        def decides_alike(story: _Story) -> None:
            runner.run(tell(story))

        async def tell(story: _Story) -> None:
            prefix, local = f"story{next(_numbers)}:", LocalBuckets(clock=clock)
            for pause, asked in story:
                clock.now += pause
                charges = [Charge(prefix + key, quota) for key, quota in asked]
                seconds, rest = divmod(clock.now, MICROSECONDS)
                await client.mset({"test:seconds": seconds, "test:microseconds": rest})
                assert await shared.spend(charges) == local.spend(charges)

        decides_alike()
        runner.run(shared.close())
        runner.run(client.aclose())


def test_a_bucket_is_never_over_its_brim_though_a_clock_went_back() -> None:
    clock, quota = Clock(), Quota(2, 10)
    buckets = LocalBuckets(clock=clock)
    buckets.spend([Charge("k", quota)])
    clock.now -= 3_600 * MICROSECONDS
    assert buckets.spend([Charge("k", quota)]) == [quota.full]
    assert quota.wait(quota.full) == 5


@pytest.mark.parametrize(("most", "seconds"), [(0, 1), (1, 0), (-1, 5), (1_000_001, 1)])
def test_a_quota_of_nothing_is_none(most: int, seconds: int) -> None:
    with pytest.raises(ValueError, match="a quota is"):
        Quota(most, seconds)


def test_the_memory_of_a_process_is_bounded_and_forgets_whom_it_saw_longest_ago() -> None:
    clock, quota = Clock(), Quota(1, 10)
    buckets = LocalBuckets(clock=clock, most=2)
    for name in ("a", "b", "c"):
        assert buckets.spend([Charge(name, quota)]) == [0]
    assert buckets.spend([Charge("c", quota)]) == [quota.full]
    assert buckets.spend([Charge("a", quota)]) == [0], "forgotten, so never refused"


async def test_a_refused_request_is_spent_from_no_bucket(redis_url: str) -> None:
    shared = SharedBuckets(redis_url)
    tight, wide = (
        Charge(f"tight{next(_numbers)}", Quota(1, 900)),
        Charge(f"wide{next(_numbers)}", Quota(9, 900)),
    )
    first = await shared.spend([tight, wide])
    assert first == [0, 0]
    for _ in range(3):
        levels = await shared.spend([tight, wide])
        assert levels is not None
        assert not admits([tight, wide], levels)
    levels = await shared.spend([wide])
    assert levels is not None
    assert levels[0] <= wide.quota.interval, "only the first request is in it"
    await shared.close()


async def test_what_comes_together_is_counted_exactly_in_few_calls_by_all_processes(redis_url: str) -> None:
    gateways = [SharedBuckets(redis_url) for _ in range(3)]
    charge = Charge(f"crowd{next(_numbers)}", Quota(50, 900))
    asked = [gateways[number % 3].spend([charge]) for number in range(600)]
    levels = [each for each in await asyncio.gather(*asked) if each is not None]
    assert len(levels) == 600
    assert sum(admits([charge], each) for each in levels) == 50
    assert sum(each.calls for each in gateways) < 20
    for each in gateways:
        await each.close()


async def test_one_who_leaves_does_not_disturb_the_others(redis_url: str) -> None:
    shared = SharedBuckets(redis_url)
    charge = Charge(f"leaver{next(_numbers)}", Quota(50, 900))
    leaver, other = (asyncio.create_task(shared.spend([charge])) for _ in range(2))
    await asyncio.sleep(0)
    leaver.cancel()
    assert await other is not None
    await shared.close()


async def test_an_empty_bucket_leaves_nothing_behind(redis_url: str, redis: Any) -> None:
    shared = SharedBuckets(redis_url)
    charge = Charge(f"brief{next(_numbers)}", Quota(10, 1))
    await shared.spend([charge])
    assert await redis.pttl(KEY_PREFIX + charge.key) <= 100, "in milliseconds: one of ten in a second"

    async def gone() -> bool:
        return not await redis.exists(KEY_PREFIX + charge.key)

    assert await eventually(gone)
    await shared.close()


async def test_flushed_scripts_are_loaded_again_and_flushed_buckets_start_anew(
    redis_url: str, redis: Any
) -> None:
    shared = SharedBuckets(redis_url)
    charge = Charge(f"flushed{next(_numbers)}", Quota(1, 900))
    assert await shared.spend([charge]) == [0]
    await redis.script_flush()
    levels = await shared.spend([charge])
    assert levels is not None
    assert not admits([charge], levels)
    await redis.flushall()
    assert await shared.spend([charge]) == [0]
    await shared.close()


def _settings(url: str) -> RedisSettings:
    return RedisSettings.model_validate({"url": url})


def _alone() -> float:
    return REGISTRY.get_sample_value("comptoir_rate_limits_alone") or 0


async def test_while_redis_is_killed_a_process_counts_for_itself_and_then_with_the_others_again(
    valkey_engine: RunningEngine,
) -> None:
    buckets = Buckets(_settings(valkey_engine.url))
    charge = Charge(f"killed{next(_numbers)}", Quota(2, 900))
    assert await buckets.spend([charge]) == [0]
    assert not buckets.alone
    valkey_engine.kill()
    try:
        answers = [admits([charge], await buckets.spend([charge])) for _ in range(4)]
        assert answers == [True, True, False, False], "its own quota, and not a request more"
        assert buckets.alone
        assert _alone() == 1
    finally:
        valkey_engine.start()
    await eventually(lambda: not buckets.alone)
    assert _alone() == 0
    assert await buckets.spend([Charge(f"back{next(_numbers)}", charge.quota)]) == [0]
    await buckets.close()


async def test_a_redis_that_says_nothing_is_asked_once_and_then_left_alone(
    silent_redis: Callable[[], int],
) -> None:
    buckets = Buckets(_settings(f"redis://127.0.0.1:{silent_redis()}/0"))
    charge = Charge("silent", Quota(5, 900))
    async with asyncio.timeout(5):
        first = await asyncio.gather(*(buckets.spend([charge]) for _ in range(10)))
        assert sum(admits([charge], each) for each in first) == 5
        assert buckets.alone
        later = asyncio.create_task(buckets.spend([charge]))
        await asyncio.sleep(0)
        assert later.done(), "nobody waits for it any more"
    await buckets.close()


@pytest.fixture
async def silent_redis() -> AsyncIterator[Callable[[], int]]:
    """Takes connections and never answers."""

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    yield lambda: int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


async def test_a_gateway_without_redis_counts_for_itself() -> None:
    buckets = Buckets(RedisSettings())
    charge = Charge("none", Quota(1, 900))
    assert buckets.alone
    assert admits([charge], await buckets.spend([charge]))
    assert not admits([charge], await buckets.spend([charge]))
    await buckets.close()


async def _nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers whatever comes with a number, as no Redis does."""
    while await reader.read(65_536):
        writer.write(b":5\r\n")
        await writer.drain()
    writer.close()


async def test_what_nobody_thought_of_leaves_nobody_waiting_and_is_told_once() -> None:
    server = await asyncio.start_server(_nonsense, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    url, charge = f"redis://{host}:{port}/0", Charge("anybody", Quota(2, 900))
    shared, buckets = SharedBuckets(url), Buckets(_settings(url))
    with capture_logs() as logged:
        try:
            async with asyncio.timeout(30):
                for _ in range(2):  # the second one as a probe would
                    assert await asyncio.gather(*(shared.spend([charge]) for _ in range(300))) == [None] * 300
                assert [each["event"] for each in logged] == ["rate_limits_broken"]
                answers = await asyncio.gather(*(buckets.spend([charge]) for _ in range(3)))
        finally:
            await shared.close()
            await buckets.close()
            server.close()
            await server.wait_closed()
    assert [admits([charge], each) for each in answers] == [True, True, False], "by the process alone"
    assert shared.calls == 2, "nobody of the three hundred is asked for in vain"
