"""API keys at the edge: exchanged seldom, believed for a while, kept to networks, counted, and revoked."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.api import annotations_pb2

from comptoir.api.v1 import policy_pb2
from comptoir.auth.v1 import key_pb2
from gateway.api_keys import BELIEVED_SECONDS, UNKNOWN_PER_MINUTE, ApiKeys, Holder, networks
from gateway.errors import AddressNotAllowed, DailyQuotaSpent, TooManyUnknownKeys
from gateway.quotas import DailyQuotas
from gateway.revocations import Revocations
from servicekit import contract, ids, permissions
from servicekit.api_keys import ApiKeyText
from servicekit.contract import Rpc
from servicekit.errors import (
    RETRY_AFTER,
    FreshAuthenticationRequired,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from servicekit.identity import Caller, CallerKind
from servicekit.rpc.authorization import authorize
from servicekit.settings import RedisSettings
from testkit import eventually

from .conftest import Backend

PLACE = "192.0.2.7"
BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
MEMBER_RPCS = [
    pytest.param(rpc, id=path)
    for path, rpc in contract.rpcs().items()
    if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]


class Auth:
    """What auth would answer, and how often it was asked."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0
        self.holders: dict[str, Holder] = {}
        self.revoked: set[UUID] = set()
        self.asked = 0
        self.down = False
        self.answering = asyncio.Event()
        self.answering.set()
        self.revocations = Revocations(self.fetch)
        self.keys = ApiKeys(
            self.exchange,
            self.revocations,
            DailyQuotas(RedisSettings(), clock=lambda: self.now),
            clock=lambda: self.now,
        )

    async def fetch(self, _since: float | None) -> tuple[set[UUID], float]:
        return self.revoked, 1000.0

    async def exchange(self, text: str) -> Holder:
        self.asked += 1
        await asyncio.sleep(0)
        await self.answering.wait()
        if self.down:
            raise Unavailable
        if text not in self.holders:
            raise Unauthenticated
        return self.holders[text]

    def issue(self, **changes: Any) -> bytes:
        """A key that holds for a day."""
        text = ApiKeyText.make(sandbox=False).show()
        caller = Caller(
            CallerKind.MEMBER,
            "gateway",
            organization=ids.new(),
            key=ids.new(),
            permissions=frozenset({"bookings.read"}),
        )
        self.holders[text] = replace(Holder(caller, self.now + 86_400), **changes)
        return text.encode()

    def id_of(self, text: bytes) -> UUID:
        key = self.holders[text.decode()].caller.key
        assert key is not None
        return key


@pytest.fixture
def auth() -> Auth:
    return Auth()


@dataclass
class Gate:
    """The gateway, and a key of every kind."""

    client: httpx.AsyncClient
    backend: Backend
    keys: Mapping[str, str]
    answer: key_pb2.ExchangeKeyResponse

    def bearer(self, kind: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[kind]}"}


@pytest.fixture(scope="session")
def issued(backends: Backend) -> tuple[dict[str, str], key_pb2.ExchangeKeyResponse]:
    """Keys by what is wrong with them, and what auth answers for the good one."""
    keys = {kind: ApiKeyText.make(sandbox=True).show() for kind in ("good", "expired", "revoked", "unknown")}
    keys["wrong checksum"] = keys["good"][:-1] + ("a" if keys["good"][-1] != "a" else "b")
    for kind, days in {"good": 1, "revoked": 1, "expired": -1}.items():
        answer = key_pb2.ExchangeKeyResponse(
            organization_id=ids.new_sandbox().bytes,
            key_id=ids.new().bytes,
            permissions=["bookings.read"],
            venue_ids=[ids.new().bytes],
        )
        answer.until.FromDatetime(datetime.now(UTC) + timedelta(days=days))
        backends.keys[keys[kind]] = answer
    return keys, backends.keys[keys["good"]]


@pytest.fixture
async def gate(
    client: httpx.AsyncClient,
    backend: Backend,
    issued: tuple[dict[str, str], key_pb2.ExchangeKeyResponse],
) -> Gate:
    """The gateway knows by now which key was revoked."""
    opened = Gate(client, backend, *issued)
    backend.revoked = {UUID(bytes=backend.keys[opened.keys["revoked"]].key_id)}

    async def refused() -> bool:
        return (await client.get(BOOKING, headers=opened.bearer("revoked"))).status_code == 401

    assert await eventually(refused)
    backend.request = backend.caller = None
    return opened


def guess() -> bytes:
    """A key that auth does not know."""
    return ApiKeyText.make(sandbox=False).show().encode()


def http(rpc: Rpc) -> tuple[str, str]:
    """Method and path of an RPC, with some id in it."""
    rule = rpc.method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return verb.upper(), re.sub(r"{\w+}", "x", getattr(rule, verb))


