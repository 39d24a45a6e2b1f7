"""Requests through the whole gateway to a real gRPC server: what arrives, and what comes back."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2
from gateway.edge import Edge
from servicekit import telemetry
from servicekit.errors import RETRY_AFTER, IdempotencyKeyInFlight
from servicekit.identity import CallerKind

AVAILABILITY = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


async def test_a_query_becomes_a_message_and_the_answer_json(client: httpx.AsyncClient, backend: Any) -> None:
    backend.answer = booking_pb2.SearchAvailabilityResponse(date="2027-10-31", time_zone="Europe/Paris")
    slot = backend.answer.slots.add(offering_id="off_1", reason=booking_pb2.REFUSAL_REASON_FULLY_BOOKED)
    slot.start.epoch_seconds, slot.start.offset_minutes = 1824942600, 120
    answer = await client.get(AVAILABILITY)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    policy = set(answer.headers["content-security-policy"].split("; "))
    assert policy == {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
    assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
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
                "asks_first": False,
            }
        ],
        "notes": [],
    }
    assert (backend.request.venue_id, backend.request.party_size) == ("chez-paulette", 2)
    assert backend.caller is not None
    assert (backend.caller.kind, backend.caller.issuer) == (CallerKind.ANONYMOUS, "gateway")
    assert backend.caller.address == "192.0.2.7"


async def test_a_body_becomes_a_message(
    client: httpx.AsyncClient, backend: Any, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings", json=wish)
    assert answer.status_code == 201
    assert answer.json() == {"manage_token": "secret"}
    assert backend.request.guest.name == "Zoé"
    assert (backend.request.start.epoch_seconds, backend.request.start.offset_minutes) == (1824942600, 120)


async def test_a_null_in_a_body_stands_for_absence(
    client: httpx.AsyncClient, backend: Any, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings", json=wish | {"notes": None})
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
    """It is kept when we say so, not when a stranger does: here none is."""
    telemetry.setup("test", None, 0)
    trace = "ab" * 16
    for flag in ("00", "01"):
        await client.get(AVAILABILITY, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-{flag}"})
        assert backend.metadata["traceparent"] == f"00-{trace}-b7ad6b7169203331-00"


@pytest.mark.parametrize(
    ("sent", "key"),
    [('"8e03978e"', "8e03978e"), ("8e03978e", "8e03978e"), (r'"a\"b"', 'a"b'), ("x" * 255, "x" * 255)],
)
async def test_an_idempotency_key_is_passed_on_for_anonymous_callers_too(
    client: httpx.AsyncClient, backend: Any, sent: str, key: str, wish: dict[str, Any]
) -> None:
    answer = await client.post("/v1/bookings", json=wish, headers={"Idempotency-Key": sent})
    assert answer.status_code == 201
    assert backend.metadata["idempotency-key"] == key


async def test_an_answer_to_an_earlier_request_says_so(
    client: httpx.AsyncClient, backend: Any, wish: dict[str, Any], bearer: dict[str, str]
) -> None:
    """Whatever its status. Whoever sent no key hears nothing of it."""
    backend.replays = True
    key = {"Idempotency-Key": "k"}
    booked = await client.post("/v1/bookings", json=wish, headers=key)
    assert (booked.status_code, booked.headers["idempotency-replayed"]) == (201, "true")
    left = await client.post("/v1/auth/logout", headers=bearer | key)
    assert (left.status_code, left.headers["idempotency-replayed"]) == (204, "true")
    assert "idempotency-replayed" not in (await client.post("/v1/bookings", json=wish)).headers
    backend.replays = False
    fresh = await client.post("/v1/bookings", json=wish, headers=key)
    assert "idempotency-replayed" not in fresh.headers


async def test_a_key_whose_first_request_is_at_work_is_a_conflict_for_a_moment(
    client: httpx.AsyncClient, backend: Any, wish: dict[str, Any], problem: Problem
) -> None:
    backend.refusal = IdempotencyKeyInFlight(metadata={RETRY_AFTER: "1"})
    answer = await client.post("/v1/bookings", json=wish, headers={"Idempotency-Key": "k"})
    problem(answer, 409, "IDEMPOTENCY_KEY_IN_FLIGHT")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("sent", ["", "two words", '"open', 'a"b', "x" * 256, '""', r'"\a"', "é"])
async def test_another_idempotency_key_is_refused(
    client: httpx.AsyncClient, backend: Any, sent: str, problem: Problem, wish: dict[str, Any]
) -> None:
    headers = {"Idempotency-Key": sent.encode("latin-1")}
    answer = await client.post("/v1/bookings", json=wish, headers=headers)  # type: ignore[arg-type]
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
