"""A stream gives its place back, though its client leaves before it runs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.app import open_gateway
from gateway.edge import Edge
from gateway.settings import Settings

from .conftest import House


class Client:
    """One client on ASGI: it leaves, or hears no more, at the first that it is sent."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.sent: list[Any] = []
        self.hearing = asyncio.Event()
        self._stuck = stuck

    def opened(self, kind: str) -> bool:
        """Whether a stream began, and no refusal."""
        first = self.sent[0]
        return (first["type"], first.get("status")) == {
            "http": ("http.response.start", 200),
            "websocket": ("websocket.accept", None),
        }[kind]

    async def receive(self) -> Any:
        return {"type": "websocket.connect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.hearing.set()
        if self._stuck:
            await asyncio.Event().wait()
        raise ConnectionResetError


def scope(bearer: dict[str, str], kind: str) -> dict[str, Any]:
    return {
        "type": kind,
        "method": "GET",
        "path": "/v1/stream",
        "query_string": b"topics=feed" if kind == "http" else b"",  # one who uses WebSocket says it later
        "headers": [(name.lower().encode(), value.encode()) for name, value in bearer.items()],
        "client": ("192.0.2.7", 1),
    }


@pytest.fixture
async def narrow(live_settings: Settings, backend: Any) -> AsyncIterator[Edge]:
    """A gateway in which each may have one stream."""
    assert backend is not None
    live = live_settings.live.model_copy(update={"connections_per_caller": 1})
    async with open_gateway(live_settings.model_copy(update={"live": live}), lambda: True) as opened:
        yield opened


async def test_a_stream_whose_client_leaves_at_its_first_line_gives_its_place_back(
    narrow: Edge, house: House, access: Any
) -> None:
    bearer = access.bearer(org=str(house.organization))
    for _ in range(2):
        client = Client()
        with pytest.raises(ConnectionResetError):
            await narrow(scope(bearer, "http"), client.receive, client.send)
        assert client.opened("http")


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_a_stream_that_is_cancelled_at_its_first_line_gives_its_place_back(
    narrow: Edge, house: House, access: Any, kind: str
) -> None:
    bearer = access.bearer(org=str(house.organization))
    for _ in range(2):
        client = Client(stuck=True)
        serving = asyncio.create_task(narrow(scope(bearer, kind), client.receive, client.send))
        await client.hearing.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        assert client.opened(kind)
