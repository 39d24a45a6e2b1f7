"""Requests worded so that two servers read them differently: none hides in another, and no trailer speaks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.serving import listen
from gateway.settings import Settings
from servicekit.identity import CallerKind

from .conftest import AccessTokens
from .raw_http import Address, exchange

HIDDEN = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
SEARCH = b"/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
HEAD = b"POST /v1/bookings HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
LAST = b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
LENGTH = b"content-length: %d\r\n" % len(CHUNKED)


@pytest.fixture
async def address(settings: Settings, backend: Any) -> AsyncIterator[Address]:
    """A listener behind one proxy, which writes the client's address."""
    http = settings.http.model_copy(update={"trusted_proxies": 1})
    limits = settings.limits.model_copy(update={"header_seconds": 0.5, "body_seconds": 0.5})
    given = settings.model_copy(update={"http": http, "limits": limits})
    async with listen(given, asyncio.Event()) as server:
        yield server.servers[0].sockets[0].getsockname()[:2]


@pytest.mark.parametrize(
    "framing",
    [
        LENGTH + b"transfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\n" + LENGTH,
        b"content-length: 0\r\n" + LENGTH,
        LENGTH + LENGTH,
        b"content-length: %d, %d\r\n" % (len(CHUNKED), len(CHUNKED)),
        b"content-length: +%d\r\n" % len(CHUNKED),
        b"content-length: -1\r\n",
        b"content-length: 0x10\r\n",
        b"content-length : %d\r\n" % len(CHUNKED),
        b"content-length: 18446744073709551617\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding:\x0bchunked\r\n",
        b"x-a: b\r\n transfer-encoding: chunked\r\n",
        b"x-a: b\rtransfer-encoding: chunked\r\n",
        b"x-a: b\x00\r\n",
        b"x-a: b\ntransfer-encoding: chunked\r\n",
        b"x a: b\r\n",
        b": b\r\n",
        b"no colon\r\n",
    ],
)
async def test_a_body_whose_end_could_be_read_in_two_ways_is_refused_with_its_connection(
    address: Address, backend: Any, framing: bytes
) -> None:
    status, headers, rest = await exchange(address, HEAD + framing + b"\r\n" + CHUNKED, LAST)
    assert (status, headers["connection"]) == (400, "close")
    assert b"HTTP/1.1" not in rest
    assert backend.calls == 0


@pytest.mark.parametrize(
    "chunks",
    [
        b"10000000000000000\r\n{}\r\n",
        b"-1\r\n{}\r\n",
        b"0x2\r\n{}\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"2 \n{}\r\n0\r\n\r\n",
        b"2\r\n{}0\r\n\r\n",
        b"2;a=\rb\r\n{}\r\n0\r\n\r\n",
        b"2\r{}\r\n0\r\n\r\n",
    ],
)
async def test_broken_chunks_are_refused_with_their_connection(
    address: Address, backend: Any, chunks: bytes
) -> None:
    sent = HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks + HIDDEN
    status, headers, rest = await exchange(address, sent, LAST)
    assert (status, headers["connection"]) == (400, "close")
    assert b"HTTP/1.1" not in rest
    assert backend.calls == 0


@pytest.mark.parametrize("apart", [False, True])
async def test_what_stands_after_a_body_says_nothing_about_it(
    address: Address, backend: Any, access: AccessTokens, *, apart: bool
) -> None:
    """Proxies overwrite headers and pass trailers on (RFC 9110 §6.5.1: never merged unless known safe)."""
    trailers = {
        "authorization": f"Bearer {access.sign()}",
        "x-forwarded-for": "203.0.113.66",
        "x-request-id": "from-the-trailer",
        "host": "evil.example",
        "expect": "100-continue",
    }
    said = "".join(f"{name}: {value}\r\n" for name, value in trailers.items()).encode()
    head = b"GET %s HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.7\r\n" % SEARCH
    parts = [head + b"transfer-encoding: chunked\r\n\r\n", b"2\r\n{}\r\n0\r\n" + said + b"\r\n"]
    status, headers, _ = await exchange(address, *(parts if apart else [b"".join(parts)]), LAST)
    assert status == 200
    assert headers["x-request-id"] != "from-the-trailer"
    assert (backend.caller.kind, backend.caller.address) == (CallerKind.ANONYMOUS, "192.0.2.7")


async def test_trailers_are_bounded_like_headers(address: Address, backend: Any) -> None:
    flood = b"x-a: aaaaaaaaaaaaaaaa\r\n" * 3000
    sent = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    status, _, rest = await exchange(address, sent, flood + b"\r\n")
    assert status in {400, 431}
    assert rest.count(b"HTTP/1.1") == 0
    assert backend.calls == 0


@pytest.mark.parametrize(
    "target", [b"http://evil.example/healthz", b"//evil.example/healthz", b"*", b"healthz"]
)
async def test_a_target_that_names_another_host_leads_nowhere_else(address: Address, target: bytes) -> None:
    sent = b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    status, headers, body = await exchange(address, sent)
    assert status in {200, 400, 404}
    assert "location" not in headers
    assert b"evil" not in body
