"""The gateway on a real socket: what no well-behaved client sends, and what becomes of requests in flight."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.serving import listen
from gateway.settings import Settings
from testkit.waiting import eventually

from .raw_http import Address, exchange, reason


@pytest.fixture
async def address(settings: Settings, backend: Any) -> AsyncIterator[Address]:
    """A listener with small limits."""
    limits = settings.limits.model_copy(
        update={"header_bytes": 4096, "header_seconds": 0.5, "body_seconds": 0.5}
    )
    changes = {"limits": limits, "http": settings.http.model_copy(update={"access_log": True})}
    async with listen(settings.model_copy(update=changes), asyncio.Event()) as server:
        yield server.servers[0].sockets[0].getsockname()[:2]


async def test_what_the_wire_refuses_is_counted_and_logged(address: Address, capsysbinary: Any) -> None:
    def counted(status: int) -> float:
        labels = {"method": "other", "route": "(none)", "status": str(status)}
        return REGISTRY.get_sample_value("comptoir_http_requests_total", labels) or 0

    before = {status: counted(status) for status in (400, 408, 431)}
    for sent in (b"zoe\r\n\r\n", b"GET /zoe HTT", b"GET /zoe HTTP/1.1\r\nx-zoe: " + b"a" * 5000):
        await exchange(address, sent)
    assert {status: counted(status) for status in before} == {status: n + 1 for status, n in before.items()}
    written = bytearray()

    def logged() -> list[tuple[str, str, int, str]]:
        nonlocal written
        written += capsysbinary.readouterr().out
        lines = [json.loads(line) for line in written.splitlines() if b'"event":"request"' in line]
        return [(line["method"], line["route"], line["status"], line["caller"]) for line in lines]

    assert await eventually(lambda: len(logged()) == 3)
    assert logged() == [("other", "(none)", status, "anonymous") for status in before]
    assert b"zoe" not in written


POST = b"POST /v1/bookings HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_problem_too(address: Address, sent: bytes) -> None:
    assert reason(await exchange(address, sent)) == (400, "MALFORMED_REQUEST")


async def test_headers_are_bounded_complete_or_not(address: Address) -> None:
    large = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: " + b"a" * 5000
    assert reason(await exchange(address, large + b"\r\n\r\n")) == (431, "HEADERS_TOO_LARGE")
    assert reason(await exchange(address, large)) == (431, "HEADERS_TOO_LARGE")
    target = b"GET /healthz?" + b"a" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    assert reason(await exchange(address, target)) == (431, "HEADERS_TOO_LARGE")
    both = b"GET /healthz?" + b"a" * 2500 + b" HTTP/1.1\r\nhost: x\r\nx-a: " + b"a" * 2500 + b"\r\n\r\n"
    assert reason(await exchange(address, both)) == (431, "HEADERS_TOO_LARGE")
    many = b"GET /healthz HTTP/1.1\r\n" + b"x-a: aaaaaaaaaaaaaaaa\r\n" * 400 + b"\r\n"
    assert reason(await exchange(address, many)) == (431, "HEADERS_TOO_LARGE")


async def test_slow_headers_end_the_connection_with_a_problem_once_a_request_has_begun(
    address: Address,
) -> None:
    assert reason(await exchange(address, b"GET /healthz HTT")) == (408, "REQUEST_TIMEOUT")
    assert (await exchange(address))[0] == 0


async def test_a_slow_body_is_refused(address: Address) -> None:
    answer = await exchange(address, POST + b"content-length: 100\r\n\r\n{")
    assert reason(answer) == (408, "REQUEST_TIMEOUT")


async def test_an_oversized_body_is_refused_before_it_is_sent(address: Address, backend: Any) -> None:
    answer = await exchange(address, POST + b"content-length: 9999999\r\n\r\n")
    assert reason(answer) == (413, "PAYLOAD_TOO_LARGE")
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    answer = await exchange(address, POST + b"transfer-encoding: chunked\r\n\r\n", *[chunk] * 3)
    assert reason(answer) == (413, "PAYLOAD_TOO_LARGE")
    assert backend.calls == 0


async def test_a_body_that_is_compressed_on_its_way_is_refused(address: Address, backend: Any) -> None:
    coded = POST + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert reason(await exchange(address, coded)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert backend.calls == 0


async def test_no_answer_names_the_server(address: Address) -> None:
    status, headers, body = await exchange(
        address, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    assert (status, body) == (200, b'{"status":"alive"}')
    assert "server" not in headers
    assert "date" in headers


async def test_a_connection_serves_one_request_after_another(address: Address) -> None:
    get = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    last = b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    _, _, rest = await exchange(address, get + get + last)
    assert rest.count(b'{"status":"alive"}') == 2
    assert b'{"status":"not ready"}' in rest


OFFERS = {
    "h2c": b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
    "websocket": b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n",
}
LAST = b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_an_offer_to_upgrade_costs_no_request_its_body(address: Address, offer: bytes) -> None:
    post = b"POST /v1/bookings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n" + offer
    body = b'{"surprise": 1}'
    whole = post + b"content-length: %d\r\n\r\n" % len(body) + body
    chunked = post + b"transfer-encoding: chunked\r\n\r\n", b"f\r\n" + body + b"\r\n0\r\n\r\n"
    for sent in ((whole,), (whole[:-9], whole[-9:]), chunked, (b"".join(chunked) + whole,)):
        status, _, answers = await exchange(address, *sent, LAST)
        assert status == 400
        assert answers.count(b"HTTP/1.1 ") == sent[0].count(b"POST")
        assert answers.count(b'"pointer":"/surprise"') == sent[0].count(b"POST")
        assert b"MALFORMED_REQUEST" not in answers
        assert answers.endswith(b'{"status":"not ready"}')


async def test_no_request_hides_in_the_body_of_another(address: Address) -> None:
    hidden = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    post = POST.replace(b"connection: close\r\n", OFFERS["h2c"]) + b"content-length: %d\r\n\r\n" % len(hidden)
    _, _, answers = await exchange(address, post + hidden, LAST)
    assert b"alive" not in answers


async def test_many_offers_on_one_connection(address: Address) -> None:
    get = b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + OFFERS["h2c"] + b"\r\n"
    _, _, answers = await exchange(address, get * 1500, LAST)
    assert answers.count(b'{"status":"alive"}') == 1500


async def test_stopping_finishes_what_was_begun_and_takes_no_more(settings: Settings, backend: Any) -> None:
    backend.gate = asyncio.Event()
    path = b"/v1/venues/v/availability?date=2027-10-31&party_size=2"
    get = b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n"
    listener = listen(settings, asyncio.Event())
    server = await listener.__aenter__()
    address = server.servers[0].sockets[0].getsockname()[:2]
    begun = asyncio.create_task(exchange(address, get))
    await eventually(lambda: backend.calls == 1)
    stopping = asyncio.create_task(listener.__aexit__(None, None, None))
    await eventually(lambda: not server.servers[0].is_serving())
    with pytest.raises(ConnectionRefusedError):
        await exchange(address, get)
    backend.gate.set()
    status, headers, _ = await begun
    assert (status, headers["connection"]) == (200, "close")
    await stopping
