"""Every route for members: nobody, the expired, the revoked and the unentitled are refused.

Generated from the contract, so that a new RPC is covered on the day it is born. No service is asked.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from comptoir.api.v1 import policy_pb2
from gateway.edge import Edge as HttpEdge
from servicekit import contract, ids, permissions
from servicekit.contract import Rpc
from testkit import eventually

from .conftest import Backend
from .test_api_keys import http

PROBE = f"/v1/bookings/{ids.show('bkg', ids.new())}"


def of(*audiences: int) -> list[Any]:
    """The RPCs for them that have an HTTP face."""
    return [
        pytest.param(rpc, id=path.rpartition(".")[2])
        for path, rpc in contract.rpcs().items()
        if rpc.policy and rpc.policy.audience in audiences
    ]


MEMBER_RPCS = of(policy_pb2.AUDIENCE_MEMBER)
PLATFORM_RPCS = of(policy_pb2.AUDIENCE_PLATFORM)
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


@pytest.fixture(scope="module")
async def revoked(edge: HttpEdge, backends: Backend, access: Any) -> AsyncIterator[dict[str, str]]:
    """The headers of a session that was revoked, once the gateway has heard of it."""
    session = ids.new()
    headers: dict[str, str] = access.bearer(sid=str(session))
    transport = httpx.ASGITransport(app=edge, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        backends.revoked = {session}

        async def refused() -> bool:
            return (await client.get(PROBE, headers=headers)).status_code == 401

        assert await eventually(refused)
        yield headers


@pytest.fixture
def nobodies(access: Any, revoked: dict[str, str]) -> list[dict[str, str]]:
    """Headers of nobody, of a token that is over, of a bent one, and of a revoked session."""
    now = int(time.time())
    bent = {"Authorization": f"{access.bearer()['Authorization'][:-4]}AAAA"}
    return [{}, access.bearer(iat=now - 700, exp=now - 100), bent, revoked]


@pytest.mark.parametrize("rpc", [*MEMBER_RPCS, *PLATFORM_RPCS])
async def test_nobody_and_whoever_is_no_more_are_unauthenticated(
    rpc: Rpc, client: httpx.AsyncClient, backend: Backend, nobodies: list[dict[str, str]], problem: Problem
) -> None:
    method, path = http(rpc)
    for headers in nobodies:
        problem(await client.request(method, path, headers=headers), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_no_member_calls_what_is_for_operators_of_the_platform(
    rpc: Rpc, client: httpx.AsyncClient, backend: Backend, access: Any, problem: Problem
) -> None:
    method, path = http(rpc)
    everything = access.bearer(scope=" ".join(sorted(permissions.ALL)), opr=str(ids.new()))
    for headers in (access.bearer(), everything):
        problem(await client.request(method, path, headers=headers), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_all_permissions_but_the_one_are_not_enough(
    rpc: Rpc, client: httpx.AsyncClient, backend: Backend, access: Any, problem: Problem
) -> None:
    assert rpc.policy is not None
    wanted = rpc.policy.permission
    if wanted == permissions.SELF:
        return
    method, path = http(rpc)
    scope = " ".join(sorted(permissions.ALL - {wanted}))
    problem(await client.request(method, path, headers=access.bearer(scope=scope)), 403, "PERMISSION_DENIED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_what_does_not_look_at_venues_is_denied_to_whoever_is_limited_to_some(
    rpc: Rpc, client: httpx.AsyncClient, backend: Backend, access: Any, problem: Problem
) -> None:
    assert rpc.policy is not None
    looks = rpc.policy.venue_field or rpc.policy.venue_in_service
    if looks or rpc.policy.permission == permissions.SELF:
        return
    method, path = http(rpc)
    limited = access.bearer(ven=[str(ids.new())])
    problem(await client.request(method, path, headers=limited), 403, "PERMISSION_DENIED")
    assert backend.calls == 0


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_an_old_log_in_does_nothing_that_wants_a_fresh_one(
    rpc: Rpc, client: httpx.AsyncClient, backend: Backend, access: Any, problem: Problem
) -> None:
    assert rpc.policy is not None
    if not rpc.policy.fresh:
        return
    method, path = http(rpc)
    old = access.bearer(auth_time=int(time.time()) - 3700)
    problem(await client.request(method, path, headers=old), 403, "FRESH_AUTHENTICATION_REQUIRED")
    assert backend.calls == 0


async def test_the_control_a_good_token_reaches_the_service(
    client: httpx.AsyncClient, backend: Backend, access: Any
) -> None:
    assert (await client.get(PROBE, headers=access.bearer())).status_code == 200
    assert backend.calls == 1