async def test_a_key_is_asked_for_once_in_half_a_minute_however_many_calls_come(auth: Auth) -> None:
    key = auth.issue()
    found = await asyncio.gather(*(auth.keys.caller(key, PLACE) for _ in range(100)))
    assert {(each.key, each.address) for each in found} == {(auth.id_of(key), PLACE)}
    assert auth.asked == 1
    assert (await auth.keys.caller(key, "198.51.100.9")).address == "198.51.100.9"
    assert auth.asked == 1
    auth.now += BELIEVED_SECONDS
    await auth.keys.caller(key, PLACE)
    assert auth.asked == 2


async def test_what_auth_does_not_know_any_more_ends_within_half_a_minute(auth: Auth) -> None:
    key = auth.issue()
    await auth.keys.caller(key, PLACE)
    auth.holders.clear()
    auth.now += BELIEVED_SECONDS - 1
    await auth.keys.caller(key, PLACE)
    auth.now += 1
    with pytest.raises(Unauthenticated):
        await auth.keys.caller(key, PLACE)


async def test_a_revoked_key_is_refused_as_soon_as_the_gateway_hears_of_it(auth: Auth) -> None:
    key = auth.issue()
    await auth.keys.caller(key, PLACE)
    auth.revoked = {auth.id_of(key)}
    await auth.revocations.refresh()
    with pytest.raises(Unauthenticated):
        await auth.keys.caller(key, PLACE)
    assert auth.asked == 1


async def test_a_secret_ends_on_the_second_even_while_it_is_believed(auth: Auth) -> None:
    key = auth.issue(until=auth.now + 5)
    await auth.keys.caller(key, PLACE)
    auth.now += 5
    with pytest.raises(Unauthenticated):
        await auth.keys.caller(key, PLACE)
    assert auth.asked == 1


async def test_nobody_asks_auth_about_what_is_no_key(auth: Auth) -> None:
    good = auth.issue()
    for text in (good[:-1] + (b"a" if good[-1:] != b"a" else b"b"), b"cpt_live_x", b"cpt_\xff", good + b"0"):
        with pytest.raises(Unauthenticated):
            await auth.keys.caller(text, PLACE)
    assert auth.asked == 0


async def test_unknown_keys_are_remembered_and_counted_by_address_without_harm_to_others(auth: Auth) -> None:
    known = auth.issue()
    await auth.keys.caller(known, PLACE)
    unknown = guess()
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await auth.keys.caller(unknown, PLACE)
    assert auth.asked == 2
    guesses = [guess() for _ in range(50)]
    answers = await asyncio.gather(
        *(auth.keys.caller(each, PLACE) for each in guesses), return_exceptions=True
    )
    assert auth.asked == 1 + UNKNOWN_PER_MINUTE
    refused = [each for each in answers if isinstance(each, TooManyUnknownKeys)]
    assert len(refused) == 51 - UNKNOWN_PER_MINUTE
    assert refused[0].metadata == {RETRY_AFTER: "61"}
    auth.now += BELIEVED_SECONDS
    assert await auth.keys.caller(known, PLACE)
    assert await auth.keys.caller(auth.issue(), "198.51.100.9")
    auth.now += 60
    assert await auth.keys.caller(auth.issue(), PLACE)


async def test_a_good_key_that_is_asked_for_again_allows_no_guess_more(auth: Auth) -> None:
    known = auth.issue()
    await auth.keys.caller(known, PLACE)
    auth.now += BELIEVED_SECONDS
    for _ in range(UNKNOWN_PER_MINUTE):
        with pytest.raises(Unauthenticated):
            await auth.keys.caller(guess(), PLACE)
    await auth.keys.caller(known, PLACE)
    assert auth.asked == 2 + UNKNOWN_PER_MINUTE
    with pytest.raises(TooManyUnknownKeys):
        await auth.keys.caller(guess(), PLACE)


async def test_a_good_key_that_was_counted_in_one_minute_allows_no_guess_more_in_the_next(auth: Auth) -> None:
    auth.answering.clear()
    asking = [asyncio.create_task(auth.keys.caller(auth.issue(), PLACE))]
    await eventually(lambda: auth.asked == 1)
    auth.now += 60
    asking += [asyncio.create_task(auth.keys.caller(guess(), PLACE)) for _ in range(UNKNOWN_PER_MINUTE)]
    await eventually(lambda: auth.asked == 1 + UNKNOWN_PER_MINUTE)
    auth.answering.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(each, Unauthenticated) for each in answers] == [False] + [True] * UNKNOWN_PER_MINUTE
    with pytest.raises(TooManyUnknownKeys):
        await auth.keys.caller(guess(), PLACE)


