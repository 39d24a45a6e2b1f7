"""PATCH as JSON Merge Patch: absent is left alone, null clears what can be cleared, nothing else gets in."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.booking.v1 import venue_pb2
from gateway.openapi import document
from gateway.openapi.rules import required
from gateway.requests import RequestReader
from gateway.routes import UPDATE_MASK, Route, routes
from gateway.versions import EXPECTED
from servicekit.errors import InvalidRequest

from .conftest import Backend

VENUE = "/v1/venues/ven_1"
PATCHES = [pytest.param(route, id=route.operation_id) for route in routes() if route.method == "PATCH"]
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


async def patch(
    client: httpx.AsyncClient, headers: dict[str, str], body: Any, kind: str = ""
) -> httpx.Response:
    said = headers | {"Content-Type": kind or "application/merge-patch+json"}
    return await client.patch(VENUE, headers=said, content=body)


@pytest.mark.parametrize(
    "kind",
    ["application/merge-patch+json", "application/json", "Application/Merge-Patch+JSON; charset=UTF-8"],
)
async def test_what_is_said_arrives_and_nothing_else(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], kind: str
) -> None:
    answer = await patch(client, bearer, '{"name": "Paulette"}', kind)
    assert answer.status_code == 200
    assert backend.request.update_mask.paths == ["name"]
    assert (backend.request.HasField("name"), backend.request.HasField("address")) == (True, False)


async def test_a_null_clears_and_an_empty_patch_says_nothing(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str]
) -> None:
    await patch(client, bearer, '{"address": null, "reseating": false}')
    assert backend.request.update_mask.paths == ["address", "reseating"]
    assert (backend.request.HasField("address"), backend.request.HasField("reseating")) == (False, True)
    for nothing in ("{}", ""):
        assert (await patch(client, bearer, nothing)).status_code == 200
        assert not backend.request.update_mask.paths


async def test_what_must_have_a_value_is_not_cleared(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], problem: Problem
) -> None:
    answer = await patch(client, bearer, '{"name": null, "time_zone": null, "address": null}')
    errors = problem(answer, 400, "INVALID_REQUEST")["errors"]
    assert [each["pointer"] for each in errors] == ["/name", "/time_zone"]
    assert backend.calls == 0


@pytest.mark.parametrize(
    "name", ["venue_id", "id", "slug", "currency", "organization_id", "version", "update_mask", "__class__"]
)
async def test_nobody_assigns_what_the_contract_does_not_offer(
    client: httpx.AsyncClient, backend: Backend, bearer: dict[str, str], problem: Problem, name: str
) -> None:
    for value in ('"x"', "null", '{"paths": ["name"]}'):
        answer = await patch(client, bearer, f'{{"name": "Paulette", "{name}": {value}}}')
        errors = problem(answer, 400, "INVALID_REQUEST")["errors"]
        assert {each["pointer"] for each in errors} == {f"/{name}"}
    assert backend.calls == 0


async def test_a_merge_patch_is_for_patch_alone(
    client: httpx.AsyncClient, wish: dict[str, Any], problem: Problem
) -> None:
    kind = {"Content-Type": "application/merge-patch+json"}
    problem(await client.post("/v1/bookings", json=wish, headers=kind), 415, "UNSUPPORTED_MEDIA_TYPE")


async def test_a_json_patch_is_not_taken_for_a_merge_patch(
    client: httpx.AsyncClient, bearer: dict[str, str], problem: Problem
) -> None:
    answer = await patch(client, bearer, "[]", "application/json-patch+json")
    problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("route", PATCHES)
def test_a_patch_can_tell_absent_from_empty(route: Route) -> None:
    """Each field has presence or must be given; where some are optional a mask tells null from absence."""
    said = [each for each in route.request.fields if each.name not in {*route.outside_body, EXPECTED}]
    needed = required(route.request)
    for field in said:
        assert field.name in needed or (field.has_presence and not field.is_repeated), field.full_name
    masked = UPDATE_MASK in route.request.fields_by_name
    assert masked or all(field.name in needed for field in said)


@pytest.mark.parametrize("route", PATCHES)
def test_the_document_says_what_a_null_does(route: Route) -> None:
    shown = document(routes())
    content = shown["paths"][route.template]["patch"]["requestBody"]["content"]
    assert set(content) == {"application/merge-patch+json", "application/json"}
    if route.operation_id == "updateVenue":
        fields = shown["components"]["schemas"]["UpdateVenueRequest"]["properties"]
        assert {name for name, each in fields.items() if "null" in str(each.get("type", each))} == {"address"}
        assert UPDATE_MASK not in fields


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": st.text("abc", min_size=1),
    "address": st.none() | st.text("abc"),
    "time_zone": st.just("Europe/Paris"),
    "reseating": st.booleans(),
}
(UPDATE_VENUE,) = [route for route in routes() if route.operation_id == "updateVenue"]
READER = RequestReader(UPDATE_VENUE)


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_applying_the_mask_is_merging_the_patch(body: dict[str, Any]) -> None:
    """RFC 7396 by its own pseudocode, against what a service sees."""
    before: dict[str, Any] = {"name": "n", "address": "a", "time_zone": "t", "reseating": True}
    merged = {name: value for name, value in (before | body).items() if value is not None}
    request = read(body)
    after = dict(before)
    for path in request.update_mask.paths:
        if request.HasField(path):
            after[path] = getattr(request, path)
        else:
            del after[path]
    assert after == merged


@given(st.dictionaries(st.sampled_from(["name", "time_zone", "reseating"]), st.none(), min_size=1))
def test_every_null_that_clears_nothing_has_its_pointer(body: dict[str, None]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(body)
    assert {each.pointer for each in refused.value.violations} == {f"/{name}" for name in body}


def read(body: dict[str, Any]) -> venue_pb2.UpdateVenueRequest:
    message = READER.read(("ven_1",), b"", httpx.Request("PATCH", "http://x", json=body).content)
    assert isinstance(message, venue_pb2.UpdateVenueRequest)
    return message
