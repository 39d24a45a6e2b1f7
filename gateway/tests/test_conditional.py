"""Reading again: each answered read has an ETag, and whoever has it already gets 304 and no body."""

from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2
from gateway.conditional import revalidate, tag
from gateway.http import Answer
from gateway.routes import routes

from .conftest import Backend

BOOKING = "/v1/bookings/bkg_1"
AVAILABILITY = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
GETS = [
    pytest.param(route.template, id=route.operation_id)
    for route in routes()
    if route.method == "GET" and route.rpc.service in ("auth", "booking")
]


def answer(body: bytes = b"{}", *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(200, ((b"content-type", b"application/json"), *headers), body)


def etag(shown: Answer) -> bytes:
    return dict(shown.headers)[b"etag"]


def test_a_tag_follows_the_bytes_and_begins_with_the_version() -> None:
    plain, other = tag(answer()), tag(answer(b"[]"))
    assert etag(plain) == etag(tag(answer())) != etag(other)
    versioned = tag(answer(b"{}", (b"etag", b'"7"')))
    assert etag(versioned) == b'"7-%s' % etag(plain)[1:]
    assert etag(tag(answer(b"[]", (b"etag", b'"7"')))) != etag(versioned)
    foreign = answer(b"{}", (b"etag", b'W/"abc"'))
    assert tag(foreign) is foreign


@pytest.mark.parametrize("form", [b"%s", b"W/%s", b'"x", %s', b'%s,"x"', b'  "x" , W/%s  ', b'"a,b", %s'])
def test_the_comparison_is_weak_and_takes_lists(form: bytes) -> None:
    shown = tag(answer())
    again = revalidate(shown, form % etag(shown))
    assert again is not None
    assert (again.status, again.body) == (304, b"")
    assert revalidate(shown, form % etag(tag(answer(b"[]")))) is None


@pytest.mark.parametrize("coding", [b"br", b"gzip"])
def test_a_copy_in_another_encoding_is_a_copy(coding: bytes) -> None:
    shown = tag(answer())
    mine = etag(shown)[:-1] + b"-" + coding + b'"'
    again = revalidate(shown, mine)
    assert again is not None
    assert etag(again) == mine


@pytest.mark.parametrize("given", [b"", b"x", b'"x"', b'"', b"W/", b'""', b"\xff", b'"x-br"'])
def test_what_is_no_tag_of_ours_matches_nothing(given: bytes) -> None:
    assert revalidate(tag(answer()), given) is None


async def test_a_read_is_answered_once_and_then_not_modified(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    backend.answer = booking_pb2.GetBookingResponse(booking=booking_pb2.Booking(id="bkg_1", version=7))
    first = await client.get(BOOKING, headers=bearer)
    mine = bearer | {"If-None-Match": first.headers["etag"]}
    again = await client.get(BOOKING, headers=mine)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for name in ("cache-control", "vary", "x-content-type-options"):
        assert again.headers[name] == first.headers[name]
    assert not {"content-length", "content-type", "content-encoding"} & set(again.headers)
    head = await client.head(BOOKING, headers=mine)
    assert (head.status_code, head.headers["etag"]) == (304, first.headers["etag"])
    assert (await client.get(BOOKING, headers=bearer | {"If-None-Match": "*"})).status_code == 304
    # The same version, shown otherwise: the copy is of no use any more.
    backend.answer.booking.party_size = 5
    changed = await client.get(BOOKING, headers=mine)
    assert (changed.status_code, changed.headers["etag"][:3]) == (200, '"7-')


async def test_what_has_no_version_has_a_tag_too(client: httpx.AsyncClient, backend: Backend) -> None:
    for path in (AVAILABILITY, "/openapi.json", "/docs", "/.well-known/jwks.json"):
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, again.status_code) == (200, 304)
        assert again.headers["cache-control"] == first.headers["cache-control"]
    assert backend.calls == 2


async def test_refusals_and_changes_know_no_if_none_match(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], wish: dict[str, Any]
) -> None:
    anything = {"If-None-Match": "*"}
    assert (await client.get(BOOKING, headers=anything)).status_code == 401
    assert (await client.get("/nowhere", headers=anything)).status_code == 404
    assert (await client.post("/v1/bookings", json=wish, headers=anything)).status_code == 201
    assert backend.calls == 1


@pytest.mark.parametrize("template", GETS)
async def test_a_head_says_what_its_get_says_and_has_no_body(
    template: str, client: httpx.AsyncClient, backend: Backend
) -> None:
    headers = {"X-Request-Id": "the-same-request", "Accept-Encoding": "gzip"}
    path = template.replace("{", "").replace("}", "")
    got = await client.get(path, headers=headers)
    head = await client.head(path, headers=headers)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers
    assert "content-length" in got.headers


async def test_a_head_of_an_answer_has_its_length_and_tag(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    await client.get("/v1/me", headers=bearer)  # from now on it counts as its member alone
    calls = backend.calls
    for path in (BOOKING, AVAILABILITY, "/openapi.json", "/docs/swagger-ui.css"):
        for encoding in ("identity", "gzip"):
            headers = bearer | {"Accept-Encoding": encoding, "X-Request-Id": "the-same-request"}
            got, head = await client.get(path, headers=headers), await client.head(path, headers=headers)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers == got.headers
            assert {"etag", "content-length"} <= set(head.headers)
    assert backend.calls == calls + 8
