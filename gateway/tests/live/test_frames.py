"""What comes over a WebSocket besides messages: it is counted with them, and its answers never pile up."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from .conftest import House, Served

PINGS = (bytes([0x89, 0x80 | 125]) + b"\0\0\0\0" + b"p" * 125) * 1000


@asynccontextmanager
async def not_reading(served: Served, house: House) -> AsyncIterator[socket.socket]:
    """A peer that shook hands and reads nothing any more."""
    host, port = served.address.split(":")
    head = [
        f"GET /v1/stream?ticket={await served.ticket(house)} HTTP/1.1",
        "Host: x",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(peer, (host, int(port)))
        await loop.sock_sendall(peer, "\r\n".join([*head, "", ""]).encode())
        assert (await loop.sock_recv(peer, 12)) == b"HTTP/1.1 101"
        yield peer


@pytest.mark.parametrize("kind", ["pings", "pongs", "parts"])
async def test_frames_that_are_no_messages_are_counted_with_them(serve: Any, house: House, kind: str) -> None:
    async with serve(messages_per_minute=5) as served, served.listener(house) as listener:
        if kind == "parts":
            await listener.socket.send(['{"ping": "', *[""] * 7, '"}'])
        for number in range(7):
            if kind == "pings":
                await listener.socket.ping(str(number))
            if kind == "pongs":
                await listener.socket.pong(str(number))
        assert await listener.closed() == (1008, "TOO_MANY_MESSAGES")


async def test_a_client_that_pings_now_and_then_is_answered(serve: Any, house: House) -> None:
    async with serve(messages_per_minute=5) as served, served.listener(house) as listener:
        for number in range(3):
            await asyncio.wait_for(await listener.socket.ping(str(number)), 20)
        await listener.silent()


async def test_who_floods_with_pings_and_does_not_read_is_cut_off(serve: Any, house: House) -> None:
    async with serve(heartbeat_seconds=300) as served, not_reading(served, house) as peer:
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionError):
                while True:
                    await asyncio.get_running_loop().sock_sendall(peer, PINGS)


async def test_pongs_do_not_pile_up_for_a_peer_that_does_not_read(serve: Any, house: House) -> None:
    async with (
        serve(heartbeat_seconds=300, messages_per_minute=1_000_000) as served,
        not_reading(served, house) as peer,
    ):
        connections = served.server.server_state.connections
        (stream,) = [each for each in connections if hasattr(each, "handle_ping")]
        for _ in range(80):
            await asyncio.get_running_loop().sock_sendall(peer, PINGS)
        assert stream.transport.get_write_buffer_size() < 1024 * 1024
