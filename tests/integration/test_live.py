"""Realtime on the whole platform: what is booked, asked and answered by HTTP is heard."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform

from .arena import open_arena
from .conftest import new_owner
from .insisting import insist

_SECONDS = 60.0


async def messages(answer: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """The data of a stream of server-sent events."""
    async for line in answer.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(_SECONDS):
        heard: dict[str, Any] = json.loads(await socket.recv())
        return heard


async def hear_of(socket: ClientConnection, topic: str, kind: str) -> dict[str, Any]:
    """The next message of a topic, whatever the others say meanwhile."""
    while True:
        heard = await hear(socket)
        if heard.get("topic") == topic and "control" not in heard:
            assert heard["type"] == kind, heard
            return heard


async def open_stream(http: httpx.AsyncClient, platform: Platform, owner: Owner) -> ClientConnection:
    answer = await insist(lambda: http.post("/v1/stream/tickets", headers=owner.api.headers))
    assert answer.status_code == httpx.codes.CREATED, answer.text
    address = platform.gateway_url.replace("http", "ws", 1)
    return await connect(f"{address}/v1/stream?ticket={answer.json()['ticket']}")


async def test_what_happens_at_a_venue_is_heard_at_once_and_by_nobody_else(
    http: httpx.AsyncClient, owner: Owner, platform: Platform, api: Api, sink: Sink
) -> None:
    house = open_arena(http, owner, platform, tables=[("T1", 1, 2)])
    room = f"venue:{house.venue}"
    stranger = await asyncio.to_thread(new_owner, api, sink)
    socket = await open_stream(http, platform, owner)
    other = await open_stream(http, platform, stranger)
    await other.send(json.dumps({"subscribe": [room, "feed"]}))
    assert [(await hear(other)).get("reason"), (await hear(other))["control"]] == [
        "VENUE_NOT_FOUND",
        "subscribed",
    ]
    await socket.send(json.dumps({"subscribe": [room, "feed"]}))
    begun = {(each := await hear(socket))["topic"]: each for _ in range(2)}
    assert {each["control"] for each in begun.values()} == {"subscribed"}
    query = {"topics": room}
    async with (
        # A client of its own: the fixture's reads every answer to its end.
        httpx.AsyncClient(base_url=platform.gateway_url, timeout=_SECONDS) as listening,
        listening.stream("GET", "/v1/stream", params=query, headers=owner.api.headers) as answer,
    ):
        assert answer.status_code == httpx.codes.OK
        async with aclosing(messages(answer)) as events:
            assert (await anext(events))["control"] == "subscribed"
            booking = await house.booked(2, house.at(19))
            heard = await hear_of(socket, room, "booking.confirmed")
            assert heard["data"]["booking"]["booking_id"] == booking["id"]
            assert "guest" not in json.dumps(heard)
            async with asyncio.timeout(_SECONDS):
                assert await anext(events) == heard
    cancelled = await http.post(f"/v1/bookings/{booking['id']}/cancel", json={}, headers=owner.api.headers)
    assert cancelled.status_code == httpx.codes.OK, cancelled.text
    await hear_of(socket, "feed", "booking.cancelled")
    await socket.close()
    back = await open_stream(http, platform, owner)
    since = {room: {"epoch": heard["epoch"], "offset": heard["offset"]}}
    await back.send(json.dumps({"subscribe": [room], "since": since}))
    assert (await hear(back))["recovered"] is True
    missed = await hear(back)
    assert (missed["type"], missed["offset"]) == ("booking.cancelled", heard["offset"] + 1)
    await back.close()
    await other.send(json.dumps({"ping": "silent?"}))
    assert await hear(other) == {"control": "pong", "ping": "silent?"}
    await other.close()


async def test_a_support_ticket_is_heard_when_staff_answer(
    http: httpx.AsyncClient, owner: Owner, platform: Platform
) -> None:
    house = open_arena(http, owner, platform, tables=[("T1", 1, 2)])
    answer = await house.book(2, house.at(19), email=f"asks-{secrets.token_hex(6)}@guest.example")
    assert answer.status_code == httpx.codes.CREATED, answer.text
    socket = await open_stream(http, platform, owner)
    await socket.send(json.dumps({"subscribe": ["feed"]}))
    assert (await hear(socket))["control"] == "subscribed"
    wish = {"subject": "A pram", "text": "Is there room for a pram?"}
    asked = await http.post(f"/v1/manage/{answer.json()['manage_token']}/tickets", json=wish)
    assert asked.status_code == httpx.codes.CREATED, asked.text
    ticket = asked.json()["id"]
    while (heard := await hear(socket)).get("type") != "ticket.opened":
        pass
    assert heard["data"]["ticket_id"] == ticket
    topic = f"ticket:{ticket}"
    await socket.send(json.dumps({"subscribe": [topic]}))
    while (heard := await hear(socket)).get("control") != "subscribed":
        pass
    assert heard["topic"] == topic
    replied = await http.post(
        f"/v1/tickets/{ticket}/messages", json={"text": "There is."}, headers=owner.api.headers
    )
    assert replied.status_code == httpx.codes.CREATED, replied.text
    told = await hear_of(socket, topic, "ticket.answered")
    assert "There is." not in json.dumps(told)
    await socket.close()
