"""Page tokens at the edge: clients never see the services' own, and one is good for its list alone."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.booking.v1 import booking_pb2, venue_pb2
from gateway.page_tokens import LONGEST, ListTokens, PageTokens
from gateway.routes import Route, routes
from servicekit import ids
from servicekit.errors import InvalidPageToken
from servicekit.identity import Caller, CallerKind
from servicekit.paging import Page
from testkit.keys import Keys

from .conftest import AccessTokens, Backend

Problem = Callable[[httpx.Response, int, str], dict[str, Any]]

OWN = Page(50, None, "scope").next_token(("2027-10-31T19:00:00+00:00", str(ids.new())))
LIST = "/v1/bookings"
DAY = {"venue_id": "ven_1", "date": "2027-10-31"}
ROUTES = {route.operation_id: route for route in routes()}
SEALS = PageTokens(bytes(64))


def tokens(operation: str, seals: PageTokens = SEALS) -> ListTokens:
    found = seals.of_route(ROUTES[operation])
    assert found is not None
    return found


def somebody(**changes: Any) -> Caller:
    return Caller(**{"kind": CallerKind.MEMBER, "issuer": "gateway", "organization": ids.new()} | changes)


def sealed(operation: str, request: Any, caller: Caller, own: str = OWN) -> str:
    answer = ROUTES[operation].rpc.response(next_page_token=own)
    tokens(operation).seal(answer, request, caller)
    return str(answer.next_page_token)


async def begin(client: httpx.AsyncClient, backend: Backend, headers: dict[str, str]) -> str:
    backend.answer = booking_pb2.ListBookingsResponse(next_page_token=OWN)
    answer = await client.get(LIST, params=DAY | {"page_size": 2}, headers=headers)
    return str(answer.json()["next_page_token"])


async def test_the_service_gets_its_own_token_back(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    token = await begin(client, backend, bearer)
    assert token != OWN
    assert "2027" not in str(base64.urlsafe_b64decode(token + "==="))
    assert backend.request.page_token == ""
    backend.answer = booking_pb2.ListBookingsResponse()
    last = await client.get(LIST, params=DAY | {"page_size": 7, "page_token": token}, headers=bearer)
    assert (backend.request.page_token, backend.request.page_size) == (OWN, 7)
    assert last.json()["next_page_token"] == ""


async def test_the_same_page_has_the_same_bytes(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    assert await begin(client, backend, bearer) == await begin(client, backend, bearer)


async def test_a_service_s_own_token_is_none_of_ours(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], problem: Problem
) -> None:
    answer = await client.get(LIST, params=DAY | {"page_token": OWN}, headers=bearer)
    problem(answer, 422, "INVALID_PAGE_TOKEN")
    assert backend.calls == 0


@pytest.mark.parametrize(
    "url",
    [
        f"{LIST}?venue_id=ven_1&date=2027-11-01",
        f"{LIST}?venue_id=ven_2&date=2027-10-31",
        "/v1/bookings/bkg_1/history?",
    ],
)
async def test_other_filters_and_other_lists_are_refused(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], problem: Problem, url: str
) -> None:
    token = await begin(client, backend, bearer)
    backend.forget()
    problem(await client.get(f"{url}&page_token={token}", headers=bearer), 422, "INVALID_PAGE_TOKEN")
    assert backend.calls == 0


async def test_another_tenant_is_refused(
    client: httpx.AsyncClient, backend: Backend, access: AccessTokens, problem: Problem
) -> None:
    token = await begin(client, backend, access.bearer())
    backend.forget()
    stranger = access.bearer(org=str(ids.new()))
    answer = await client.get(LIST, params=DAY | {"page_token": token}, headers=stranger)
    problem(answer, 422, "INVALID_PAGE_TOKEN")
    assert backend.calls == 0


@pytest.mark.parametrize(
    "made_up", ["x", "%", "a" * (LONGEST + 4), "é", "AAAA", "bm9uc2Vuc2U", "a b", "+/=="]
)
async def test_what_is_no_token_has_the_same_refusal(
    client: httpx.AsyncClient, bearer: dict[str, str], problem: Problem, made_up: str
) -> None:
    answer = await client.get(LIST, params=DAY | {"page_token": made_up}, headers=bearer)
    problem(answer, 422, "INVALID_PAGE_TOKEN")


@given(data=st.data())
def test_a_token_that_was_touched_never_opens(data: st.DataObject) -> None:
    caller, request = somebody(), venue_pb2.ListVenuesRequest()
    token = sealed("listVenues", request, caller)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    changed = data.draw(
        st.sampled_from(
            [token[:place] + letter + token[place + 1 :], token[:place], token[place:], token + letter]
        ).filter(lambda each: each not in ("", token))
    )
    request.page_token = changed
    with pytest.raises(InvalidPageToken):
        tokens("listVenues").open(request, caller)


def test_own_lists_are_bound_to_the_person_and_others_to_the_organization() -> None:
    organization = ids.new()
    paulette, marcel = (somebody(organization=organization, user=ids.new()) for _ in range(2))
    for operation, shared in (("listVenues", True), ("listSessions", False), ("listPasskeys", False)):
        request = ROUTES[operation].rpc.request()
        request.page_token = sealed(operation, request, paulette)
        if shared:
            tokens(operation).open(request, marcel)
            assert request.page_token == OWN
            continue
        with pytest.raises(InvalidPageToken):
            tokens(operation).open(request, marcel)


def test_lists_of_the_platform_are_bound_to_the_operator() -> None:
    one, other = (Caller(CallerKind.PLATFORM, "gateway", operator=ids.new()) for _ in range(2))
    request = ROUTES["listOperators"].rpc.request()
    token = request.page_token = sealed("listOperators", request, one)
    with pytest.raises(InvalidPageToken):
        tokens("listOperators").open(request, other)
    assert request.page_token == token
    tokens("listOperators").open(request, one)
    assert request.page_token == OWN


def test_all_replicas_open_what_one_sealed_and_other_keys_do_not(keys: Keys) -> None:
    path = keys.directory / "internal-gateway.json"
    one, other = (PageTokens.of_key_file(path) for _ in range(2))
    caller, answer = somebody(), venue_pb2.ListVenuesResponse(next_page_token=OWN)
    tokens("listVenues", one).seal(answer, venue_pb2.ListVenuesRequest(), caller)
    request = venue_pb2.ListVenuesRequest(page_token=answer.next_page_token)
    with pytest.raises(InvalidPageToken):
        tokens("listVenues").open(request, caller)
    tokens("listVenues", other).open(request, caller)
    assert request.page_token == OWN


def test_the_longest_sort_key_fits_the_contract() -> None:
    name = "\N{SMILING FACE WITH SUNGLASSES}" * 100
    own = Page(50, None, "0" * 16).next_token((name, str(ids.new())))
    assert len(sealed("listVenues", venue_pb2.ListVenuesRequest(), somebody(), own)) <= LONGEST


PAGED = [route for route in ROUTES.values() if SEALS.of_route(route)]


def test_lists_are_found_by_their_fields() -> None:
    assert len(PAGED) > 30
    assert {each.method for each in PAGED} == {"GET"}
    assert SEALS.of_route(ROUTES["getBooking"]) is None


@pytest.mark.parametrize("route", PAGED, ids=lambda each: each.operation_id)
def test_every_list_refuses_another_organization(route: Route) -> None:
    caller, request = somebody(user=ids.new()), route.rpc.request()
    request.page_token = sealed(route.operation_id, request, caller)
    found = SEALS.of_route(route)
    assert found is not None
    with pytest.raises(InvalidPageToken):
        found.open(request, somebody(user=caller.user))
