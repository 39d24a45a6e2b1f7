"""ETag and If-Match: what was read comes back as what is expected, on every route that has both."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2
from gateway.errors import PreconditionNotSupported
from gateway.openapi import document
from gateway.routes import ContractBroken, refuse_faults, routes
from gateway.versions import EXPECTED, Versions, expects, tagged, versioned
from servicekit.errors import AppError, Kind, VersionMismatch

CANCEL = "/v1/bookings/bkg_1/cancel"
RENAME = "/v1/organizations/org_1"
READ_TAG = re.compile('"7-[0-9a-f]{24}"')
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


async def test_an_answer_with_a_version_has_it_as_its_etag(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], wish: dict[str, Any]
) -> None:
    booking = booking_pb2.Booking(id="bkg_1", version=7)
    backend.answer = booking_pb2.GetBookingResponse(booking=booking)
    assert READ_TAG.fullmatch((await client.get("/v1/bookings/bkg_1", headers=bearer)).headers["etag"])
    backend.answer = booking_pb2.GetManagedBookingResponse(booking=booking)
    assert READ_TAG.fullmatch((await client.get("/v1/manage/secret")).headers["etag"])
    backend.answer = booking_pb2.CreateBookingResponse(booking=booking)
    assert (await client.post("/v1/bookings", json=wish)).headers["etag"] == '"7"'


async def test_an_answer_without_a_version_has_one_in_no_tag(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], wish: dict[str, Any]
) -> None:
    assert "-" not in (await client.get("/v1/bookings/bkg_1", headers=bearer)).headers["etag"]
    answer = await client.get("/v1/venues/v/availability?date=2027-10-31&party_size=2")
    assert "-" not in answer.headers["etag"]
    backend.answer = booking_pb2.GetManagedBookingResponse()
    assert "-" not in (await client.get("/v1/manage/secret")).headers["etag"]
    backend.answer = booking_pb2.CreateBookingResponse()
    assert "etag" not in (await client.post("/v1/bookings", json=wish)).headers


async def test_if_match_arrives_as_the_expected_version(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    read = f'"7-{"0" * 24}'
    given_tags = (
        ('"7"', 7),
        (' "7" ', 7),
        ("*", 0),
        (f'{read}"', 7),
        (f'{read}-br"', 7),
        (f'{read}-gzip"', 7),
    )
    for given, expected in given_tags:
        answer = await client.post(CANCEL, headers=bearer | {"If-Match": given})
        assert (answer.status_code, backend.request.expected_version) == (200, expected)
    await client.post(CANCEL, headers=bearer, json={"expected_version": 3})
    assert backend.request.expected_version == 3
    await client.post(CANCEL, headers=bearer | {"If-Match": '"7"'}, json={"expected_version": 3})
    assert backend.request.expected_version == 7


@pytest.mark.parametrize(
    "given",
    ['W/"7"', '"0"', '"x"', "7", '"7", "8"', '""', '"99999999999"', '"7-x"', '"7-br"', f'"{"7" * 24}"'],
)
async def test_a_tag_that_can_match_nothing_becomes_a_version_that_nothing_has(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], given: str
) -> None:
    await client.post(CANCEL, headers=bearer | {"If-Match": given})
    assert backend.request.expected_version == 2**31 - 1


async def test_a_service_that_sees_another_version_answers_412(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], problem: Problem
) -> None:
    backend.refusal = VersionMismatch()
    body = problem(await client.post(CANCEL, headers=bearer), 412, "VERSION_MISMATCH")
    assert "metadata" not in body


async def test_reads_take_no_notice_of_if_match(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    answer = await client.get("/v1/bookings/bkg_1", headers=bearer | {"If-Match": "nonsense"})
    assert (answer.status_code, backend.calls) == (200, 1)


@pytest.mark.parametrize(
    "change",
    [
        ("PATCH", "/v1/venues/ven_1", {"name": "Chez Paulette"}),
        ("PUT", "/v1/venues/ven_1/pacing-rules/pac_1", {"interval_minutes": 15, "max_covers": 10}),
        ("POST", "/v1/venues/ven_1/areas", {"name": "Salle"}),
        ("DELETE", "/v1/venues/ven_1/resources/res_1", None),
    ],
)
async def test_a_change_that_cannot_compare_versions_is_not_made_under_one(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], problem: Problem, change: Any
) -> None:
    method, path, body = change
    for given in (f'"{"0" * 24}"', '"7"', 'W/"7"', "nonsense", ""):
        answer = await client.request(method, path, headers=bearer | {"If-Match": given}, json=body)
        refused = problem(answer, 412, "PRECONDITION_NOT_SUPPORTED")
        assert refused["metadata"] == {"header": "If-Match"}
    assert backend.calls == 0


async def test_the_control_it_is_made_under_any_version_and_under_none(
    client: httpx.AsyncClient, backend: Any, wish: dict[str, Any], problem: Problem
) -> None:
    for headers in ({"If-Match": "*"}, {"If-Match": " * "}, {}):
        assert (await client.post("/v1/bookings", headers=headers, json=wish)).is_success
    assert backend.calls == 3
    answer = await client.post("/v1/bookings", headers={"If-Match": '"7"'}, json=wish)
    problem(answer, 412, "PRECONDITION_NOT_SUPPORTED")
    assert backend.calls == 3


def test_no_change_of_the_contract_ignores_if_match() -> None:
    for route in routes():
        message = route.rpc.request()
        try:
            Versions(route).expect(message, b'"7"')
        except PreconditionNotSupported:
            assert route.method != "GET"
        else:
            assert route.method == "GET" or getattr(message, EXPECTED) == 7, route.operation_id


def test_the_document_says_where_versions_count() -> None:
    paths = document(routes())["paths"]
    for route in routes():
        operation = paths[route.template][route.method.lower()]
        named = {"$ref": "#/components/parameters/IfMatch"} in operation.get("parameters", [])
        assert named == expects(route)
        assert ("412" in operation["responses"]) == (route.method != "GET")
        assert ("428" in operation["responses"]) == route.policy.precondition_required
        success = operation["responses"][str(route.status)]
        read = route.method == "GET"
        assert ("ETag" in success.get("headers", {})) == (tagged(route) or read)
        assert ("304" in operation["responses"]) == read
        again = {"$ref": "#/components/parameters/IfNoneMatch"} in operation.get("parameters", [])
        assert again == read
    assert {route.operation_id for route in routes() if expects(route)} >= {
        "moveBooking",
        "cancelManagedBooking",
    }


class Stale(AppError):
    """Says more than its reason."""

    kind = Kind.CONFLICT
    reason = "STALE_FOR_A_TEST"
    detail = "Say more."


async def test_what_a_refusal_tells_programs_is_in_the_problem(
    client: httpx.AsyncClient, backend: Any, problem: Problem, wish: dict[str, Any]
) -> None:
    backend.refusal = Stale(metadata={"booking_ids": "bkg_1,bkg_2"})
    body = problem(await client.post("/v1/bookings", json=wish), 409, "STALE_FOR_A_TEST")
    assert body["metadata"] == {"booking_ids": "bkg_1,bkg_2"}


async def test_what_several_people_edit_wants_to_know_what_they_have_read(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], problem: Problem
) -> None:
    body = {"name": "Paulette"}
    refusal = problem(await client.patch(RENAME, headers=bearer, json=body), 428, "PRECONDITION_REQUIRED")
    assert refusal["metadata"] == {"header": "If-Match"}
    problem(
        await client.patch(RENAME, headers=bearer, json=body | {"expected_version": 0}),
        428,
        "PRECONDITION_REQUIRED",
    )
    assert backend.calls == 0
    for headers, said, expected in (
        ({"If-Match": '"7"'}, body, 7),
        ({}, body | {"expected_version": 7}, 7),
        ({"If-Match": "*"}, body, 0),
    ):
        assert (await client.patch(RENAME, headers=bearer | headers, json=said)).status_code == 200
        assert backend.request.expected_version == expected


async def test_whoever_may_not_hears_so_before_a_precondition(
    client: httpx.AsyncClient, access: Any, problem: Problem
) -> None:
    problem(await client.patch(RENAME, json={"name": "x"}), 401, "UNAUTHENTICATED")
    viewer = access.bearer(role="viewer")
    problem(await client.patch(RENAME, headers=viewer, json={"name": "x"}), 403, "PERMISSION_DENIED")


def test_these_want_a_precondition() -> None:
    found = {route.operation_id for route in routes() if route.policy.precondition_required}
    assert found >= {
        "updateOrganization",
        "updateRole",
        "updateRetention",
        "updateOfferingTerms",
        "updateOfferingTimes",
        "updateOfferingVisit",
    }
    assert all(expects(route) for route in routes() if route.policy.precondition_required)


def test_what_is_changed_by_its_version_can_be_read_with_it() -> None:
    """Else nobody could say a version, and what wants one could be changed by nobody.

    A path names the thing that it changes, or something of it: `…/offerings/{offering_id}/terms`.
    """
    reads = {route.template: route for route in routes() if route.method == "GET"}
    changes = [route for route in routes() if expects(route)]
    assert {route.operation_id for route in changes} >= {"updateRole", "deleteRole", "updateOfferingVisit"}
    for route in changes:
        thing = route.template[: route.template.rindex("}") + 1]
        read = reads.get(route.template) or reads.get(thing)
        assert read is not None, f"no GET for {route.operation_id}"
        assert versioned(read) is not None, f"{read.operation_id} has no version for {route.operation_id}"
        assert versioned(route) in (versioned(read), None), (read.operation_id, route.operation_id)


def test_a_precondition_that_no_request_can_say_is_no_contract() -> None:
    (venue,) = [route for route in routes() if route.operation_id == "updateVenue"]
    policy = type(venue.policy)()
    policy.CopyFrom(venue.policy)
    policy.precondition_required = True
    refuse_faults(venue)
    with pytest.raises(ContractBroken, match="precondition"):
        refuse_faults(replace(venue, policy=policy))
