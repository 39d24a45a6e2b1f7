"""The load generator against a server of its own, and the starts that it asks for."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from servicekit import ids
from tools.bench import load
from tools.bench.places import BOOKINGS_A_DAY, Place, Wishes

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhello"


async def serve(answer: Callable[[asyncio.StreamWriter, bytes], None]) -> tuple[asyncio.Server, int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65536):
            answer(writer, head)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


async def test_every_request_is_answered_and_counted() -> None:
    server, port = await serve(lambda writer, _: writer.write(ANSWER))
    left = iter(range(40))

    def make(_: int) -> bytes | None:
        return load.request("GET", "/") if next(left, None) is not None else None

    result = await load.run(port, make, connections=4, seconds=30)
    server.close()
    assert result.statuses == {201: 40}
    assert (len(result.latencies), result.answers) == (40, 40)


async def test_an_answer_in_pieces_is_one_answer() -> None:
    def in_pieces(writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(ANSWER[:30])
        asyncio.get_running_loop().call_later(0.01, writer.write, ANSWER[30:])

    server, port = await serve(in_pieces)
    left = iter([load.request("POST", "/", b"{}")] * 3)
    result = await load.run(port, lambda _: next(left, None), connections=1, seconds=30)
    server.close()
    assert result.statuses == {201: 3}


async def test_a_lost_connection_is_an_error_and_no_answer() -> None:
    server, port = await serve(lambda writer, _: writer.close())
    with pytest.raises(load.ConnectionLost):
        await load.run(port, lambda _: load.request("GET", "/"), connections=1, seconds=30)
    server.close()


def test_no_two_wishes_need_one_table_and_days_stay_apart() -> None:
    places = [Place(ids.new(), 1, ids.new(), (), f"ven_{each}", "off") for each in range(2)]
    wishes = Wishes(places, first=date(2027, 3, 1), connections=5)
    seen: dict[tuple[str, datetime], int] = {}
    for connection in range(5):
        for _ in range(BOOKINGS_A_DAY + 1):
            body = orjson.loads(wishes.make(connection).partition(b"\r\n\r\n")[2])
            start = datetime.fromisoformat(body["start"])
            seen[body["venue_id"], start] = seen.get((body["venue_id"], start), 0) + 1
    assert max(seen.values()) <= 3  # far fewer than the sixty tables
    first_day = datetime(2027, 3, 1, tzinfo=UTC)
    days = {(start - first_day) // timedelta(days=1) for _, start in seen}
    assert days == {0, 1, 2, 3, 4, 5}
