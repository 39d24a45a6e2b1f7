"""The guard, over every RPC of the contract: who may pass, who may not, and what a refusal looks like."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import OKPKey
from structlog.testing import capture_logs

from comptoir.api.v1 import policy_pb2
from servicekit import contract, identity, ids, permissions
from servicekit.contract import CONTEXTS, Rpc
from servicekit.errors import AppError, InvalidRequest, Kind
from servicekit.identity import Caller, CallerKind
from servicekit.rpc import server, status
from servicekit.rpc.authorization import FRESH_SECONDS, OPERATOR_FRESH_SECONDS
from servicekit.rpc.client import Peer
from testkit.callers import anonymous, member, operator, service, visitor
from testkit.keys import Keys

_PATIENCE = 60.0
"""Seconds: on a busy machine, too, this is about what is refused."""
RPCS = [pytest.param(rpc, id=path) for path, rpc in contract.rpcs().items()]
MEMBER_RPCS = [
    pytest.param(rpc, id=path)
    for path, rpc in contract.rpcs().items()
    if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]
PLATFORM_RPCS = [
    pytest.param(rpc, id=path)
    for path, rpc in contract.rpcs().items()
    if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_PLATFORM
]


class Everything(grpc.GenericRpcHandler):
    """Answers every RPC of the platform, and some that the contract does not know, with an empty message."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        rpc = contract.rpcs().get(handler_call_details.method)

        async def answer(_request: Message, _context: Any) -> Message:
            assert identity.caller()
            assert rpc
            return rpc.response()

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=rpc.request.FromString if rpc else None,
            response_serializer=lambda message: message.SerializeToString(),
        )


@pytest.fixture(scope="module")
async def peers(keys: Keys) -> AsyncIterator[dict[str, Peer]]:
    """Every service's guard on a port of its own, before a handler that would answer anything."""
    running, made = [], {}
    for name in CONTEXTS:
        register = lambda served: served.add_generic_rpc_handlers((Everything(),))  # noqa: E731
        started, _, port = await server.start(name, "127.0.0.1:0", keys.verifier(name), [register])
        running.append(started)
        made[name] = Peer(name, f"127.0.0.1:{port}", keys.signer("gateway"))
    yield made
    for peer in made.values():
        await peer.close()
    for started in running:
        await started.stop(None)


async def _refusal(
    peers: dict[str, Peer], keys: Keys, rpc: Rpc, caller: Caller | None, request: Message | None = None
) -> AppError | None:
    """What the guard says; None when the call went through. An invalid request counts as let in."""
    token = keys.signer(caller.issuer).token(rpc.service, caller) if caller else None
    return await _refusal_of(peers, rpc, token, request)


async def _refusal_of(
    peers: dict[str, Peer], rpc: Rpc, token: str | None, request: Message | None = None
) -> AppError | None:
    """The same for whatever is given as a token."""
    method: Any = peers[rpc.service].channel.unary_unary(
        rpc.path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=rpc.response.FromString,
    )
    metadata = [("comptoir-identity", token)] if token else []
    try:
        await method(request or rpc.request(), metadata=metadata, timeout=_PATIENCE)
    except grpc.aio.AioRpcError as error:
        refusal = status.from_call(error)
        return None if refusal.reason == InvalidRequest.reason else refusal
    return None


def _stranger_to(rpc: Rpc) -> Caller:
    """A caller of the wrong kind."""
    assert rpc.policy
    return member(ids.new()) if rpc.policy.audience == policy_pb2.AUDIENCE_INTERNAL else anonymous()


@pytest.mark.parametrize("rpc", RPCS)
async def test_without_identity_only_public_calls_pass(rpc: Rpc, peers: dict[str, Peer], keys: Keys) -> None:
    assert rpc.policy
    refusal = await _refusal(peers, keys, rpc, None)
    if rpc.policy.audience == policy_pb2.AUDIENCE_PUBLIC:
        assert refusal is None
    else:
        assert refusal
        assert refusal.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", RPCS)
