"""The cache: loaded once, shared, and never in the way when Redis is gone."""

import asyncio
from pathlib import Path

from pydantic import SecretStr

from devstack.engines import ValkeyEngine
from servicekit import ids
from servicekit.cache import Cache
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
