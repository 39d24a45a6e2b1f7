"""How streams end: limits, slow readers, heartbeats, credentials, a process that stops, a lost Redis."""

import asyncio
import json
import socket
import time
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.live.publishing import Telling
from gateway.live.settings import LiveSettings
from gateway.live.store import Store, client
from servicekit import ids
from servicekit.settings import RedisSettings
from testkit import eventually
from testkit.engines import RunningEngine

from .conftest import House, Listener, confirmed


async def test_there_are_only_so_many_topics_and_streams(serve: Any, house: House) -> None:
    async with serve(topics_per_connection=1, connections_per_caller=1) as served:
        async with served.listener(house) as listener:
            await listener.listen(house.room)
            assert (await listener.listen("feed"))["reason"] == "TOO_MANY_TOPICS"
            assert (await listener.listen(house.room))["control"] == "subscribed"
            ticket = await served.ticket(house)
            address = f"{served.url}/v1/stream?topics=feed&ticket={ticket}"
            async with httpx.AsyncClient(timeout=20) as http:
                answer = await http.get(address)
            assert (answer.status_code, answer.json()["reason"]) == (429, "TOO_MANY_STREAMS")
            other = House(organization=house.organization)
            async with served.listener(other, sub=str(ids.new())) as somebody:
                await somebody.silent()

        async def free_again() -> bool:
            try:
                async with served.listener(house) as listener:
                    await listener.silent()
            except InvalidStatus:
                return False
            return True

        assert await eventually(free_again)


async def test_a_stream_in_which_nothing_begins_holds_no_place(serve: Any, house: House) -> None:
    async with serve(connections_per_caller=1) as served:
        headers = served.access.bearer(org=str(house.organization))
        async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
            for _ in range(2):
                answer = await http.get("/v1/stream?topics=venue:ven_1&topics=*", headers=headers)
                assert (answer.status_code, answer.json()["reason"]) == (404, "TOPIC_NOT_FOUND")
            async with http.stream("GET", "/v1/stream?topics=feed", headers=headers) as stream:
                assert stream.status_code == 200


async def test_who_talks_too_much_or_too_long_is_cut_off(serve: Any, house: House) -> None:
    async with serve(messages_per_minute=5, message_bytes=2000) as served:
        async with served.listener(house) as listener:
            for _ in range(7):
                await listener.say(ping="x")
            assert await listener.closed() == (1008, "TOO_MANY_MESSAGES")
        async with served.listener(house) as listener:
            await listener.say(subscribe=["feed"] * 1, unsubscribe=[f"venue:{n}" for n in range(4)])
            await listener.say(subscribe=[f"venue:{n}" for n in range(20)])
            assert await listener.closed() == (1008, "TOO_MANY_MESSAGES")
        async with served.listener(house) as listener:
            await listener.socket.send("x" * 3000)
            assert (await listener.closed())[0] == 1009


_MANY = 600  # more than waits in the socket, in the transport and in the queue together


async def test_a_slow_reader_is_cut_off_and_others_hear_everything(
    serve: Any, house: House, publish: Any
) -> None:
    async with serve(queue_messages=20) as served:
        # What is written to somebody who does not read waits in the system first: let that be little.
        served.server.servers[0].sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ticket = await served.ticket(house)
        host, port = served.address.split(":")
        raw = socket.create_connection((host, int(port)))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow = await connect(f"ws://{served.address}/v1/stream?ticket={ticket}", sock=raw, max_queue=1)
        await slow.send(json.dumps({"subscribe": [house.room]}))
        await slow.recv()
        async with served.listener(house) as quick:
            begun = await quick.listen(house.room)
            for heard in range(0, _MANY, 15):
                await publish(*(confirmed(house) for _ in range(15)))
                assert [(await quick.hear())["offset"] for _ in range(15)] == list(
                    range(heard + 1, heard + 16)
                )

        async def cut_off() -> bool:
            try:
                async with asyncio.timeout(1):
                    while True:
                        await slow.recv()
            except TimeoutError:
                return False
            except ConnectionClosed:
                return True

        assert await eventually(cut_off, timeout=60)
        async with served.listener(house) as again:
            back = await again.listen(house.room, {"epoch": begun["epoch"], "offset": _MANY - 10})
            assert back["recovered"] is True
            assert [(await again.hear())["offset"] for _ in range(10)] == list(range(_MANY - 9, _MANY + 1))
        await slow.wait_closed()
        assert slow.close_code in {4008, 1006}  # SLOW_CONSUMER; or cut off before that reached it


async def test_a_stream_has_a_heartbeat(serve: Any, house: House) -> None:
    async with serve(heartbeat_seconds=0.2) as served:
        headers = served.access.bearer(org=str(house.organization))
        address = f"{served.url}/v1/stream?topics=feed"
        async with (
            served.listener(house) as listener,
            httpx.AsyncClient(timeout=20) as http,
            http.stream("GET", address, headers=headers) as answer,
        ):
            lines = answer.aiter_lines()
            beats = 0
            while beats < 5:
                beats += await anext(lines) == ": still here"
            await listener.silent()  # it answered each ping, so it is still there


