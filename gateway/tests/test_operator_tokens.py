"""Tokens of operators: never taken for a member's, nor a member's for theirs; and those of break-glass."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from comptoir.api.v1 import policy_pb2
from gateway.routes import routes
from servicekit import contract, ids, permissions
from servicekit.contract import Rpc
from servicekit.identity import CallerKind
from testkit import eventually

from .test_api_keys import http

ME = "/v1/platform/me"
BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


def rpcs_for(audience: int) -> list[Any]:
    return [
        pytest.param(rpc, id=path.rpartition(".")[2])
        for path, rpc in contract.rpcs().items()
        if rpc.policy and rpc.policy.audience == audience
    ]


MEMBER_RPCS = rpcs_for(policy_pb2.AUDIENCE_MEMBER)
PLATFORM_RPCS = rpcs_for(policy_pb2.AUDIENCE_PLATFORM)


async def test_an_operator_reaches_the_platforms_routes_as_one(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    assert (await client.get(ME, headers=access.operator(auth_time=1_795_000_000))).status_code == 200
    caller = backend.caller
    assert (caller.kind, caller.operator, caller.session) == (
        CallerKind.PLATFORM,
        access.user,
        access.session,
    )
    assert (caller.organization, caller.user, caller.venues) == (None, None, None)
    assert (caller.role, caller.permissions) == ("admin", permissions.OPERATOR_ROLES["admin"])
    assert (caller.authenticated_at, caller.methods) == (1_795_000_000, {"otp", "pwd"})


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_no_members_route_takes_an_operators_token(
    rpc: Rpc, client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem
) -> None:
    method, path = http(rpc)
    everything = " ".join(permissions.ALL)
    for headers in (
        access.operator(scope=everything),
        access.operator(scope=everything, org=str(access.organization), opr=str(access.user)),
    ):
        problem(await client.request(method, path, headers=headers), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_no_route_of_the_platform_takes_a_members_token(
    rpc: Rpc, client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem
) -> None:
    method, path = http(rpc)
    everything = " ".join(permissions.ALL | permissions.OPERATOR_ROLES["admin"])
    for headers in (
        {},
        access.bearer(scope=everything),
        access.break_glass(write=True),
        access.break_glass(scope=everything),
    ):
        problem(await client.request(method, path, headers=headers), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_support_does_not_do_what_admins_do(
    rpc: Rpc, client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem
) -> None:
    assert rpc.policy is not None
    if rpc.policy.permission in permissions.OPERATOR_ROLES["support"] | {permissions.SELF}:
        return
    method, path = http(rpc)
    headers = access.operator(role="support")
    problem(await client.request(method, path, headers=headers), 403, "PERMISSION_DENIED")
    assert backend.calls == 0


CONFUSIONS: dict[str, Callable[[Any], dict[str, str]]] = {
    "an operator's token of a member's type": lambda access: access.operator(typ="at+jwt"),
    "an operator's token of another type": lambda access: access.operator(typ="opr+jwt"),
    "an operator's token without a type": lambda access: access.operator(typ="JWT"),
    "an operator's token for members": lambda access: access.operator(aud="comptoir"),
    "an operator's token for a service": lambda access: access.operator(aud="auth"),
    "an operator's token of another issuer": lambda access: access.operator(iss="comptoir-gateway"),
    "an operator's token without a session": lambda access: access.operator(sid=None),
    "an operator's token without the time of the log-in": lambda access: access.operator(auth_time=None),
    "an operator's token that is over": lambda access: access.operator(iat=1, exp=2),
    "an operator's token without an end": lambda access: access.operator(exp=None),
    "an operator who is no id": lambda access: access.operator(sub="*"),
    "a member's token for the platform": lambda access: access.bearer(aud="comptoir-platform"),
    "break-glass of nobody": lambda access: access.break_glass(opr=""),
    "break-glass nowhere": lambda access: access.break_glass(org=None),
}


@pytest.mark.parametrize("confusion", CONFUSIONS)
async def test_a_token_that_is_half_of_one_and_half_of_the_other_is_nothing(
    client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem, confusion: str
) -> None:
    headers = CONFUSIONS[confusion](access)
    for path in (ME, BOOKING):
        problem(await client.get(path, headers=headers), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


async def test_by_break_glass_one_is_no_user_and_acts_in_one_organization(
    client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem
) -> None:
    headers = access.break_glass()
    assert (await client.get(BOOKING, headers=headers)).status_code == 200
    caller = backend.caller
    assert (caller.kind, caller.organization) == (CallerKind.MEMBER, access.organization)
    assert (caller.user, caller.operator, caller.session) == (None, access.user, access.session)
    assert caller.authenticated_at == 0
    problem(await client.post(f"{BOOKING}/cancel", headers=headers), 403, "PERMISSION_DENIED")
    problem(await client.get("/v1/me", headers=headers), 403, "PERMISSION_DENIED")
    backend.forget()
    writing = access.break_glass(write=True)
    assert (await client.post(f"{BOOKING}/cancel", headers=writing)).status_code == 200


@pytest.mark.parametrize("path", [ME, BOOKING], ids=["operator", "break-glass"])
async def test_what_was_revoked_is_refused_within_seconds(
    client: httpx.AsyncClient, backend: Any, access: Any, problem: Problem, path: str
) -> None:
    """The session of an operator, and access that an organization has ended: all the same to a gateway."""
    over = ids.new()
    make = access.operator if path == ME else access.break_glass
    mine, another = make(sid=str(over)), make(sid=str(ids.new()))
    assert (await client.get(path, headers=mine)).status_code == 200
    backend.revoked = {over}

    async def refused() -> bool:
        return (await client.get(path, headers=mine)).status_code == 401

    assert await eventually(refused)
    problem(await client.get(path, headers=mine), 401, "UNAUTHENTICATED")
    assert (await client.get(path, headers=another)).status_code == 200


def test_every_call_of_operators_has_a_route_and_all_are_below_one_path() -> None:
    served = [each for each in routes() if each.policy.audience == policy_pb2.AUDIENCE_PLATFORM]
    assert len(served) == len(PLATFORM_RPCS)
    assert all(each.template.startswith("/v1/platform/") for each in served)