async def test_while_auth_is_down_what_was_believed_lasts_and_nothing_is_held_against_anybody(
    auth: Auth,
) -> None:
    key = auth.issue()
    await auth.keys.caller(key, PLACE)
    auth.down = True
    await auth.keys.caller(key, PLACE)
    fresh = auth.issue()
    for _ in range(UNKNOWN_PER_MINUTE + 5):
        with pytest.raises(Unavailable):
            await auth.keys.caller(fresh, PLACE)
    auth.down = False
    assert await auth.keys.caller(fresh, PLACE)


@pytest.mark.parametrize(
    ("address", "admitted"),
    [
        ("192.0.2.255", True),
        ("::ffff:192.0.2.1", True),
        ("2001:db8::1", True),
        ("192.0.3.0", False),
        ("2001:db9::1", False),
        ("", False),
        ("not an address", False),
    ],
)
async def test_a_key_works_from_its_networks_alone(auth: Auth, address: str, *, admitted: bool) -> None:
    key = auth.issue(networks=networks(["192.0.2.0/24", "2001:db8::/32"]))
    await auth.keys.caller(key, PLACE)
    if admitted:
        assert await auth.keys.caller(key, address)
        return
    with pytest.raises(AddressNotAllowed):
        await auth.keys.caller(key, address)


async def test_a_key_makes_as_many_calls_a_day_as_it_may(auth: Auth) -> None:
    auth.now = 20_000 * 86_400 + 86_000.0
    key, another = auth.issue(daily_quota=3), auth.issue(daily_quota=3)
    for text in (key, another):
        await auth.keys.caller(text, PLACE)
    for _ in range(3):
        await auth.keys.spend(key)
    with pytest.raises(DailyQuotaSpent) as spent:
        await auth.keys.spend(key)
    assert spent.value.metadata == {RETRY_AFTER: "401"}
    await auth.keys.spend(another)
    auth.now += 400
    await auth.keys.spend(key)


async def test_gateways_count_together_and_go_on_alone_without_redis(redis_url: str) -> None:
    settings = RedisSettings.model_validate({"url": redis_url})
    one, two = DailyQuotas(settings), DailyQuotas(settings)
    gone = DailyQuotas(RedisSettings.model_validate({"url": "redis://127.0.0.1:1/0"}))
    key = ids.new()
    for quotas in (one, two, one):
        await quotas.spend(key, most=3)
    for quotas in (two, one):
        with pytest.raises(DailyQuotaSpent):
            await quotas.spend(key, most=3)
    for _ in range(3):
        await gone.spend(key, most=3)
    with pytest.raises(DailyQuotaSpent):
        await gone.spend(key, most=3)
    for quotas in (one, two, gone):
        await quotas.close()


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
def test_every_rpc_refuses_a_key_that_lacks_its_scope(rpc: Rpc) -> None:
    """With all permissions but the one; and with all, only what wants a person refuses."""
    assert rpc.policy is not None
    caller = Caller(CallerKind.MEMBER, "gateway", organization=ids.new(), key=ids.new())
    wanted = rpc.policy.permission
    with pytest.raises(PermissionDenied) as refused:
        authorize(rpc.policy, replace(caller, permissions=permissions.ALL - {wanted}))
    assert "API key" in refused.value.detail  # it has no role that could forbid anything
    allowed = replace(caller, permissions=permissions.ALL)
    if wanted == permissions.SELF or rpc.policy.fresh:
        with pytest.raises((PermissionDenied, FreshAuthenticationRequired)):
            authorize(rpc.policy, allowed)
    else:
        authorize(rpc.policy, allowed)


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
@pytest.mark.parametrize("fault", ["expired", "revoked", "wrong checksum", "unknown"])
async def test_every_rpc_refuses_a_key_that_does_not_hold(
    rpc: Rpc, fault: str, gate: Gate, problem: Callable[..., Any]
) -> None:
    method, path = http(rpc)
    answer = await gate.client.request(method, path, headers=gate.bearer(fault))
    problem(answer, 401, "UNAUTHENTICATED")
    assert gate.backend.request is None


async def test_a_good_key_reaches_the_service_with_all_that_it_may(gate: Gate) -> None:
    answer = await gate.client.get(BOOKING, headers=gate.bearer("good"))
    assert answer.status_code == 200
    caller = gate.backend.caller
    assert caller is not None
    assert (caller.key, caller.user, caller.session, caller.sandbox) == (
        UUID(bytes=gate.answer.key_id),
        None,
        None,
        True,
    )
    assert caller.permissions == {"bookings.read"}
    assert caller.venues == {UUID(bytes=each) for each in gate.answer.venue_ids}
    assert (caller.address, caller.authenticated_at) == (PLACE, 0)
