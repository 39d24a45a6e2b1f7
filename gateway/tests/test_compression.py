"""Brotli and gzip: negotiated, only for texts worth it, never where the length could tell a secret."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.auth.v1 import account_pb2
from comptoir.booking.v1 import booking_pb2
from gateway.compression import Compressor, preferred, varying
from gateway.conditional import tag
from gateway.http import Answer
from gateway.settings import CompressionSettings

from .conftest import Backend

BOOKING = "/v1/bookings/bkg_1"
MANAGE = "/v1/manage/secret"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]
UNPACK: dict[bytes, Callable[[bytes], bytes]] = {b"br": brotli.decompress, b"gzip": gzip.decompress}


def long_answer() -> booking_pb2.GetBookingResponse:
    return booking_pb2.GetBookingResponse(
        booking=booking_pb2.Booking(id="bkg_1", version=7, notes="a window, please. " * 200)
    )


def text(body: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    return tag(varying(Answer(200, ((b"content-type", b"application/json"), *headers), body)))


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        (b"", b"identity"),
        (b"gzip", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"GZIP, Br", b"br"),
        (b"gzip, deflate, br, zstd", b"br"),
        (b"gzip;q=1.0, br;q=0.9", b"gzip"),
        (b"br;q=0, gzip", b"gzip"),
        (b"*", b"br"),
        (b"*;q=0", b"identity"),
        (b"br;q=0, *;q=0.5", b"gzip"),
        (b"identity, gzip;q=0.5", b"identity"),
        (b"identity;q=0.5, gzip;q=0.5", b"gzip"),
        (b"deflate, zstd", b"identity"),
        (b"gzip;q=2", b"identity"),
        (b"gzip;q=0.1234", b"identity"),
        (b"gzip;level=1", b"identity"),
        (b"gzip , ;;, \xff", b"gzip"),
        (b"br," * 200, b"identity"),
    ],
)
def test_the_client_weighs(header: bytes, encoding: bytes) -> None:
    assert preferred(header) == encoding


@given(st.binary(max_size=80))
def test_no_header_is_too_odd(header: bytes) -> None:
    assert preferred(header) in {b"br", b"gzip", b"identity"}


@pytest.mark.parametrize("encoding", [b"br", b"gzip"])
@pytest.mark.parametrize("size", [1024, 40_000, 300_000])
async def test_what_comes_is_what_was_said(encoding: bytes, size: int) -> None:
    body = (b"0123456789" * (size // 10 + 1))[:size]
    shown = text(body)
    packed = await Compressor(CompressionSettings())(shown, encoding)
    headers = dict(packed.headers)
    assert UNPACK[encoding](packed.body) == body
    assert len(packed.body) < size
    assert headers[b"content-encoding"] == encoding
    assert headers[b"vary"] == b"accept-encoding"
    # Another sequence of bytes, another strong tag.
    assert headers[b"etag"] == dict(shown.headers)[b"etag"][:-1] + b"-" + encoding + b'"'


@pytest.mark.parametrize(
    "headers",
    [
        ((b"content-type", b"image/png"),),
        ((b"content-type", b"application/octet-stream"),),
        (),
        ((b"content-type", b"text/plain"), (b"content-encoding", b"gzip")),
        ((b"content-type", b"text/plain"), (b"set-cookie", b"session=secret")),
    ],
)
async def test_what_is_no_plain_text_goes_out_as_it_is(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    shown = varying(Answer(200, headers, b"x" * 5000))
    assert b"vary" not in dict(shown.headers)
    assert await Compressor(CompressionSettings())(shown, b"br") is shown


async def test_what_is_short_goes_out_as_it_is_and_says_that_it_may_not() -> None:
    compress = Compressor(CompressionSettings(least_bytes=1000))
    short = text(b"x" * 999, (b"vary", b"authorization"))
    assert await compress(short, b"br") is short
    assert dict(short.headers)[b"vary"] == b"authorization, accept-encoding"
    assert (await compress(text(b"x" * 1000), b"br")).body != b"x" * 1000


async def test_static_documents_are_compressed_once_and_only_they_are_kept() -> None:
    compress = Compressor(CompressionSettings(kept_bytes=60_000))
    static = text(b"x" * 50_000, (b"cache-control", b"public, max-age=300"))
    first, second = await compress(static, b"gzip"), await compress(static, b"gzip")
    assert first.body is second.body
    assert (await compress(static, b"br")).body != first.body
    passing = text(b"x" * 50_000, (b"cache-control", b"public, max-age=2"))
    private = text(b"x" * 50_000, (b"cache-control", b"private, max-age=300"))
    for shown in (passing, private):
        assert (await compress(shown, b"gzip")).body is not (await compress(shown, b"gzip")).body


async def test_what_is_kept_is_bounded() -> None:
    compress = Compressor(CompressionSettings(kept_bytes=0))
    static = text(b"x" * 50_000, (b"cache-control", b"public, max-age=300"))
    assert (await compress(static, b"gzip")).body is not (await compress(static, b"gzip")).body


async def test_a_read_comes_compressed_and_its_tag_comes_back(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    backend.answer = long_answer()
    plain = await client.get(BOOKING, headers=bearer | {"Accept-Encoding": "identity"})
    packed = await client.get(BOOKING, headers=bearer | {"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "br"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.headers["etag"] != plain.headers["etag"]
    mine = bearer | {"If-None-Match": packed.headers["etag"], "Accept-Encoding": "br, gzip"}
    again = await client.get(BOOKING, headers=mine)
    assert (again.status_code, again.headers["etag"]) == (304, packed.headers["etag"])
    backend.answer = None
    for tagged in (plain, packed):
        await client.post(f"{BOOKING}/cancel", headers=bearer | {"If-Match": tagged.headers["etag"]})
        assert backend.request.expected_version == 7


async def test_where_secrets_are_the_length_says_nothing(
    client: httpx.AsyncClient, backend: Backend, wish: dict[str, Any]
) -> None:
    accepting = {"Accept-Encoding": "br, gzip"}
    backend.answer = booking_pb2.GetManagedBookingResponse(booking=long_answer().booking)
    managed = await client.get(MANAGE, headers=accepting)
    backend.answer = booking_pb2.CreateBookingResponse(booking=long_answer().booking, manage_token="secret")
    booked = await client.post("/v1/bookings", json=wish, headers=accepting)
    backend.answer = account_pb2.LogInResponse()
    backend.answer.tokens.access_token = "secret" * 400
    entered = await client.post(
        "/v1/auth/login", json={"email": "a@example.com", "password": "a long password"}, headers=accepting
    )
    assert (managed.status_code, booked.status_code, entered.status_code) == (200, 201, 200)
    for each in (managed, booked, entered):
        assert len(each.content) > CompressionSettings().least_bytes
        assert "content-encoding" not in each.headers


async def test_documents_and_pages_come_compressed(client: httpx.AsyncClient) -> None:
    for path in ("/openapi.json", "/manage/x", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"):
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        for encoding in ("br", "gzip"):
            packed = await client.get(path, headers={"Accept-Encoding": encoding})
            assert packed.headers["content-encoding"] == encoding
            assert packed.content == plain.content
            assert int(packed.headers["content-length"]) < len(plain.content)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, gzip"])
async def test_a_compressed_body_is_not_unpacked(
    client: httpx.AsyncClient, backend: Backend, problem: Problem, encoding: str
) -> None:
    """A few kilobytes that would become a gigabyte are refused for what they are."""
    bomb = gzip.compress(b"0" * 1_000_000) if "gzip" in encoding else zlib.compress(b"0" * 1_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    answer = await client.post("/v1/bookings", content=bomb, headers=headers)
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert backend.calls == 0
