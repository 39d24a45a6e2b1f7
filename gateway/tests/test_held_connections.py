"""Who holds connections: by half a request, by not reading, by many of them. All that is bounded."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from gateway import metrics
from gateway.serving import listen
from gateway.settings import Settings
from testkit.waiting import eventually

from .raw_http import Address, exchange, reason

HALF = b" HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
DOCUMENT = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.fixture
def serve(settings: Settings, backend: Any) -> Any:
    """Opens a listener with some limits changed."""
    assert backend is not None

    @asynccontextmanager
    async def served(**changes: float) -> AsyncIterator[uvicorn.Server]:
        limits = settings.limits.model_copy(update=changes)
        async with listen(settings.model_copy(update={"limits": limits}), asyncio.Event()) as server:
            yield server

    return served


def address(server: uvicorn.Server) -> Address:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return host, port


def cut_off(why: str) -> float:
    return float(metrics.CUT_OFF.labels(why)._value.get())  # what a scrape would read


@asynccontextmanager
async def silent(
    server: uvicorn.Server, sent: bytes, *, window: int = 4096
) -> AsyncIterator[tuple[socket.socket, Any]]:
    """A client that asks and reads nothing, and its connection, of which the kernel keeps next to nothing."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.setblocking(False)
        others = set(server.server_state.connections)
        await asyncio.get_running_loop().sock_connect(client, address(server))
        (connection,) = await eventually(lambda: server.server_state.connections - others)
        raw: Any = connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        await asyncio.get_running_loop().sock_sendall(client, sent)
        yield client, connection


@pytest.mark.parametrize(
    "begin", [b"GET /healthz", b"PUT /healthz", b"POST /v1/nowhere", b"GET /v1/bookings"]
)
async def test_half_a_body_that_nobody_waits_for_holds_no_connection(serve: Any, begin: bytes) -> None:
    before = cut_off("half_sent")
    async with serve(body_seconds=0.3) as server:
        reader, writer = await asyncio.open_connection(*address(server))
        writer.write(begin + HALF)
        await reader.readuntil(b"}")
        writer.write(b"{")
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()
    assert cut_off("half_sent") == before + 1


@pytest.mark.parametrize("rest", [b"x" * 100 + b"GET /heal", b"\r\n"], ids=["half a request", "half a body"])
async def test_what_follows_an_early_answer_has_its_time_too(serve: Any, rest: bytes) -> None:
    async with serve(header_seconds=0.3, body_seconds=0.3) as server:
        reader, writer = await asyncio.open_connection(*address(server))
        writer.write(b"GET /healthz" + HALF)
        await reader.readuntil(b"}")
        writer.write(rest)
        told = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert told.startswith(b"HTTP/1.1 408 ") == rest.endswith(b"heal")


async def test_a_body_that_comes_after_an_early_answer_costs_no_connection(serve: Any) -> None:
    async with serve(body_seconds=20) as server:
        reader, writer = await asyncio.open_connection(*address(server))
        for _ in range(3):
            writer.write(b"GET /healthz" + HALF)
            assert b'{"status":"alive"}' in await asyncio.wait_for(reader.readuntil(b"}"), 20)
            writer.write(b"x" * 60)
            writer.write(b"x" * 40)
        writer.close()


async def test_an_offer_in_a_connect_is_answered(serve: Any) -> None:
    offer = b"connection: upgrade\r\nupgrade: websocket\r\n"
    async with serve() as server:
        reader, writer = await asyncio.open_connection(*address(server))
        writer.write(b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n" + offer + b"\r\n")
        assert (await asyncio.wait_for(reader.readline(), 20)).startswith(b"HTTP/1.1 4")
        writer.close()


@pytest.mark.parametrize(
    "asked",
    [DOCUMENT * 20, DOCUMENT.replace(b"/openapi.json", b"/healthz") * 200, LAST],
    ids=["much", "many", "the last"],
)
async def test_who_asks_and_does_not_read_is_cut_off(serve: Any, asked: bytes) -> None:
    before = cut_off("not_reading")
    async with serve(send_seconds=0.3) as server, silent(server, asked), silent(server, asked):
        assert await eventually(lambda: cut_off("not_reading") == before + 2)
        assert await eventually(lambda: not server.server_state.connections)
        assert await eventually(lambda: not server.server_state.tasks)


async def test_who_reads_slowly_gets_everything(serve: Any) -> None:
    before = cut_off("not_reading")
    async with serve(send_seconds=1) as server:
        _, _, whole = await exchange(address(server), LAST)
        loop = asyncio.get_running_loop()
        async with silent(server, LAST, window=64 * 1024) as (client, connection):
            got = bytearray()
            for _ in range(3):
                unsent, enough = await eventually(lambda: connection._unsent), len(got) + 192 * 1024
                while connection._unsent == unsent and len(got) < enough:
                    got += await asyncio.wait_for(loop.sock_recv(client, 16 * 1024), 20)
                await eventually(partial(_another_period, connection, unsent))
            while part := await asyncio.wait_for(loop.sock_recv(client, 64 * 1024), 20):
                got += part
    assert got.endswith(whole)
    assert cut_off("not_reading") == before


def _another_period(connection: Any, unsent: int) -> bool:
    return bool(connection._unsent != unsent)


async def test_there_are_only_so_many_connections(serve: Any) -> None:
    async with serve(connections=2) as server:
        held = [await asyncio.open_connection(*address(server)) for _ in range(2)]
        assert await eventually(lambda: len(server.server_state.connections) == 2)
        assert metrics.CONNECTIONS._value.get() == 2  # what a scrape would read
        answer = await exchange(address(server))
        assert reason(answer) == (503, "OVERLOADED")
        assert answer[1]["connection"] == "close"
        for _, writer in held:
            writer.close()
        assert await eventually(lambda: not server.server_state.connections)
        assert (await exchange(address(server), b"GET /healthz HTTP/1.0\r\nhost: x\r\n\r\n"))[0] == 200


async def test_every_connection_has_a_kernel_that_notices_dead_peers(serve: Any) -> None:
    async with serve() as server:
        _, writer = await asyncio.open_connection(*address(server))
        assert await eventually(lambda: server.server_state.connections)
        (connection,) = server.server_state.connections
        raw = connection.transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        writer.close()
