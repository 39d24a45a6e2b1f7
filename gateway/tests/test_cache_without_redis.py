"""Redis gone, slow or emptied: answers are true and come from the service, and nobody waits for long."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.settings import Settings
from testkit import eventually
from testkit.engines import RunningEngine
from testkit.keys import Keys
from testkit.wires import Moment, Wire

from .kept_answers import VENUE, Booking, Scene, booking_edge, gateway, notes, scene, status

PATH = f"/v1/venues/{VENUE}/availability?date=2027-10-31&party_size=2"


class RedisWire(Wire):
    """Between the gateway and its Redis."""


@pytest.fixture
async def kept(settings: Settings, keys: Keys, valkey_engine: RunningEngine) -> AsyncIterator[Scene]:
    async with scene(settings, keys, valkey_engine.url) as opened:
        yield opened
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
    await kept.redis.script_flush()
    assert notes(await kept.search())[1] in {"answer 2", "answer 3"}


async def test_a_slow_redis_holds_nobody_up(settings: Settings, keys: Keys, redis_url: str) -> None:
    """It takes the connection and never answers: after the timeout it is left alone, by all who come."""
