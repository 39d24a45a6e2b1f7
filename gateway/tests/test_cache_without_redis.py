"""Redis gone, slow or emptied: answers are true and come from the service, and nobody waits for long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from gateway.cache.store import Store
from gateway.settings import Settings
from servicekit.settings import RedisSettings
from testkit import eventually
from testkit.engines import RunningEngine
from testkit.keys import Keys

from .kept_answers import Scene, notes, scene, status


@pytest.fixture
async def kept(settings: Settings, keys: Keys, valkey_engine: RunningEngine) -> AsyncIterator[Scene]:
    try:
        async with scene(settings, keys, valkey_engine.url) as opened:
            yield opened
    finally:
        await asyncio.to_thread(valkey_engine.start)


async def test_without_redis_the_service_answers_and_with_it_again_it_need_not(
    kept: Scene, valkey_engine: RunningEngine
) -> None:
    await kept.search()
    await asyncio.to_thread(valkey_engine.kill)
    assert [notes(await kept.search())[1] for _ in range(3)] == ["answer 2", "answer 3", "answer 4"]
    assert status(await kept.search()) == "comptoir; fwd=bypass"
    await asyncio.to_thread(valkey_engine.start)

    async def hit() -> bool:
        return status(await kept.search()) == "comptoir; hit"

    await eventually(hit, timeout=60)  # it is left alone for a while


async def test_an_emptied_redis_is_a_miss(kept: Scene) -> None:
    await kept.search()
    await kept.redis.flushdb()
    again = await kept.search()
    assert (status(again), notes(again)[1]) == ("comptoir; fwd=miss; stored", "answer 2")
    await kept.redis.flushdb()
    await kept.redis.script_flush()
    assert status(await kept.search()) == "comptoir; fwd=miss; stored"


async def test_redis_lost_while_the_service_answers_loses_no_answer(
    kept: Scene, valkey_engine: RunningEngine
) -> None:
    kept.booking.gate = asyncio.Event()
    asking = asyncio.ensure_future(kept.search())
    await eventually(lambda: kept.booking.asked)
    await asyncio.to_thread(valkey_engine.kill)
    kept.booking.gate.set()
    answer = await asking
    assert (status(answer), notes(answer)[1]) == ("comptoir; fwd=miss", "answer 1")


async def test_a_redis_that_does_not_answer_is_left_alone_after_the_first_try() -> None:
    connections: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    store = Store(RedisSettings(url=SecretStr(url)), timeout=0.1)
    assert [await store.look("key", ["venue:1"], seconds=10) for _ in range(5)] == [None] * 5
    assert len(connections) == 1
    await store.close()
    for writer in connections:
        writer.close()
    silent.close()
    await silent.wait_closed()
