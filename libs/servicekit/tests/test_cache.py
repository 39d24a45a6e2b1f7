"""The cache: loaded once, shared, and never in the way when Redis is gone."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from devstack.engines import ValkeyEngine
from servicekit import ids
from servicekit.cache import Cache
from servicekit.errors import Unavailable
from servicekit.settings import RedisSettings


class Loader:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    async def load(self) -> bytes:
        self.calls += 1
        return b"value"


async def test_a_value_is_loaded_once_and_shared(valkey_engine: ValkeyEngine) -> None:
    settings = RedisSettings(url=SecretStr(valkey_engine.url))
    one, other = Cache(settings, prefix="t:"), Cache(settings, prefix="t:")
    loader, key = Loader(), str(ids.new())
    for cache in (one, one, other):
        assert await cache.get_or_load(key, loader.load, ttl=30) == b"value"
    assert loader.calls == 1
    await one.forget(key)
    await one.get_or_load(key, loader.load, ttl=30)
    assert loader.calls == 2
    await one.close()
    await other.close()


async def test_without_redis_everything_is_loaded(tmp_path: Path) -> None:
    engine = ValkeyEngine(tmp_path / "valkey")
    await asyncio.to_thread(engine.start)
    cache, loader = Cache(RedisSettings(url=SecretStr(engine.url)), prefix="t:"), Loader()
    await cache.get_or_load("before", loader.load, ttl=30)
    await asyncio.to_thread(engine.kill)
    for _ in range(3):
        assert await cache.get_or_load(str(ids.new()), loader.load, ttl=30) == b"value"
    assert loader.calls == 4
    await cache.close()


async def test_it_works_without_any_redis() -> None:
    cache, loader = Cache(RedisSettings(), prefix="t:"), Loader()
    assert await cache.get_or_load("key", loader.load, ttl=30) == b"value"
    await cache.forget("key")
    await cache.close()


async def test_one_reads_again_what_ran_out_while_the_others_go_on() -> None:
    cache, loader, key = Cache(RedisSettings(), prefix="t:"), Loader(), str(ids.new())
    await cache.get_or_load(key, loader.load, ttl=0)
    gate = asyncio.Event()

    async def slow() -> bytes:
        await gate.wait()
        return b"new"

    first = asyncio.create_task(cache.get_or_load(key, slow, ttl=30))
    await asyncio.sleep(0)  # it is reading
    assert await cache.get_or_load(key, loader.load, ttl=30) == b"value"
    gate.set()
    assert await first == b"new"
    assert await cache.get_or_load(key, loader.load, ttl=30) == b"new"
    assert loader.calls == 1


async def test_what_cannot_be_read_again_is_not_used_any_longer() -> None:
    cache, loader, key = Cache(RedisSettings(), prefix="t:"), Loader(), str(ids.new())
    await cache.get_or_load(key, loader.load, ttl=0)

    async def broken() -> bytes:
        raise Unavailable

    for _ in range(2):
        with pytest.raises(Unavailable):
            await cache.get_or_load(key, broken, ttl=30)
