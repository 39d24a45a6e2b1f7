"""No call of an operator gets into an organization before its audit log has it: told, or not let through."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from joserfc.jwk import OKPKey

from gateway.app import open_gateway
from gateway.routes import Route, routes
from gateway.settings import Settings
from servicekit import ids, permissions
from servicekit.errors import (
    AppError,
    DeadlineExceeded,
    Internal,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from servicekit.identity import Caller, CallerKind
from servicekit.rpc.authorization import authorize
from testkit.edge import Edge
from testkit.keys import Keys

from .conftest import made_settings
from .directories import directories

BOOKING_ID = ids.show("bkg", ids.new())
BOOKING = f"/v1/bookings/{BOOKING_ID}"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]
Mortal = tuple[httpx.AsyncClient, Edge]
VISITOR = Caller(
    CallerKind.MEMBER,
    "gateway",
    organization=ids.new(),
    session=ids.new(),
    operator=ids.new(),
    permissions=permissions.BREAK_GLASS_WRITE,
)


def lets_operators_in(route: Route) -> bool:
    try:
        authorize(route.policy, VISITOR)
    except AppError:
        return False
    return True


OPEN = [each for each in routes() if lets_operators_in(each)]
CLOSED = [each for each in routes() if not lets_operators_in(each)]
SHOWN_ID = ids.show("xyz", ids.new())


def of(routes_: list[Route]) -> list[Any]:
    return [pytest.param(each, id=each.operation_id) for each in routes_]


def path_of(route: Route, value: str) -> str:
    """Its path, with a value for each variable."""
    path = route.template
    for name in route.variables:
        path = path.replace("{" + name + "}", value)
    return path


@pytest.mark.parametrize("route", of(OPEN))
async def test_every_call_that_operators_may_make_is_told_before_or_not_made(
    route: Route, client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem
) -> None:
    """What auth refuses goes no further: nothing but auth would answer 401 or 503 here."""
    headers = access.break_glass(write=True) | {"if-match": "*"}
    expected: dict[AppError, tuple[int, str]] = {
        Unauthenticated(): (401, "UNAUTHENTICATED"),
        Internal(): (503, "UNAVAILABLE"),
    }
    for refusal, (status, reason) in expected.items():
        backend.acts_refusal = refusal
        answer = await client.request(route.method, path_of(route, SHOWN_ID), headers=headers)
        problem(answer, status, reason)
        organization, act = backend.acts[-1]
        assert (organization, act.operator_id, act.access_id) == (
            access.organization,
            access.user.bytes,
            access.session.bytes,
        )
        assert (act.call, act.request_id) == (route.operation_id, answer.headers["x-request-id"])
        assert list(act.touched) == [SHOWN_ID] * len(route.variables)
        assert act.address == "192.0.2.7"
    assert (len(backend.acts), backend.calls) == (2, 0)


@pytest.mark.parametrize("route", of(CLOSED))
async def test_what_is_refused_to_operators_is_not_told(
    route: Route, client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    path = path_of(route, SHOWN_ID)
    answer = await client.request(route.method, path, headers=access.break_glass(write=True))
    assert answer.status_code in {401, 403}
    assert (backend.acts, backend.calls) == ([], 0)


def test_operators_may_read_and_write_something() -> None:
    """The control of the tests above."""
    assert {"getBooking", "cancelBooking", "listAuditEntries", "listVenues"} <= {
        each.operation_id for each in OPEN
    }
    assert {"getMe", "removeMember"} <= {each.operation_id for each in CLOSED}


async def test_what_is_told_is_then_done(client: httpx.AsyncClient, backend: Any, access: Any) -> None:
    assert (await client.get(BOOKING, headers=access.break_glass())).status_code == 200
    assert (backend.calls, [act.call for _, act in backend.acts]) == (1, ["getBooking"])
    assert list(backend.acts[0][1].touched) == [BOOKING_ID]


@pytest.mark.parametrize(
    "refusal", [Unavailable(), DeadlineExceeded(), PermissionDenied()], ids=lambda each: each.reason
)
async def test_whatever_keeps_auth_from_writing_it_down_keeps_the_call_out(
    client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem, refusal: AppError
) -> None:
    backend.acts_refusal = refusal
    problem(await client.get(BOOKING, headers=access.break_glass()), 503, "UNAVAILABLE")
    assert backend.calls == 0
    assert len({act.act_id for _, act in backend.acts}) == 1


@pytest.fixture
async def mortal(settings: Settings, keys: Keys, backend: Any, access_key: OKPKey) -> AsyncIterator[Mortal]:
    """A gateway of its own, before an auth that a test may stop."""
    auth = await Edge.start("auth", keys, directories(backend, access_key))
    own = made_settings(keys.directory, settings.peers | {"auth": f"127.0.0.1:{auth.port}"})
    async with open_gateway(own, lambda: True) as opened:
        transport = httpx.ASGITransport(app=opened)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client, auth


async def test_while_auth_is_down_members_go_on_and_operators_do_not(
    mortal: Mortal, access: Any, backend: Any, problem: Problem
) -> None:
    client, auth = mortal
    headers = access.break_glass()
    assert (await client.get(BOOKING, headers=headers)).status_code == 200
    await auth.stop()
    problem(await client.get(BOOKING, headers=headers), 503, "UNAVAILABLE")
    assert backend.calls == 1
    assert (await client.get(BOOKING, headers=access.bearer())).status_code == 200


async def test_a_second_call_does_not_hide_behind_the_request_id_of_the_first(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    headers = access.break_glass() | {"X-Request-Id": "always-the-same"}
    for _ in range(2):
        assert (await client.get(BOOKING, headers=headers)).status_code == 200
    told = [act for _, act in backend.acts]
    assert [each.request_id for each in told] == ["always-the-same"] * 2
    assert len({each.act_id for each in told}) == 2


@pytest.mark.parametrize("path", ["/v1/bookings/zoe@example.com", "/v1/manage/a-secret-of-a-link"])
async def test_nothing_of_the_path_is_told_but_typed_ids(
    client: httpx.AsyncClient, backend: Any, access: Any, path: str
) -> None:
    await client.get(path, headers=access.break_glass())
    ((_, act),) = backend.acts
    assert list(act.touched) == []


async def test_of_members_nothing_is_told(
    client: httpx.AsyncClient, backend: Any, access: Any, bearer: dict[str, str]
) -> None:
    assert (await client.get(BOOKING, headers=bearer)).status_code == 200
    assert (await client.get("/v1/platform/me", headers=access.operator())).status_code == 200
    assert backend.acts == []
