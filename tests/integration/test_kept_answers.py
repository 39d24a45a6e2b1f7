"""Repeated requests through HTTP: answered like the first one, by whoever lost what meanwhile."""

import asyncio
import secrets
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from servicekit import ids
from servicekit.errors import VenueNotFound
from testkit import eventually

from .conftest import new_owner, new_restaurant

_REPLAYED = "idempotency-replayed"


def _keyed(owner: Owner | None = None, key: str = "") -> dict[str, str]:
    headers = {"idempotency-key": f'"{key or secrets.token_hex(8)}"'}
    return headers | owner.api.headers if owner else headers


def _assert_alike(first: httpx.Response, again: httpx.Response) -> None:
    assert _REPLAYED not in first.headers, first.text
    assert again.headers[_REPLAYED] == "true", again.text
    assert (first.status_code, first.content) == (again.status_code, again.content)


async def _wish(http: httpx.AsyncClient, venue: Venue) -> dict[str, Any]:
    query: dict[str, Any] = {"date": guests.next_service_day(), "party_size": 2}
    slots = (await http.get(f"/v1/venues/{venue.slug}/availability", params=query)).json()["slots"]
    return {
        "venue_id": venue.id,
        "offering_id": venue.offering_id,
        "start": next(slot["start"] for slot in slots if slot["bookable"]),
        "party_size": 2,
        "guest": {"name": "Ada", "email": f"ada-{secrets.token_hex(4)}@guest.example"},
    }


async def test_each_kind_of_change_is_answered_alike(
    http: httpx.AsyncClient, owner: Owner, venue: Venue
) -> None:
    """Created, changed, and gone: 201, 200 and 204."""
    made = f"/v1/venues/{venue.id}/areas"
    for method, path, body, status in (
        ("POST", made, {"name": f"Garden {secrets.token_hex(3)}"}, 201),
        ("PATCH", f"/v1/venues/{venue.id}", {"address": f"{secrets.randbelow(99)} rue des Martyrs"}, 200),
        ("POST", "/v1/webhook-endpoints", {"url": "https://partner.example/hook"}, 201),
    ):
        headers = _keyed(owner)
        first = await http.request(method, path, json=body, headers=headers)
        again = await http.request(method, path, json=body, headers=headers)
        assert first.status_code == status, first.text
        _assert_alike(first, again)
    endpoint, headers = first.json()["endpoint"]["id"], _keyed(owner)
    gone = await http.delete(f"/v1/webhook-endpoints/{endpoint}", headers=headers)
    assert gone.status_code == httpx.codes.NO_CONTENT
    _assert_alike(gone, await http.delete(f"/v1/webhook-endpoints/{endpoint}", headers=headers))