async def test_the_wrong_kind_of_caller_is_refused(rpc: Rpc, peers: dict[str, Peer], keys: Keys) -> None:
    assert rpc.policy
    refusal = await _refusal(peers, keys, rpc, _stranger_to(rpc))
    open_to_all = (policy_pb2.AUDIENCE_PUBLIC, policy_pb2.AUDIENCE_GUEST)
    assert (refusal is None) == (rpc.policy.audience in open_to_all)


@pytest.mark.parametrize("rpc", RPCS)
async def test_a_token_that_is_over_or_bent_opens_no_rpc(
    rpc: Rpc, peers: dict[str, Peer], keys: Keys
) -> None:
    """Not even a public one: nobody goes on as somebody else than they said."""
    assert rpc.policy
    internal = rpc.policy.audience == policy_pb2.AUDIENCE_INTERNAL
    issuer = (list(rpc.policy.callers) or ["gateway"])[0]
    caller = service(issuer, ids.new()) if internal else member(ids.new())
    good = keys.signer(issuer).token(rpc.service, caller)
    key = OKPKey.import_key(json.loads(keys.file(issuer).read_text()))
    claims = jwt.decode(good, key, algorithms=["Ed25519"]).claims
    over = claims | {"iat": claims["iat"] - 120, "exp": claims["exp"] - 120}
    expired = jwt.encode({"alg": "Ed25519", "kid": issuer}, over, key, algorithms=["Ed25519"])
    for token in (expired, f"{good[:-4]}AAAA"):
        refusal = await _refusal_of(peers, rpc, token)
        assert refusal
        assert refusal.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize("rpc", RPCS)
async def test_an_operator_is_no_member_and_no_member_an_operator(
    rpc: Rpc, peers: dict[str, Peer], keys: Keys
) -> None:
    """Whatever they carry: the kind decides. Nor is an operator in an organization one of the platform."""
    assert rpc.policy
    everything = permissions.ALL | permissions.OPERATOR_ROLES["admin"]
    organization = ids.new()
    platform = replace(operator(), permissions=everything)
    members = [
        replace(each, permissions=everything)
        for each in (member(organization), visitor(organization, write=True))
    ]
    mixed = replace(platform, organization=organization, user=ids.new(), role="owner")
    unnamed = replace(platform, operator=None)
    strangers = {
        policy_pb2.AUDIENCE_MEMBER: [platform, mixed],
        policy_pb2.AUDIENCE_PLATFORM: [*members, unnamed, anonymous(), service("gateway")],
    }
    for stranger in strangers.get(rpc.policy.audience, []):
        refusal = await _refusal(peers, keys, rpc, stranger)
        assert refusal
        assert refusal.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize("role", [*permissions.OPERATOR_ROLES, "stranger"])
@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_an_operators_role_passes_exactly_with_the_permission(
    rpc: Rpc, role: str, peers: dict[str, Peer], keys: Keys
) -> None:
    assert rpc.policy
    held = permissions.OPERATOR_ROLES.get(role, frozenset())
    caller = replace(operator(), role=role, permissions=held)
    refusal = await _refusal(peers, keys, rpc, caller)
    assert (refusal.reason if refusal else "") == (
        "" if rpc.policy.permission in held | {permissions.SELF} else "PERMISSION_DENIED"
    )
    assert rpc.policy.permission in permissions.OPERATOR_ROLES["admin"] | {permissions.SELF}


@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_operators_are_fresh_for_ten_minutes(rpc: Rpc, peers: dict[str, Peer], keys: Keys) -> None:
    assert rpc.policy
    stale = replace(operator(), authenticated_at=int(time.time()) - OPERATOR_FRESH_SECONDS - 1)
    refusal = await _refusal(peers, keys, rpc, stale)
    assert (refusal.reason if refusal else "") == (
        "FRESH_AUTHENTICATION_REQUIRED" if rpc.policy.fresh else ""
    )


