"""Bad requests and failing services: each gets a problem with a stable reason, and never its own input."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from servicekit.errors import RETRY_AFTER, AppError, Kind, Violation

BODY_LIMIT = 8 * 1024
JSON = {"Content-Type": "application/json"}
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


class SlotTaken(AppError):
    """Somebody was faster."""

    kind = Kind.CONFLICT
    reason = "SLOT_TAKEN"
    detail = "This time was just taken."


async def test_a_refusal_of_the_service_is_passed_on(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    backend.refusal = SlotTaken()
    body = problem(await client.post("/v1/bookings", json=wish), 409, "SLOT_TAKEN")
    assert (body["detail"], body["title"], body["errors"]) == (SlotTaken.detail, "Slot taken", [])


async def test_the_services_violations_point_into_what_was_sent(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    guest = {"name": "", "email": "not-an-address"}
    answer = await client.post("/v1/bookings", json=wish | {"guest": guest, "party_size": 0})
    body = problem(answer, 400, "INVALID_REQUEST")
    assert {each["pointer"] for each in body["errors"]} == {"/guest/name", "/guest/email", "/party_size"}
    assert "not-an-address" not in answer.text
    backend.refusal = type("Odd", (SlotTaken,), {})(violations=[Violation("/start/epoch_seconds", "is odd")])
    body = problem(await client.post("/v1/bookings", json=wish), 409, "SLOT_TAKEN")
    assert body["errors"] == [{"pointer": "/start", "message": "is odd"}]


async def test_a_defect_of_a_service_keeps_its_text(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    backend.answer = "not a message: serializing it fails"
    answer = await client.post("/v1/bookings", json=wish)
    problem(answer, 500, "INTERNAL")
    assert "serializing" not in answer.text


async def test_too_many_tries_say_when_to_come_again(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    backend.refusal = type("Odd", (SlotTaken,), {"kind": Kind.EXHAUSTED})(metadata={RETRY_AFTER: "840"})
    answer = await client.post("/v1/bookings", json=wish)
    problem(answer, 429, "SLOT_TAKEN")
    assert answer.headers["retry-after"] == "840"


async def test_a_service_that_is_down_is_a_503_with_retry_after(
    client: httpx.AsyncClient, bearer: dict[str, str], problem: Problem
) -> None:
    answer = await client.get("/v1/tickets", headers=bearer)
    problem(answer, 503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"nul",
        b'{"a":1,"a":2}',
        b"\xff\xfe",
        b'{"a":"\\ud800"}',
        b"[" * 40 + b"]" * 40,
        b'{"a":NaN}',
    ],
)
async def test_malformed_json(client: httpx.AsyncClient, backend: Any, body: bytes, problem: Problem) -> None:
    answer = await client.post("/v1/bookings", content=body, headers=JSON)
    problem(answer, 400, "INVALID_REQUEST" if body == b"" else "MALFORMED_JSON")
    assert backend.calls == 0


async def test_an_unknown_field_is_refused(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings", json=wish | {"colour": "sky-blue"})
    body = problem(answer, 400, "INVALID_REQUEST")
    assert body["errors"] == [{"pointer": "/colour", "message": "is not a known field"}]
    assert "sky-blue" not in answer.text
    assert backend.calls == 0


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"party_size": "2"}, "/party_size"),
        ({"party_size": 2.5}, "/party_size"),
        ({"party_size": True}, "/party_size"),
        ({"party_size": 2**31}, "/party_size"),
        ({"notes": 1}, "/notes"),
        ({"notes": "a\x00b"}, "/notes"),
        ({"start": "2027-10-31T02:30:00"}, "/start"),
        ({"start": "2027-10-31T02:30:00.5Z"}, "/start"),
        ({"start": {"epoch_seconds": 1}}, "/start"),
        ({"guest": []}, "/guest"),
        ({"guest": {"name": 1, "email": "a@b.c"}}, "/guest/name"),
    ],
)
async def test_a_wrong_type_is_named_by_its_pointer(
    client: httpx.AsyncClient,
    backend: Any,
    change: dict[str, Any],
    pointer: str,
    *,
    problem: Problem,
    wish: dict[str, Any],
) -> None:
    answer = await client.post("/v1/bookings", json=wish | change)
    body = problem(answer, 400, "INVALID_REQUEST")
    assert [each["pointer"] for each in body["errors"]] == [pointer]
    assert backend.calls == 0


@pytest.mark.parametrize(
    "query",
    [
        "date=2027-10-31&party_size=two",
        "party_size=2.0",
        "party_size=1&party_size=2",
        "colour=blue",
        "party_size=",
    ],
)
async def test_a_wrong_query_is_refused(
    client: httpx.AsyncClient, backend: Any, query: str, problem: Problem
) -> None:
    problem(await client.get(f"/v1/venues/v/availability?{query}"), 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_query_beside_a_whole_body_is_refused(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings?party_size=3", json=wish)
    problem(answer, 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_field_of_the_path_is_not_part_of_the_body(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], problem: Problem
) -> None:
    answer = await client.post("/v1/bookings/bkg_1/cancel", json={"booking_id": "bkg_2"}, headers=bearer)
    problem(answer, 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_slash_in_a_path_variable_stays_inside_it(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.get("/v1/manage/a%2Fb%20c")
    assert answer.status_code == 200
    assert backend.request.token == "a/b c"


@pytest.mark.parametrize("path", ["/v1/manage/%ff", "/v1/manage/%zz", "/v1/venues/x/availability?date=%ff"])
async def test_broken_percent_encoding_is_refused(
    client: httpx.AsyncClient, path: str, problem: Problem
) -> None:
    problem(await client.get(path), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/", "/v1/bookings/", "/v1//bookings", "/v2/bookings", "/manage/a/b"]
)
async def test_an_unknown_path(client: httpx.AsyncClient, path: str, problem: Problem) -> None:
    problem(await client.get(path), 404, "NOT_FOUND")


async def test_an_internal_call_has_no_path(client: httpx.AsyncClient, problem: Problem) -> None:
    answer = await client.post("/comptoir.auth.v1.AccountDirectoryService/GetSigningKeys", json={})
    problem(answer, 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/bookings", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/v1/auth/login", "OPTIONS, POST"),
        ("PATCH", "/healthz", "GET, HEAD, OPTIONS"),
        ("GET", "/hooks/stripe", "OPTIONS, POST"),
    ],
)
async def test_a_wrong_method(
    client: httpx.AsyncClient, method: str, path: str, allow: str, problem: Problem
) -> None:
    answer = await client.request(method, path)
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allow


async def test_an_oversized_body(client: httpx.AsyncClient, backend: Any, problem: Problem) -> None:
    answer = await client.post("/v1/bookings", content=b" " * (BODY_LIMIT + 1), headers=JSON)
    problem(answer, 413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["connection"] == "close"
    assert backend.calls == 0


async def test_an_oversized_body_in_chunks(client: httpx.AsyncClient, backend: Any, problem: Problem) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    answer = await client.post("/v1/bookings", content=chunks(), headers=JSON)
    problem(answer, 413, "PAYLOAD_TOO_LARGE")
    assert backend.calls == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_a_wrong_content_type(
    client: httpx.AsyncClient, backend: Any, headers: dict[str, str], problem: Problem, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings", content=json.dumps(wish), headers=headers)
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert backend.calls == 0


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_a_content_type_with_utf_8(client: httpx.AsyncClient, kind: str, wish: dict[str, Any]) -> None:
    answer = await client.post("/v1/bookings", content=json.dumps(wish), headers={"Content-Type": kind})
    assert answer.status_code == 201