async def test_a_peer_that_answers_no_ping_is_dropped(serve: Any, house: House) -> None:
    async with serve(heartbeat_seconds=0.2) as served:
        ticket = await served.ticket(house)
        reader, writer = await asyncio.open_connection(*served.address.split(":"))
        head = [
            f"GET /v1/stream?ticket={ticket} HTTP/1.1",
            "Host: x",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        writer.write("\r\n".join([*head, "", ""]).encode())
        everything = b""
        async with asyncio.timeout(20):
            try:
                while part := await reader.read(1000):
                    everything += part
            except ConnectionError:
                pass  # cut off
        assert everything.startswith(b"HTTP/1.1 101")
        assert b"\x89\x04" in everything  # a ping with four bytes
        writer.close()


async def test_a_stream_ends_soon_after_its_session(served: Any, house: House, backend: Any) -> None:
    session = ids.new()
    async with served.listener(house, sid=str(session)) as listener, served.listener(house) as another:
        await listener.listen("feed")
        backend.revoked = {session}
        assert (await listener.hear())["reason"] == "UNAUTHENTICATED"
        assert await listener.closed() == (4001, "UNAUTHENTICATED")
        await another.silent()


async def test_a_stream_ends_with_the_token_that_opened_it_and_at_the_latest_after_a_while(
    serve: Any, house: House
) -> None:
    async with serve(longest_seconds=1) as served, served.listener(house) as listener:
        assert (await listener.hear())["reason"] == "STREAM_EXPIRED"
        assert await listener.closed() == (4002, "STREAM_EXPIRED")
    async with serve() as served, served.listener(house, exp=int(time.time()) + 4) as listener:
        assert await listener.closed() == (4002, "STREAM_EXPIRED")


async def test_a_process_that_stops_says_when_to_come_back(serve: Any, house: House) -> None:
    async with serve() as served:
        ticket = await served.ticket(house)
        socket_ = await connect(f"ws://{served.address}/v1/stream?ticket={ticket}")
        listener = Listener(socket_)
        await listener.listen("feed")
        http = httpx.AsyncClient(timeout=20)
        headers = served.access.bearer(org=str(house.organization))
        opening = http.stream("GET", f"{served.url}/v1/stream?topics=feed", headers=headers)
        answer = await opening.__aenter__()
    said = await listener.hear()
    assert (said["control"], said["reason"]) == ("closing", "GOING_AWAY")
    assert 0 <= said.get("retry_after_ms", 0) < 5000
    assert await listener.closed() == (1012, "GOING_AWAY")
    told = (await answer.aread()).decode()
    assert "event: closing\n" in told
    assert "GOING_AWAY" in told
    await opening.__aexit__(None, None, None)
    await http.aclose()


async def test_no_log_has_a_ticket(
    served: Any, house: House, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("DEBUG", logger="uvicorn")  # another test may have made it quiet, as programs do
    ticket = await served.ticket(house)
    async with connect(f"ws://{served.address}/v1/stream?ticket={ticket}") as socket_:
        await Listener(socket_).silent()
    async with httpx.AsyncClient() as http:
        await http.get(f"{served.url}/v1/stream?topics=feed&ticket={ticket}")
    servers = [each.getMessage() for each in caplog.records if each.name.startswith(("uvicorn", "gateway"))]
    out = capsys.readouterr()
    assert any("/v1/stream" in each for each in servers)
    assert not any(ticket in each for each in (*servers, out.out, out.err))


async def flushed(redis: Redis) -> bool:
    try:
        return bool(await redis.flushall())
    except (RedisError, OSError):
        return False


async def test_a_lost_redis_loses_nobody_a_message_without_saying_so(
    serve: Any, house: House, valkey_engine: RunningEngine
) -> None:
    redis = client(RedisSettings.model_validate({"url": valkey_engine.url}))
    assert redis
    telling = Telling(Store(redis, LiveSettings()))
    async with serve(redis=valkey_engine.url) as served, served.listener(house) as listener:
        begun = await listener.listen(house.room)
        await telling([confirmed(house)])
        assert (await listener.hear())["offset"] == 1
        valkey_engine.kill()
        async with httpx.AsyncClient(timeout=20) as http:
            headers = served.access.bearer(org=str(house.organization))
            answer = await http.post(f"{served.url}/v1/stream/tickets", headers=headers)
            assert (answer.status_code, answer.json()["reason"]) == (503, "UNAVAILABLE")
        refused = await listener.listen("feed")
        assert (refused["control"], refused["reason"]) == ("refused", "UNAVAILABLE")
        with pytest.raises(ConnectionError):
            await telling([confirmed(house)])
        valkey_engine.start()
        await eventually(lambda: flushed(redis))
        lost = await listener.hear()
        assert (lost["control"], lost["topic"], lost["recovered"]) == ("subscribed", house.room, False)
        assert lost["epoch"] != begun["epoch"]

        async def heard_again() -> bool:
            return (await listener.listen("feed"))["control"] == "subscribed"

        assert await eventually(heard_again)
        await telling([confirmed(house, party_size=5)])
        heard = [await listener.hear() for _ in range(2)]
        assert {each["topic"] for each in heard} == {house.room, "feed"}
        assert all(each["data"]["booking"]["party_size"] == 5 for each in heard)
    await redis.aclose()
