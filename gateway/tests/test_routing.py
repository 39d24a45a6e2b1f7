"""The table of routes, and the routes of the contract."""

import re
from itertools import permutations

import pytest
from google.api import annotations_pb2

from comptoir.api.v1 import policy_pb2
from gateway.dispatch import RouteTwice, Table
from gateway.errors import MalformedRequest, MethodNotAllowed, RouteNotFound
from gateway.requests import RequestReader
from gateway.routes import Route, routes
from gateway.transcoding import writer
from servicekit import contract


@pytest.fixture
def table() -> Table[str]:
    made: Table[str] = Table()
    for method, template in [
        ("GET", "/v1/venues"),
        ("POST", "/v1/venues"),
        ("GET", "/v1/venues/{venue_id}"),
        ("POST", "/v1/venues/search"),
        ("GET", "/v1/venues/{venue_id}/areas/{area_id}"),
        ("GET", "/v1/venues/search/history"),
    ]:
        made.add(method, template, f"{method} {template}")
    return made


@pytest.mark.parametrize(
    ("method", "path", "target", "variables"),
    [
        ("GET", b"/v1/venues", "GET /v1/venues", ()),
        ("HEAD", b"/v1/venues", "GET /v1/venues", ()),
        ("GET", b"/v1/venues/a", "GET /v1/venues/{venue_id}", ("a",)),
        ("POST", b"/v1/venues/search", "POST /v1/venues/search", ()),
        ("GET", b"/v1/venues/search", "GET /v1/venues/{venue_id}", ("search",)),
        ("GET", b"/v1/venues/search/areas/b", "GET /v1/venues/{venue_id}/areas/{area_id}", ("search", "b")),
        ("GET", b"/v1/venues/search/history", "GET /v1/venues/search/history", ()),
        ("GET", b"/v1/venues/a%2Fb%25", "GET /v1/venues/{venue_id}", ("a/b%",)),
        ("GET", b"/v1/venues/%C3%A9+%20", "GET /v1/venues/{venue_id}", ("é+ ",)),
        ("GET", b"/v1/venues/..", "GET /v1/venues/{venue_id}", ("..",)),
    ],
)
def test_a_path_leads_to_its_target(
    table: Table[str], method: str, path: bytes, target: str, variables: tuple[str, ...]
) -> None:
    assert table.find(method, path) == (target, variables)


@pytest.mark.parametrize(
    "path",
    [b"", b"/", b"/v1", b"/v1/venues/", b"/v1/venues//areas/b", b"//v1/venues", b"/v1/venues/a/b", b"*"],
)
def test_a_path_without_a_route(table: Table[str], path: bytes) -> None:
    with pytest.raises(RouteNotFound):
        table.find("GET", path)


@pytest.mark.parametrize(
    "path", [b"/v1/%", b"/v1/%4", b"/v1/%gg", b"/v1/%ff", b"/v1/\xc3\xa9", b"/v1/%ED%A0%80"]
)
def test_a_path_that_is_not_percent_encoded_utf_8(table: Table[str], path: bytes) -> None:
    with pytest.raises(MalformedRequest):
        table.find("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", b"/v1/venues", "GET, HEAD, OPTIONS, POST"),
        ("POST", b"/v1/venues/a", "GET, HEAD, OPTIONS"),
        ("PUT", b"/v1/venues/search", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_a_wrong_method_is_told_the_true_ones(
    table: Table[str], method: str, path: bytes, allow: str
) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        table.find(method, path)
    assert refused.value.allow == allow


def test_one_route_twice_is_refused_at_start(table: Table[str]) -> None:
    with pytest.raises(RouteTwice):
        table.add("GET", "/v1/venues/{other_name}", "twice")


@pytest.mark.parametrize("template", ["/v1/{name=venues/*}", "/v1/{a}{b}", "/v1/**", "/v1/a{b}", "/v1//a"])
def test_a_template_that_is_not_understood_is_refused_at_start(table: Table[str], template: str) -> None:
    with pytest.raises(ValueError, match="not supported"):
        table.add("GET", template, "odd")


def test_every_rpc_with_an_http_face_has_a_route() -> None:
    open_to_http = {
        policy_pb2.AUDIENCE_PUBLIC,
        policy_pb2.AUDIENCE_GUEST,
        policy_pb2.AUDIENCE_MEMBER,
        policy_pb2.AUDIENCE_PLATFORM,
    }
    with_face = {
        path
        for path, rpc in contract.rpcs().items()
        if rpc.method.GetOptions().HasExtension(annotations_pb2.http)
        and rpc.policy is not None
        and rpc.policy.audience in open_to_http
    }
    assert {route.rpc.path for route in routes()} == with_face


def _is_of(literal: str, template: str) -> bool:
    """Whether the one path could be meant by the other: they differ only where that has variables."""
    ones, others = literal.split("/"), template.split("/")
    return len(ones) == len(others) and all(
        one == other or other.startswith("{") for one, other in zip(ones, others, strict=True)
    )


def test_no_path_of_the_contract_is_taken_for_another() -> None:
    """OpenAPI knows the methods of each path by itself; ours would answer with those of both."""
    templates = {re.sub(r"{.*?}", "{}", route.template) for route in routes()}
    assert [pair for pair in permutations(templates, 2) if _is_of(*pair)] == []
    assert _is_of("/v1/me/passkeys/options", "/v1/me/passkeys/{passkey_id}")


def test_internal_calls_have_no_http_face() -> None:
    internal = {
        rpc.path
        for rpc in contract.rpcs().values()
        if rpc.policy is None or rpc.policy.audience == policy_pb2.AUDIENCE_INTERNAL
    }
    assert internal
    assert not internal & {route.rpc.path for route in routes()}


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.operation_id)
def test_every_route_can_be_read_written_and_found(route: Route) -> None:
    RequestReader(route)
    writer(route.response)
    table: Table[str] = Table()
    table.add(route.method, route.template, route.operation_id)
    path = route.template.replace("{", "").replace("}", "").encode()
    assert table.find(route.method, path) == (route.operation_id, route.variables)


_READING = {
    "batchLookupAvailability": "asks about many starts, which no path could hold",
    "beginPasskeyUse": "hands out a challenge that is nobody's: two with one key must not share it",
    "findSso": "asks where somebody logs in, by an address that no log may hold",
    "readInvitation": "asks by a secret, which no log may hold",
    "listNamesOfNumber": "asks by a number, which no log may hold",
}
"""What changes nothing of anybody's in spite of its method, and why it is no GET."""


def test_whatever_changes_something_honours_an_idempotency_key() -> None:
    """Of anybody, guests and operators included."""
    changing = {route.operation_id: route.policy for route in routes() if route.method != "GET"}
    assert _READING.keys() <= changing.keys()
    without = {name for name, policy in changing.items() if not policy.idempotency_key}
    assert without == _READING.keys()
    assert not [
        route.operation_id for route in routes() if route.method == "GET" and route.policy.idempotency_key
    ]


def test_only_a_booking_ties_its_effect_to_the_key_by_itself() -> None:
    """One statement makes it, on a bare connection. Whatever else says so has to prove it."""
    tied = {path for path, rpc in contract.rpcs().items() if rpc.policy and rpc.policy.answers_resource}
    assert tied == {"/comptoir.booking.v1.BookingService/CreateBooking"}