async def test_an_anonymous_booking_survives_the_loss_of_the_cache(
    http: httpx.AsyncClient, venue: Venue, platform: Platform
) -> None:
    """The very same link, not a further one. Another wish under the key is refused."""
    wish, headers = await _wish(http, venue), _keyed()
    first = await http.post("/v1/bookings", json=wish, headers=headers)
    assert first.status_code == httpx.codes.CREATED, first.text
    valkey = platform.engines.valkey
    assert valkey
    await asyncio.to_thread(valkey.kill)
    try:
        gone = await http.post("/v1/bookings", json=wish, headers=headers)
    finally:
        await asyncio.to_thread(valkey.start)
    _assert_alike(first, gone)
    _assert_alike(first, await http.post("/v1/bookings", json=wish, headers=headers))
    other = await http.post("/v1/bookings", json=wish | {"notes": "other"}, headers=headers)
    assert (other.status_code, other.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_guest_cancels_once_by_a_link(http: httpx.AsyncClient, venue: Venue) -> None:
    token = (await http.post("/v1/bookings", json=await _wish(http, venue))).json()["manage_token"]
    headers = _keyed()
    first = await http.post(f"/v1/manage/{token}/cancel", json={}, headers=headers)
    assert first.status_code == httpx.codes.OK, first.text
    _assert_alike(first, await http.post(f"/v1/manage/{token}/cancel", json={}, headers=headers))


async def test_a_log_in_is_answered_with_the_same_session(
    http: httpx.AsyncClient, api: Api, sink: Sink
) -> None:
    password = secrets.token_urlsafe(18)
    somebody = new_owner(api, sink, password=password)
    body, headers = {"email": somebody.email, "password": password}, _keyed()
    first = await http.post("/v1/auth/login", json=body, headers=headers)
    assert first.status_code == httpx.codes.OK, first.text
    _assert_alike(first, await http.post("/v1/auth/login", json=body, headers=headers))
    wrong = await http.post("/v1/auth/login", json=body | {"password": "guessed-it"}, headers=headers)
    assert (wrong.status_code, wrong.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    sessions = await http.get("/v1/me/sessions", headers=somebody.api.headers)
    assert len(sessions.json()["items"]) == 2  # the one of `new_owner`, and this one


async def test_two_organizations_may_think_of_one_key(
    http: httpx.AsyncClient, owner: Owner, venue: Venue, api: Api, sink: Sink
) -> None:
    neighbour = new_owner(api, sink)
    theirs = new_restaurant(neighbour)
    body, key = {"name": f"Cellar {secrets.token_hex(3)}"}, secrets.token_hex(8)
    made = [
        await http.post(f"/v1/venues/{each.id}/areas", json=body, headers=_keyed(whose, key))
        for whose, each in ((owner, venue), (neighbour, theirs))
    ]
    assert [answer.status_code for answer in made] == [201, 201]
    assert not any(_REPLAYED in answer.headers for answer in made)
    assert made[0].json()["id"] != made[1].json()["id"]
    foreign = await http.post(f"/v1/venues/{venue.id}/areas", json=body, headers=_keyed(neighbour, key))
    assert foreign.status_code in {404, 422}
    assert made[0].json()["id"] not in foreign.text


async def test_while_the_first_is_at_work_the_second_is_told_to_wait(
    http: httpx.AsyncClient, owner: Owner, venue: Venue, platform: Platform
) -> None:
    """Somebody holds the row that both want: the first waits for it, the second is not even let near."""
    headers, body = _keyed(owner), {"address": f"{secrets.randbelow(9999)} rue Lepic"}
    venue_id: UUID = ids.parse("ven", venue.id, VenueNotFound)
    server = urlsplit(platform.engines.postgres_url)
    watch = await asyncpg.connect(server._replace(path="/booking").geturl())
    block = await asyncpg.connect(server._replace(path="/booking").geturl())

    async def claimed() -> bool:
        return bool(await watch.fetchval("SELECT EXISTS (SELECT FROM answers WHERE sealed IS NULL)"))

    try:
        async with block.transaction():
            await block.execute("SELECT FROM venues WHERE id = $1 FOR UPDATE", venue_id)
            first = asyncio.ensure_future(http.patch(f"/v1/venues/{venue.id}", json=body, headers=headers))
            assert await eventually(claimed)
            second = await http.patch(f"/v1/venues/{venue.id}", json=body, headers=headers)
            assert (second.status_code, second.json()["reason"]) == (409, "IDEMPOTENCY_KEY_IN_FLIGHT")
            assert second.headers["retry-after"] == "1"
    finally:
        await watch.close()
        await block.close()
    assert (await first).status_code == httpx.codes.OK, (await first).text
    _assert_alike(await first, await http.patch(f"/v1/venues/{venue.id}", json=body, headers=headers))


async def test_what_only_reads_ignores_the_key(http: httpx.AsyncClient, venue: Venue) -> None:
    wish = await _wish(http, venue)
    asked = {"items": [{name: wish[name] for name in ("offering_id", "start", "party_size")}]}
    path = f"/v1/venues/{venue.slug}/availability/batch-lookup"
    found = [await http.post(path, json=asked, headers=_keyed(key="one")) for _ in range(2)]
    assert [answer.status_code for answer in found] == [200, 200]
    assert not any(_REPLAYED in answer.headers for answer in found)