@pytest.mark.parametrize("rpc", PLATFORM_RPCS)
async def test_a_recovery_code_of_an_operator_is_never_fresh(
    rpc: Rpc, peers: dict[str, Peer], keys: Keys
) -> None:
    """Whoever finds the paper makes no operator with an app of their own, who would have access."""
    assert rpc.policy
    by_paper = replace(operator(), methods=frozenset({"pwd", "rec"}))
    refusal = await _refusal(peers, keys, rpc, by_paper)
    assert (refusal.reason if refusal else "") == (
        "FRESH_AUTHENTICATION_REQUIRED" if rpc.policy.fresh else ""
    )
    gives_factors = ("AddOperator", "ReenrolOperator", "RenewOperatorRecoveryCodes")
    assert rpc.policy.fresh or not rpc.path.endswith(gives_factors)


@pytest.mark.parametrize("rpc", RPCS)
async def test_services_vouch_for_nobody_but_themselves(rpc: Rpc, peers: dict[str, Peer], keys: Keys) -> None:
    """One that was taken over makes no member, operator or guest: only the gateway is believed."""
    organization = ids.new()
    itself = service("analytics", organization)
    others = (
        member(organization),
        operator(),
        visitor(organization, write=True),
        anonymous(),
        replace(itself, user=ids.new(), session=ids.new()),
        replace(itself, permissions=permissions.ALL),
    )
    for stranger in others:
        refusal = await _refusal(peers, keys, rpc, replace(stranger, issuer="analytics"))
        assert refusal
        assert refusal.kind is Kind.UNAUTHENTICATED


@pytest.mark.parametrize(
    "there", [visitor(ids.new()), visitor(ids.new(), write=True)], ids=["reading", "writing"]
)
@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_by_break_glass_one_looks_or_writes_and_is_never_somebody(
    rpc: Rpc, there: Caller, peers: dict[str, Peer], keys: Keys
) -> None:
    """Also with fresh credentials, which no such token claims, and with every permission there is."""
    assert rpc.policy
    never = rpc.policy.fresh or rpc.policy.permission == permissions.SELF
    refusal = await _refusal(peers, keys, rpc, there)
    may = not never and rpc.policy.permission in there.permissions
    assert (refusal.reason if refusal else "") == ("" if may else "PERMISSION_DENIED")
    mighty = replace(there, permissions=permissions.ALL, authenticated_at=int(time.time()))
    refusal = await _refusal(peers, keys, rpc, mighty)
    assert (refusal.reason if refusal else "") == ("PERMISSION_DENIED" if never else "")


async def test_what_an_operator_does_in_an_organization_is_logged_with_ids_alone(
    peers: dict[str, Peer], keys: Keys
) -> None:
    rpc = contract.rpcs()["/comptoir.booking.v1.BookingService/ListBookings"]
    there, venue = visitor(ids.new()), ids.show("ven", ids.new())
    with capture_logs() as logged:
        request = rpc.request(venue_id=venue, date="2030-01-01")
        assert await _refusal(peers, keys, rpc, there, request) is None
        assert await _refusal(peers, keys, rpc, member(ids.new()), request) is None
    (said,) = [each for each in logged if each["event"] == "operator_acts"]
    who = {"organization": there.organization, "operator": there.operator, "session": there.session}
    told = {"event": "operator_acts", "log_level": "info", "method": rpc.path}
    assert said == told | {name: str(value) for name, value in who.items()}


@pytest.mark.parametrize("rpc", RPCS)
async def test_only_the_named_services_pass_inside(rpc: Rpc, peers: dict[str, Peer], keys: Keys) -> None:
    assert rpc.policy
    if rpc.policy.audience != policy_pb2.AUDIENCE_INTERNAL:
        return
    for name in (*CONTEXTS, "gateway"):
        refusal = await _refusal(peers, keys, rpc, service(name, ids.new()))
        assert (refusal is None) == (name in rpc.policy.callers), name


