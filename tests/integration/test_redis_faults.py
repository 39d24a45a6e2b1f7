"""Redis gone, slow, emptied: bookings go on, search stays true, streams resume (operations/lost-redis.md)."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import ClientConnection, connect

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from testkit import eventually

from .arena import Arena, open_arena
from .conftest import new_owner
from .scene import metric_of

_PATIENCE = 60.0
_ALONE = "comptoir_rate_limits_alone"


@pytest.fixture
def owner(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture
def house(http: httpx.AsyncClient, owner: Owner, platform: Platform) -> Arena:
    return open_arena(http, owner, platform, tables=(("T1", 1, 2),))


@asynccontextmanager
async def listening(house: Arena, platform: Platform) -> AsyncIterator[ClientConnection]:
    """A stream of the house's room, begun."""
    address = platform.gateway_url.replace("http", "ws", 1) + "/v1/stream"
    headers = {"authorization": house.owner.api.headers["authorization"]}
    async with connect(address, additional_headers=headers) as socket:
        await socket.send(json.dumps({"subscribe": [f"venue:{house.venue}"]}))
        assert (await hear(socket))["control"] == "subscribed"
        yield socket


async def hear(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(_PATIENCE):
        heard: dict[str, Any] = json.loads(await socket.recv())
        return heard


async def heard(socket: ClientConnection, booking: str) -> None:
    """Waits until a booking came, among what else happens; a topic may begin anew before."""
    while True:
        said = await hear(socket)
        assert said.get("control") in {None, "subscribed"}, said
        if is_about(said, booking):
            return


async def heard_or_told_lost(socket: ClientConnection, booking: str) -> None:
    """The same, or the stream says that it lost something."""
    while True:
        said = await hear(socket)
        if is_about(said, booking) or (said.get("control") == "subscribed" and not said["recovered"]):
            return


def is_about(said: dict[str, Any], booking: str) -> bool:
    return bool(said.get("data", {}).get("booking", {}).get("booking_id") == booking)


async def search(house: Arena, start: str) -> httpx.Response:
    path = f"/v1/venues/{house.venue}/availability?date={start[:10]}&party_size=2"
    answer = await house.http.get(path)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert "anonymous" in answer.headers["ratelimit"]
    return answer


async def shows(house: Arena, start: str) -> bool:
    slots = (await search(house, start)).json()["slots"]
    return any(slot["start"] == start and slot["bookable"] for slot in slots)


async def kept(house: Arena, start: str) -> bool:
    """Whether search is answered from the cache."""
    return bool((await search(house, start)).headers["cache-status"] == "comptoir; hit")


def alone(platform: Platform) -> bool:
    return metric_of(platform.process("gateway"), _ALONE) == 1


async def go_on(house: Arena, start: str) -> str:
    """Without Redis: what is free is shown and booked, and then neither shown nor booked again."""
    assert await shows(house, start)
    assert (await search(house, start)).headers["cache-status"] == "comptoir; fwd=bypass"
    booking: str = (await house.booked(2, start))["id"]
    assert not await shows(house, start)
    again = await house.book(2, start)
    assert (again.status_code, again.json()["reason"]) == (409, "SLOT_TAKEN")
    seen = await house.see(booking)
    assert seen["status"] == "confirmed"
    return booking


async def be_whole(house: Arena, platform: Platform, start: str, socket: ClientConnection) -> None:
    """With Redis again: counted together, kept, and a booking is heard and ends what was kept."""
    await eventually(lambda: not alone(platform), timeout=_PATIENCE)

    async def kept_again() -> bool:
        return await kept(house, start)

    async def gone() -> bool:
        return not await shows(house, start)

    await eventually(kept_again, timeout=_PATIENCE)
    booking = (await house.booked(2, start))["id"]
    await eventually(gone, timeout=_PATIENCE)
    await heard(socket, booking)


async def test_redis_gone(house: Arena, platform: Platform) -> None:
    valkey = platform.engines.valkey
    assert valkey
    async with listening(house, platform) as socket:
        await asyncio.to_thread(valkey.kill)
        try:
            booking = await without(house, platform)
            ticket = await house.staff("POST", "stream/tickets")
            assert (ticket.status_code, ticket.json()["reason"]) == (503, "UNAVAILABLE")
        finally:
            await asyncio.to_thread(valkey.start)
        # The follower waited with what happened meanwhile.
        await heard_or_told_lost(socket, booking)
        await be_whole(house, platform, house.at(20), socket)


async def test_redis_slow(house: Arena, platform: Platform) -> None:
    """It takes connections and answers nothing: nobody waits for it but whoever was under way."""
    valkey = platform.engines.valkey
    assert valkey
    assert valkey.pid
    async with listening(house, platform) as socket:
        os.kill(valkey.pid, signal.SIGSTOP)
        try:
            booking = await without(house, platform)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)
        await heard_or_told_lost(socket, booking)
        await be_whole(house, platform, house.at(20), socket)


async def test_redis_emptied(house: Arena, platform: Platform) -> None:
    """As if nobody had ever asked: quotas are whole, nothing is kept, topics begin anew."""
    redis = Redis.from_url(platform.engines.redis_url)
    start = house.at()

    async def kept_now() -> bool:
        return await kept(house, start)

    async with listening(house, platform) as socket:
        await eventually(kept_now)
        await redis.flushall()
        await redis.aclose()
        assert not await kept(house, start)
        assert not alone(platform)
        booking = (await house.booked(2, start))["id"]
        await heard_or_told_lost(socket, booking)
        await be_whole(house, platform, house.at(20), socket)


async def without(house: Arena, platform: Platform) -> str:
    """While Redis does not answer: one request finds out, and the others go on without."""
    start = house.at()

    async def past() -> bool:
        return (await search(house, start)).headers["cache-status"] == "comptoir; fwd=bypass"

    await eventually(past, timeout=_PATIENCE)
    await eventually(lambda: alone(platform), timeout=_PATIENCE)
    return await go_on(house, start)
