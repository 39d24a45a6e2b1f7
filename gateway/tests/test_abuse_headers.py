"""What clients write in headers, paths and queries makes no header of an answer, and no line of a log."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from comptoir.auth.v1 import sso_pb2
from gateway.access_log import AccessLog
from gateway.edge import Edge
from gateway.note import Note
from servicekit.errors import AppError, Kind
from servicekit.identity import CallerKind
from servicekit.rpc import metadata

from .conftest import AccessTokens, Backend
from .raw_http import asgi

SEARCH = b"/v1/venues/chez-paulette/availability"
STREAM = b"/v1/stream"
DAY = b"date=2027-10-31&party_size=2"
SPLIT = "\r\nSet-Cookie: injected=1\r\n\r\n<script>"
EVIL = b"x\r\nset-cookie: injected=1"
HEADERS = [
    b"accept-encoding",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"authorization",
    b"comptoir-session",
    b"comptoir-version",
    b"content-type",
    b"cookie",
    b"forwarded",
    b"host",
    b"idempotency-key",
    b"if-match",
    b"if-none-match",
    b"last-event-id",
    b"origin",
    b"traceparent",
    b"tracestate",
    b"user-agent",
    b"x-csrf-token",
    b"x-forwarded-for",
    b"x-request-id",
]
TIMEOUT = "grpc-timeout"
OURS = [each for each in vars(metadata).values() if isinstance(each, str) and each.islower()]
RESERVED = [name for name in OURS if name not in {metadata.IDEMPOTENCY_KEY, metadata.TRACEPARENT}]
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", SEARCH),
        ("POST", b"/v1/bookings"),
        ("OPTIONS", b"/v1/bookings"),
        ("GET", b"/docs"),
        ("GET", STREAM),
    ],
)
async def test_no_header_is_said_again_with_a_line_break(
    edge: Edge, backend: Backend, method: str, path: bytes, name: bytes
) -> None:
    """The server refuses such bytes already (test_abuse_wire); whatever stands before it may not."""
    backend.forget()
    query = {SEARCH: DAY, STREAM: b"topics=feed"}.get(path, b"")
    status, headers = await asgi(edge, method, path, query=query, headers=[(name, EVIL)])
    assert status < 500
    assert all(b"\r" not in value and b"\n" not in value for _, value in headers)
    assert b"set-cookie" not in dict(headers)


@pytest.mark.parametrize(
    "origin", [b"http://[", b"https://[b9B5b]", b"http://a]b", b"https://\xe2\x84\x80", b"null", b"", b"\xff"]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", STREAM), ("HEAD", STREAM), ("POST", b"/v1/stream/tickets"), ("POST", b"/v1/bookings")],
)
async def test_an_origin_that_is_none_breaks_nothing(
    edge: Edge, backend: Backend, method: str, path: bytes, origin: bytes
) -> None:
    backend.forget()
    sent = [(b"origin", origin), (b"host", b"gateway")]
    status, headers = await asgi(edge, method, path, query=b"topics=feed", headers=sent)
    assert 400 <= status < 500
    assert b"access-control-allow-origin" not in dict(headers)


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/venues/{quote(SPLIT, safe='')}/availability?date=2027-10-31&party_size=2",
        f"/v1/venues/x/availability?date={quote(SPLIT)}&party_size=2",
        f"/manage/{quote(SPLIT, safe='')}",
        f"/v1/auth/sso/{quote(SPLIT, safe='')}/start?return_to=x&challenge={quote(SPLIT)}",
        f"/v1/auth/sso/google/callback?state={quote(SPLIT)}&error={quote(SPLIT)}",
        f"/{quote(SPLIT, safe='')}",
        f"/v1/stream?topics={quote(SPLIT)}&last_event_id={quote(SPLIT)}",
        f"/v1/stream?ticket={quote(SPLIT)}",
        f"/v1/bookings?page_token={quote(SPLIT)}",
        f"/docs?url={quote(SPLIT)}&configUrl=https://evil.example",
    ],
)
async def test_no_path_or_query_is_said_again_in_a_header_or_as_html(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code < 500 or answer.json()["reason"] == "UNAVAILABLE"
    assert "injected" not in str(answer.headers)
    assert "injected" not in answer.text
    assert "<script>" not in answer.text or answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [b"/v1/./bookings", b"/v1/x/../bookings", b"/v1/x/%2e%2e/bookings", b"/v1//bookings", b"/v1/bookings/.."],
)
async def test_no_dots_lead_from_one_path_to_another(edge: Edge, backend: Backend, path: bytes) -> None:
    status, headers = await asgi(edge, "GET", path)
    assert status in {401, 404}
    assert b"location" not in dict(headers)
    assert backend.calls == 0


@pytest.mark.parametrize(
    "location", ["https://app.example/in\r\nset-cookie: injected=1", "https://app.example/\n", "/\u2603"]
)
async def test_a_browser_is_sent_to_no_address_that_is_none(
    client: httpx.AsyncClient, backend: Backend, location: str
) -> None:
    """Auth checks where to; that it does is not relied on for what a header may hold."""
    backend.answer = sso_pb2.FinishSsoResponse(location=location)
    answer = await client.get("/v1/auth/sso/google/callback?state=st&code=code")
    assert answer.status_code == 302
    assert "set-cookie" not in answer.headers
    assert answer.headers["location"] == quote(location, safe=":/=")


@pytest.mark.parametrize(
    "name", [*RESERVED, *(f"{each}-bin" for each in OURS), "grpc-timeout", "grpc-status"]
)
async def test_names_that_services_read_mean_nothing_from_outside(
    client: httpx.AsyncClient, backend: Backend, access: AccessTokens, name: str
) -> None:
    """Whatever guards read of a call's metadata is written by the gateway alone."""
    assert len(RESERVED) >= 4
    for headers in ({name: "forged-by-a-client"}, {name: "forged-by-a-client"} | access.bearer()):
        await client.get(f"{SEARCH.decode()}?{DAY.decode()}", headers=headers)
        assert "forged-by-a-client" not in str(backend.metadata)
        known = "authorization" in {each.lower() for each in headers}
        assert (backend.caller.kind is CallerKind.MEMBER) is known  # type: ignore[union-attr]


class Odd(AppError):
    """What a service may say, in one line or in more."""

    kind = Kind.REFUSED
    reason = "ODD"
    detail = "one\r\nset-cookie: injected=1\r\n\r\ntwo"


async def test_what_a_service_says_stays_in_the_body(
    client: httpx.AsyncClient, backend: Backend, problem: Problem
) -> None:
    backend.refusal = Odd()
    answer = await client.get(f"{SEARCH.decode()}?{DAY.decode()}")
    assert problem(answer, 409, "ODD")["detail"] == Odd.detail
    assert "injected" not in str(answer.headers)


def test_a_line_of_the_log_is_one_line_whatever_the_method() -> None:
    written: list[bytes] = []
    log = AccessLog(written.append)
    log.add("request-1", 'GET\n{"event":"forged"}', "/v1/bookings", Note(), status=200, seconds=0.1, size=1)
    log.flush()
    (line,) = written[0].splitlines()
    assert orjson.loads(line)["event"] == "request"
    assert b"forged" not in line
