"""Bad input gets a clear problem with a stable reason; never a 500, never the offending value."""

from typing import Any

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.owner import Owner, Venue

SECRET = "zebra-crossing-value"  # must not come back in any answer


def _wish(venue: Venue, **changes: Any) -> dict[str, Any]:
    wish: dict[str, Any] = {
        "venue_id": venue.id,
        "offering_id": venue.offering_id,
        "start": f"{guests.next_service_day()}T20:00:00+02:00",
        "party_size": 2,
        "guest": {"name": "Ada", "email": "ada@guest.example"},
    }
    return wish | changes


def _assert_problem(answer: httpx.Response, status: int, reason: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["reason"] == reason
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text


async def test_malformed_json(http: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await http.post("/v1/bookings", content=b'{"venue_id": ', headers=headers)
    _assert_problem(answer, 400, "MALFORMED_JSON")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"surprise": SECRET}, "/surprise"),
        ({"party_size": SECRET}, "/party_size"),
        ({"party_size": True}, "/party_size"),
        ({"party_size": 0}, "/party_size"),
        ({"party_size": 5000}, "/party_size"),
        ({"start": SECRET}, "/start"),
        ({"guest": {"name": "Ada", "email": SECRET}}, "/guest/email"),
        ({"guest": None}, "/guest"),
        ({"notes": SECRET * 100}, "/notes"),
        ({"notes": f"{SECRET}\x07"}, "/notes"),
        ({"guest": {"name": " \u3000", "email": "ada@guest.example"}}, "/guest/name"),
        ({"start": "2027-02-30T20:00:00+01:00"}, "/start"),
    ],
)
async def test_fields_that_break_a_rule(
    http: httpx.AsyncClient, venue: Venue, changes: dict[str, Any], pointer: str
) -> None:
    answer = await http.post("/v1/bookings", json=_wish(venue, **changes))
    _assert_problem(answer, 400, "INVALID_REQUEST")
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("host", ["[:::]", "[b9B5b]", "[::1]", "user@host", ""])
async def test_addresses_whose_host_has_no_name(http: httpx.AsyncClient, owner: Owner, host: str) -> None:
    """Python reads some of them and dies of others; providers and partners have names."""
    wish = {"url": f"https://{host}/{SECRET}"}
    answer = await http.post("/v1/webhook-endpoints", json=wish, headers=owner.api.headers)
    _assert_problem(answer, 400, "INVALID_REQUEST")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/url"]


_UNHEARD_OF = f"Europe/{SECRET}"
_VENUE = {"name": "Chez Ada", "slug": "chez-ada", "time_zone": "Europe/Paris", "currency": "EUR"}
_SHIFT = {"weekdays": [1], "opens": "19:00", "last_start": "23:00", "closes": "22:00"}
_TABLE = {"name": "T9", "kind": "table", "min_party": 4, "max_party": 2}
_DINNER = {"name": "Supper", "turn_times": [{"max_party": 4, "minutes": 90}]}
_IN_YEN = {"from_party": 1, "per_person": {"amount": 100, "currency": "JPY"}}


@pytest.mark.parametrize(
    ("path", "body", "reason", "pointer"),
    [
        ("/venues", _VENUE | {"time_zone": _UNHEARD_OF}, "UNKNOWN_TIME_ZONE", "/time_zone"),
        ("/venues", _VENUE | {"currency": "XYZ"}, "UNKNOWN_CURRENCY", "/currency"),
        ("/venues/{venue}/resources", _TABLE, "PARTY_RANGE_UPSIDE_DOWN", "/min_party"),
        ("/venues/{venue}/shifts", _SHIFT, "LAST_START_OUTSIDE_SHIFT", "/last_start"),
        (
            "/venues/{venue}/offerings",
            _DINNER | {"turn_times": _DINNER["turn_times"] * 2},
            "TURN_TIMES_NOT_RISING",
            "/turn_times",
        ),
        (
            "/venues/{venue}/offerings",
            _DINNER | {"deposit": _IN_YEN},
            "DEPOSIT_NOT_PAYABLE",
            "/deposit/per_person/currency",
        ),
        ("/webhook-endpoints", {"url": f"https://169.254.169.254/{SECRET}"}, "WEBHOOK_URL_REFUSED", "/url"),
    ],
)
async def test_what_no_schema_can_refuse(
    http: httpx.AsyncClient,
    owner: Owner,
    venue: Venue,
    path: str,
    body: dict[str, Any],
    *,
    reason: str,
    pointer: str,
) -> None:
    wish = body | {"offering_id": venue.offering_id} if path.endswith("/shifts") else body
    answer = await http.post(f"/v1{path.format(venue=venue.id)}", json=wish, headers=owner.api.headers)
    _assert_problem(answer, 422, reason)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_password_that_everybody_tries(http: httpx.AsyncClient) -> None:
    names = {"display_name": "Ada", "organization_name": "Chez Ada"}
    wish = names | {"email": "ada@demo.example", "password": "password123456"}  # pragma: allowlist secret
    answer = await http.post("/v1/auth/register", json=wish)
    _assert_problem(answer, 422, "PASSWORD_TOO_COMMON")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]


