"""Requests through the whole gateway to a real gRPC server: what arrives, and how refusals look."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2
from gateway.edge import Edge
from servicekit.errors import AppError, Kind, Violation
from servicekit.identity import CallerKind

BODY_LIMIT = 8 * 1024
JSON = {"Content-Type": "application/json"}
BOOKING = {
    "venue_id": "ven_1",
    "offering_id": "off_1",
    "start": "2027-10-31T02:30:00+02:00",
    "party_size": 2,
    "guest": {"name": "Zoé", "email": "zoe@example.com", "language": "fr"},
}
AVAILABILITY = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"


class SlotTaken(AppError):
    """Somebody was faster."""

    kind = Kind.CONFLICT
    reason = "SLOT_TAKEN"
    detail = "This time was just taken."


def problem(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    """The problem that was answered, after checking what all problems share."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["reason"]) == (status, status, reason)
    assert body["type"] == f"/errors/{reason}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    return body


async def test_a_query_becomes_a_message_and_the_answer_json(client: httpx.AsyncClient, backend: Any) -> None:
    backend.answer = booking_pb2.SearchAvailabilityResponse(date="2027-10-31", time_zone="Europe/Paris")
    slot = backend.answer.slots.add(offering_id="off_1", reason=booking_pb2.REFUSAL_REASON_FULLY_BOOKED)
    slot.start.epoch_seconds, slot.start.offset_minutes = 1824942600, 120
    answer = await client.get(AVAILABILITY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in answer.headers
    assert answer.json() == {
        "date": "2027-10-31",
        "time_zone": "Europe/Paris",
        "slots": [
            {
                "start": "2027-10-31T02:30:00+02:00",
                "offering_id": "off_1",
                "bookable": False,
                "reason": "fully_booked",
            }
        ],
    }
    assert (backend.request.venue_id, backend.request.party_size) == ("chez-paulette", 2)
    assert backend.caller is not None
    assert (backend.caller.kind, backend.caller.issuer) == (CallerKind.ANONYMOUS, "gateway")
    assert backend.caller.address == "192.0.2.7"


async def test_a_body_becomes_a_message(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/bookings", json=BOOKING)
    assert answer.status_code == 201
    assert answer.json() == {"manage_token": "secret"}
    assert backend.request.guest.name == "Zoé"
    assert (backend.request.start.epoch_seconds, backend.request.start.offset_minutes) == (1824942600, 120)


async def test_a_null_in_a_body_stands_for_absence(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/bookings", json=BOOKING | {"notes": None})
    assert answer.status_code == 201
    assert backend.request.notes == ""


async def test_a_member_is_passed_on_with_role_and_permissions(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    answer = await client.get("/v1/bookings/bkg_1", headers=access.bearer(role="viewer"))
    assert answer.status_code == 200
    assert answer.json()["id"] == "bkg_1"
    caller = backend.caller
    assert caller is not None
    assert (caller.kind, caller.organization, caller.user) == (
        CallerKind.MEMBER,
        access.organization,
        access.user,
    )
    assert (caller.session, caller.role) == (access.session, "viewer")
    assert "bookings.read" in caller.permissions
    assert "bookings.write" not in caller.permissions


async def test_a_token_on_a_public_route_makes_the_caller_a_member(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    assert (await client.get(AVAILABILITY, headers=bearer)).status_code == 200
    assert backend.caller is not None
    assert backend.caller.kind is CallerKind.MEMBER


async def test_inbound_identity_headers_never_reach_a_service(
    client: httpx.AsyncClient, backend: Any
) -> None:
    forged = {
        "comptoir-identity": "forged",
        "comptoir-request-id": "forged",
        "X-User-Id": "forged",
        "X-Forwarded-For": "203.0.113.9",
        "Idempotency-Key": "forged-on-a-route-that-ignores-it",
    }
    assert (await client.get(AVAILABILITY, headers=forged)).status_code == 200
    assert "forged" not in json.dumps(backend.metadata)
    assert backend.caller is not None
    assert backend.caller.address == "192.0.2.7"


async def test_the_request_id_is_kept_echoed_and_passed_on(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.get(AVAILABILITY, headers={"X-Request-Id": "abc-123.def_456"})
    assert answer.headers["x-request-id"] == "abc-123.def_456"
    assert backend.metadata["comptoir-request-id"] == "abc-123.def_456"


@pytest.mark.parametrize("given", ["short", "x" * 129, "with space in it", 'quote"quote"'])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get(AVAILABILITY, headers={"X-Request-Id": given})
    assert answer.headers["x-request-id"] != given


async def test_a_trace_goes_on_to_the_service(client: httpx.AsyncClient, backend: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    await client.get(AVAILABILITY, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-00"})
    assert backend.metadata["traceparent"].split("-")[1] == trace


@pytest.mark.parametrize(
    ("sent", "key"),
    [('"8e03978e"', "8e03978e"), ("8e03978e", "8e03978e"), (r'"a\"b"', 'a"b'), ("x" * 255, "x" * 255)],
)
async def test_an_idempotency_key_is_passed_on_for_anonymous_callers_too(
    client: httpx.AsyncClient, backend: Any, sent: str, key: str
) -> None:
    answer = await client.post("/v1/bookings", json=BOOKING, headers={"Idempotency-Key": sent})
    assert answer.status_code == 201
    assert backend.metadata["idempotency-key"] == key


@pytest.mark.parametrize("sent", ["", "two words", '"open', 'a"b', "x" * 256, '""', r'"\a"', "é"])
async def test_another_idempotency_key_is_refused(client: httpx.AsyncClient, backend: Any, sent: str) -> None:
    headers = {"Idempotency-Key": sent.encode("latin-1")}
    answer = await client.post("/v1/bookings", json=BOOKING, headers=headers)  # type: ignore[arg-type]
    problem(answer, 400, "INVALID_IDEMPOTENCY_KEY")
    assert backend.calls == 0


async def test_no_content_has_no_body(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    answer = await client.post("/v1/auth/logout", headers=bearer)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert backend.calls == 1


async def test_head_is_a_get_without_a_body(client: httpx.AsyncClient) -> None:
    got, head = await client.get(AVAILABILITY), await client.head(AVAILABILITY)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_options_names_the_methods(client: httpx.AsyncClient) -> None:
    answer = await client.options("/v1/bookings")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_a_refusal_of_the_service_is_passed_on(client: httpx.AsyncClient, backend: Any) -> None:
    backend.refusal = SlotTaken()
    body = problem(await client.post("/v1/bookings", json=BOOKING), 409, "SLOT_TAKEN")
    assert (body["detail"], body["title"], body["errors"]) == (SlotTaken.detail, "Slot taken", [])


async def test_the_services_violations_point_into_what_was_sent(
    client: httpx.AsyncClient, backend: Any
) -> None:
    guest = {"name": "", "email": "not-an-address"}
    answer = await client.post("/v1/bookings", json=BOOKING | {"guest": guest, "party_size": 0})
    body = problem(answer, 400, "INVALID_REQUEST")
    assert {each["pointer"] for each in body["errors"]} == {"/guest/name", "/guest/email", "/party_size"}
    assert "not-an-address" not in answer.text
    backend.refusal = type("Odd", (SlotTaken,), {})(violations=[Violation("/start/epoch_seconds", "is odd")])
    body = problem(await client.post("/v1/bookings", json=BOOKING), 409, "SLOT_TAKEN")
    assert body["errors"] == [{"pointer": "/start", "message": "is odd"}]


async def test_a_defect_of_a_service_keeps_its_text(client: httpx.AsyncClient, backend: Any) -> None:
    backend.answer = "not a message: serializing it fails"
    answer = await client.post("/v1/bookings", json=BOOKING)
    problem(answer, 500, "INTERNAL")
    assert "serializing" not in answer.text


async def test_a_service_that_is_down_is_a_503_with_retry_after(
    client: httpx.AsyncClient, bearer: dict[str, str]
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
async def test_malformed_json(client: httpx.AsyncClient, backend: Any, body: bytes) -> None:
    answer = await client.post("/v1/bookings", content=body, headers=JSON)
    problem(answer, 400, "INVALID_REQUEST" if body == b"" else "MALFORMED_JSON")
    assert backend.calls == 0


async def test_an_unknown_field_is_refused(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/bookings", json=BOOKING | {"colour": "sky-blue"})
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
    client: httpx.AsyncClient, backend: Any, change: dict[str, Any], pointer: str
) -> None:
    answer = await client.post("/v1/bookings", json=BOOKING | change)
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
async def test_a_wrong_query_is_refused(client: httpx.AsyncClient, backend: Any, query: str) -> None:
    problem(await client.get(f"/v1/venues/v/availability?{query}"), 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_query_beside_a_whole_body_is_refused(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/bookings?party_size=3", json=BOOKING)
    problem(answer, 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_field_of_the_path_is_not_part_of_the_body(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    answer = await client.post("/v1/bookings/bkg_1/cancel", json={"booking_id": "bkg_2"}, headers=bearer)
    problem(answer, 400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_slash_in_a_path_variable_stays_inside_it(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.get("/v1/manage/a%2Fb%20c")
    assert answer.status_code == 200
    assert backend.request.token == "a/b c"


@pytest.mark.parametrize("path", ["/v1/manage/%ff", "/v1/manage/%zz", "/v1/venues/x/availability?date=%ff"])
async def test_broken_percent_encoding_is_refused(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/", "/v1/bookings/", "/v1//bookings", "/v2/bookings", "/manage/a/b"]
)
async def test_an_unknown_path(client: httpx.AsyncClient, path: str) -> None:
    problem(await client.get(path), 404, "NOT_FOUND")


async def test_an_internal_call_has_no_path(client: httpx.AsyncClient) -> None:
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
async def test_a_wrong_method(client: httpx.AsyncClient, method: str, path: str, allow: str) -> None:
    answer = await client.request(method, path)
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == allow


async def test_an_oversized_body(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/bookings", content=b" " * (BODY_LIMIT + 1), headers=JSON)
    problem(answer, 413, "PAYLOAD_TOO_LARGE")
    assert answer.headers["connection"] == "close"
    assert backend.calls == 0


async def test_an_oversized_body_in_chunks(client: httpx.AsyncClient, backend: Any) -> None:
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
async def test_a_wrong_content_type(client: httpx.AsyncClient, backend: Any, headers: dict[str, str]) -> None:
    answer = await client.post("/v1/bookings", content=json.dumps(BOOKING), headers=headers)
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")
    assert backend.calls == 0


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_a_content_type_with_utf_8(client: httpx.AsyncClient, kind: str) -> None:
    answer = await client.post("/v1/bookings", content=json.dumps(BOOKING), headers={"Content-Type": kind})
    assert answer.status_code == 201


async def test_a_client_that_leaves_before_its_body_is_complete_gets_nothing(edge: Edge) -> None:
    messages = iter([{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/bookings",
        "raw_path": b"/v1/bookings",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": ("192.0.2.7", 1),
    }
    await edge(scope, receive, send)
    assert sent == []


async def test_requests_are_answered_side_by_side(client: httpx.AsyncClient, backend: Any) -> None:
    answers = await asyncio.gather(*(client.get(AVAILABILITY) for _ in range(40)))
    assert {each.status_code for each in answers} == {200}
    assert backend.calls == 40