@pytest.mark.parametrize("role", [*permissions.ROLES, "stranger"])
@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_a_role_passes_exactly_with_the_permission(
    rpc: Rpc, role: str, peers: dict[str, Peer], keys: Keys
) -> None:
    assert rpc.policy
    needed = rpc.policy.permission
    refusal = await _refusal(peers, keys, rpc, member(ids.new(), role))
    if needed in permissions.of_role(role) | {permissions.SELF}:
        assert refusal is None
    else:
        assert refusal
        assert refusal.kind is Kind.DENIED


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_what_needs_fresh_credentials_takes_no_others(
    rpc: Rpc, peers: dict[str, Peer], keys: Keys
) -> None:
    assert rpc.policy
    owner = member(ids.new())
    for authenticated_at in (0, int(time.time()) - FRESH_SECONDS - 1):
        refusal = await _refusal(peers, keys, rpc, replace(owner, authenticated_at=authenticated_at))
        assert (refusal.reason if refusal else "") == (
            "FRESH_AUTHENTICATION_REQUIRED" if rpc.policy.fresh else ""
        )
    assert await _refusal(peers, keys, rpc, owner) is None


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
async def test_a_member_limited_to_venues_finds_no_other_and_nothing_that_forgot_to_look(
    rpc: Rpc, peers: dict[str, Peer], keys: Keys
) -> None:
    assert rpc.policy
    mine, foreign = ids.new(), ids.new()
    limited = replace(member(ids.new()), venues=frozenset({mine}))
    if rpc.policy.venue_field:
        named = rpc.policy.venue_field
        for text in (ids.show("ven", foreign), ids.show("org", mine), "chez-paulette", ""):
            refusal = await _refusal(peers, keys, rpc, limited, rpc.request(**{named: text}))
            assert refusal
            assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "VENUE_NOT_FOUND")
        own = rpc.request(**{named: ids.show("ven", mine)})
        assert await _refusal(peers, keys, rpc, limited, own) is None
    else:
        refusal = await _refusal(peers, keys, rpc, limited)
        let_in = rpc.policy.venue_in_service or rpc.policy.permission == permissions.SELF
        assert (refusal.reason if refusal else "") == ("" if let_in else "PERMISSION_DENIED")


async def test_a_token_for_another_service_is_refused(peers: dict[str, Peer], keys: Keys) -> None:
    rpc = contract.rpcs()["/comptoir.auth.v1.AccountService/GetMe"]
    token = keys.signer("gateway").token("booking", member(ids.new()))
    method: Any = peers["auth"].channel.unary_unary(
        rpc.path, lambda m: m.SerializeToString(), rpc.response.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(rpc.request(), metadata=[("comptoir-identity", token)], timeout=_PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_that_claims_another_issuer_is_refused(peers: dict[str, Peer], keys: Keys) -> None:
    rpc = contract.rpcs()["/comptoir.auth.v1.AccountDirectoryService/GetSigningKeys"]
    forger = keys.signer("support")
    forger.name = "gateway"
    forged = forger.token("auth", Caller(CallerKind.SERVICE, "gateway"))
    method: Any = peers["auth"].channel.unary_unary(
        rpc.path, lambda m: m.SerializeToString(), rpc.response.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(rpc.request(), metadata=[("comptoir-identity", forged)], timeout=_PATIENCE)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_rpc_that_the_contract_does_not_know_is_denied(peers: dict[str, Peer], keys: Keys) -> None:
    token = keys.signer("gateway").token("auth", member(ids.new()))
    method: Any = peers["auth"].channel.unary_unary("/comptoir.auth.v1.AccountService/Secret")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(b"", metadata=[("comptoir-identity", token)], timeout=_PATIENCE)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_violation_names_its_field_and_not_its_value(peers: dict[str, Peer], keys: Keys) -> None:
    rpc = contract.rpcs()["/comptoir.auth.v1.AccountService/Register"]
    method: Any = peers["auth"].channel.unary_unary(
        rpc.path, lambda message: message.SerializeToString(), rpc.response.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await method(rpc.request(email="zebra", password="short-secret"), timeout=_PATIENCE)
    refusal = status.from_call(caught.value)
    assert {each.pointer for each in refusal.violations} >= {"/email", "/display_name"}
    assert "zebra" not in str([each.message for each in refusal.violations])