async def test_a_page_token_that_is_not_ours(http: httpx.AsyncClient, owner: Owner) -> None:
    """One refusal, whatever is wrong with it."""
    for token in ("bm90LW91cnM", "%20"):
        answer = await http.get(f"/v1/venues?page_token={token}", headers=owner.api.headers)
        _assert_problem(answer, 422, "INVALID_PAGE_TOKEN")


async def test_a_partner_cannot_subscribe_to_what_is_never_told(
    http: httpx.AsyncClient, owner: Owner
) -> None:
    wish = {"url": "https://partner.example/hook", "event_types": ["booking.confirmed", f"venue.{SECRET}"]}
    answer = await http.post("/v1/webhook-endpoints", json=wish, headers=owner.api.headers)
    _assert_problem(answer, 400, "INVALID_REQUEST")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/event_types/1"]


async def test_a_past_date(http: httpx.AsyncClient, venue: Venue) -> None:
    answer = await http.post("/v1/bookings", json=_wish(venue, start="2020-01-07T20:00:00+01:00"))
    _assert_problem(answer, 409, "SLOT_TOO_SOON")


async def test_an_unknown_venue(http: httpx.AsyncClient, venue: Venue) -> None:
    answer = await http.post("/v1/bookings", json=_wish(venue, venue_id="ven_00000000000000000000000000"))
    _assert_problem(answer, 404, "VENUE_NOT_FOUND")


async def test_a_missing_and_a_bad_token(http: httpx.AsyncClient) -> None:
    _assert_problem(await http.get("/v1/me"), 401, "UNAUTHENTICATED")
    bad = await http.get("/v1/me", headers={"authorization": f"Bearer {SECRET}"})
    _assert_problem(bad, 401, "UNAUTHENTICATED")
    assert bad.headers["www-authenticate"].startswith("Bearer")


async def test_a_tampered_manage_token(http: httpx.AsyncClient, venue: Venue) -> None:
    booked = (await http.post("/v1/bookings", json=await _bookable(http, venue))).json()
    token = booked["manage_token"]
    tampered = token[:-1] + ("A" if token[-1] != "A" else "B")
    _assert_problem(await http.get(f"/v1/manage/{tampered}"), 404, "MANAGE_TOKEN_NOT_FOUND")


async def test_a_reused_idempotency_key(http: httpx.AsyncClient, venue: Venue) -> None:
    wish = await _bookable(http, venue)
    headers = {"idempotency-key": f'"{venue.slug}-key"'}
    first = await http.post("/v1/bookings", json=wish, headers=headers)
    again = await http.post("/v1/bookings", json=wish, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json()["booking"]["id"] == again.json()["booking"]["id"]
    other = await http.post("/v1/bookings", json=wish | {"notes": "other"}, headers=headers)
    _assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")


async def _bookable(http: httpx.AsyncClient, venue: Venue) -> dict[str, Any]:
    query: dict[str, Any] = {"date": guests.next_service_day(), "party_size": 2}
    slots = (await http.get(f"/v1/venues/{venue.slug}/availability", params=query)).json()["slots"]
    return _wish(venue, start=next(slot["start"] for slot in slots if slot["bookable"]))


async def test_an_oversized_body(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/bookings", json={"notes": "x" * 3_000_000})
    _assert_problem(answer, 413, "PAYLOAD_TOO_LARGE")


async def test_a_wrong_content_type(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/bookings", content=b"a=b", headers={"content-type": "text/plain"})
    _assert_problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_an_unknown_path(http: httpx.AsyncClient) -> None:
    _assert_problem(await http.get(f"/v1/{SECRET}"), 404, "NOT_FOUND")
    _assert_problem(await http.get(f"/{SECRET}"), 404, "NOT_FOUND")


async def test_a_wrong_method_names_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/v1/bookings")
    _assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert {method.strip() for method in answer.headers["allow"].split(",")} >= {"GET", "POST"}


async def test_an_unknown_query_parameter(http: httpx.AsyncClient, venue: Venue) -> None:
    query: dict[str, Any] = {"date": "2027-01-05", "party_size": 2, "surprise": SECRET}
    answer = await http.get(f"/v1/venues/{venue.slug}/availability", params=query)
    _assert_problem(answer, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("date", ["2027-02-30", "2027-13-01", SECRET])
async def test_a_date_that_does_not_exist(http: httpx.AsyncClient, venue: Venue, date: str) -> None:
    query: dict[str, Any] = {"date": date, "party_size": 2}
    answer = await http.get(f"/v1/venues/{venue.slug}/availability", params=query)
    _assert_problem(answer, 400, "INVALID_REQUEST")


async def test_a_token_in_a_query_or_identity_header_means_nothing(
    http: httpx.AsyncClient, owner: Owner
) -> None:
    forged = {"comptoir-identity": "x", "x-user-id": "1", "x-organization-id": owner.organization_id}
    _assert_problem(await http.get("/v1/me", headers=forged), 401, "UNAUTHENTICATED")
