"""A Redis that answers late, but in time: requests wait for it and go on, limits and kept answers hold."""

from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.settings import Settings
from testkit import eventually
from testkit.engines import RunningEngine
from testkit.keys import Keys
from testkit.wires import ByteWire

from .kept_answers import notes, scene, status
from .rated import Limited

SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
CANCEL = "/v1/bookings/bkg_1/cancel"
LATE_SECONDS = 0.05
"""A third of what the gateway waits to count."""
_PATIENCE = 60.0


@pytest.fixture
def wire(valkey_engine: RunningEngine) -> Iterator[ByteWire]:
    made = ByteWire(urlsplit(valkey_engine.url).netloc.rpartition("@")[2])
    made.start()
    yield made
    made.close()


@pytest.fixture
def url(valkey_engine: RunningEngine, wire: ByteWire) -> str:
    """Redis behind the wire."""
    host, port = wire.target
    return valkey_engine.url.replace(f"{host}:{port}", wire.address)


async def test_answers_are_kept_and_forgotten_as_ever(
    settings: Settings, keys: Keys, url: str, wire: ByteWire
) -> None:
    async with scene(settings, keys, url) as kept:
        wire.delay = LATE_SECONDS
        first, again = await kept.search(), await kept.search()
        assert (status(first), notes(first)[1]) == ("comptoir; fwd=miss; stored", "answer 1")
        assert (status(again), notes(again)[1]) == ("comptoir; hit", "answer 1")
        await kept.redis.flushdb()
        anew = await kept.search()
        assert (status(anew), notes(anew)[1]) == ("comptoir; fwd=miss; stored", "answer 2")
    assert wire.delayed


async def test_gateways_go_on_counting_together_and_serve_searches_and_changes(
    limited: Limited, access: Any, url: str, wire: ByteWire
) -> None:
    rates = {"anonymous": "2/900", "redis": url}
    hosts = count(1)
    async with limited(**rates) as one, limited(**rates) as two:

        async def counted_together() -> bool:
            """By somebody who never came before: a quota of two is spent by one search at either."""
            address = f"203.0.113.{next(hosts)}"
            async with one(address) as here, two(address) as there:
                seen = [(await each.get(SEARCH)).status_code for each in (here, there, here, there)]
            return seen == [httpx.codes.OK] * 2 + [httpx.codes.TOO_MANY_REQUESTS] * 2

        async def counted_together_though_late() -> bool:
            """Those who once waited too long count alone, until Redis is quick: then once more."""
            wire.delay = 0.0
            if not await counted_together():
                return False
            wire.delay = LATE_SECONDS
            async with one("192.0.2.1") as client:
                changed = await client.post(CANCEL, json={}, headers=access.bearer())
            assert changed.status_code == httpx.codes.OK
            return await counted_together()

        await eventually(counted_together_though_late, timeout=_PATIENCE)
    assert wire.delayed
