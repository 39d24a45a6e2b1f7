"""ETag and If-Match: what was read comes back as what is expected, on every route that has both."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2
from gateway.openapi import document
from gateway.routes import routes
from gateway.versions import expects, tagged
from servicekit.errors import AppError, Kind, VersionMismatch

CANCEL = "/v1/bookings/bkg_1/cancel"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


async def test_an_answer_with_a_version_has_it_as_its_etag(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str], wish: dict[str, Any]
) -> None:
    booking = booking_pb2.Booking(id="bkg_1", version=7)
    backend.answer = booking_pb2.GetBookingResponse(booking=booking)
    assert (await client.get("/v1/bookings/bkg_1", headers=bearer)).headers["etag"] == '"7"'
    backend.answer = booking_pb2.GetManagedBookingResponse(booking=booking)
    assert (await client.get("/v1/manage/secret")).headers["etag"] == '"7"'
    backend.answer = booking_pb2.CreateBookingResponse(booking=booking)
    assert (await client.post("/v1/bookings", json=wish)).headers["etag"] == '"7"'


async def test_an_answer_without_a_version_has_no_etag(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    assert "etag" not in (await client.get("/v1/bookings/bkg_1", headers=bearer)).headers
    answer = await client.get("/v1/venues/v/availability?date=2027-10-31&party_size=2")
    assert "etag" not in answer.headers
    backend.answer = booking_pb2.GetManagedBookingResponse()
    assert "etag" not in (await client.get("/v1/manage/secret")).headers


async def test_if_match_arrives_as_the_expected_version(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    for given, expected in (('"7"', 7), (' "7" ', 7), ("*", 0)):
        answer = await client.post(CANCEL, headers=bearer | {"If-Match": given})
        assert (answer.status_code, backend.request.expected_version) == (200, expected)
    await client.post(CANCEL, headers=bearer, json={"expected_version": 3})
    assert backend.request.expected_version == 3
    await client.post(CANCEL, headers=bearer | {"If-Match": '"7"'}, json={"expected_version": 3})
    assert backend.request.expected_version == 7


@pytest.mark.parametrize("given", ['W/"7"', '"0"', '"x"', "7", '"7", "8"', '""', '"99999999999"'])
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


async def test_where_nothing_is_expected_if_match_does_not_count(
    client: httpx.AsyncClient, backend: Any, bearer: dict[str, str]
) -> None:
    answer = await client.get("/v1/bookings/bkg_1", headers=bearer | {"If-Match": "nonsense"})
    assert (answer.status_code, backend.calls) == (200, 1)


def test_the_document_says_where_versions_count() -> None:
    paths = document(routes())["paths"]
    for route in routes():
        operation = paths[route.template][route.method.lower()]
        named = {"$ref": "#/components/parameters/IfMatch"} in operation.get("parameters", [])
        assert named == expects(route) == ("412" in operation["responses"])
        success = operation["responses"][str(route.status)]
        assert ("ETag" in success.get("headers", {})) == tagged(route)
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
