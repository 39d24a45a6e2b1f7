"""What a policy says about callers, without a call; and what is counted of one whose caller leaves."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from prometheus_client import REGISTRY

from comptoir.api.v1 import policy_pb2
from servicekit import contract, ids, permissions
from servicekit.contract import Rpc
from servicekit.errors import AppError, FreshAuthenticationRequired, Kind
from servicekit.rpc import server
from servicekit.rpc.authorization import FRESH_SECONDS, authorize
from servicekit.rpc.client import Peer
from testkit import eventually
from testkit.callers import member, service
from testkit.keys import Keys

MEMBER_RPCS = [
    pytest.param(rpc, id=path)
    for path, rpc in contract.rpcs().items()
    if rpc.policy and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
]


def test_credentials_are_fresh_for_an_hour() -> None:
    owner = member(ids.new())
    policy = policy_pb2.Policy(audience=policy_pb2.AUDIENCE_MEMBER, permission="self", fresh=True)
    authorize(policy, replace(owner, authenticated_at=int(time.time()) - FRESH_SECONDS + 60))
    with pytest.raises(FreshAuthenticationRequired):
        authorize(policy, replace(owner, authenticated_at=int(time.time()) - FRESH_SECONDS))


@pytest.mark.parametrize("rpc", MEMBER_RPCS)
def test_a_request_that_names_a_venue_says_so_in_its_policy(rpc: Rpc) -> None:
    assert rpc.policy
    fields = rpc.method.input_type.fields_by_name
    assert rpc.policy.venue_field == ("venue_id" if "venue_id" in fields else "")
    assert not (rpc.policy.venue_field and rpc.policy.venue_in_service)


@pytest.mark.parametrize("rpc", [each for each in MEMBER_RPCS if each.values[0].policy.fresh])
def test_a_connections_word_is_fresh_for_its_organization_and_not_for_the_persons_own(rpc: Rpc) -> None:
    """Whoever runs a provider gives its people no factors or addresses by which to get at them elsewhere."""
    policy = rpc.policy
    assert policy
    caller = replace(
        member(ids.new()),
        authenticated_at=int(time.time()),
        methods=frozenset({permissions.BY_CONNECTION, "otp"}),
    )
    if policy.permission != permissions.SELF:
        authorize(policy, caller)
        return
    with pytest.raises(FreshAuthenticationRequired):
        authorize(policy, caller)
    authorize(policy, replace(caller, methods=frozenset({"pwd"})))


def test_an_audience_that_was_forgotten_is_denied() -> None:
    with pytest.raises(AppError) as caught:
        authorize(policy_pb2.Policy(), member(ids.new()))
    assert caught.value.kind is Kind.DENIED


class Patient(grpc.GenericRpcHandler):
    """Takes every call and answers none of them."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        rpc = contract.rpcs()[handler_call_details.method]

        async def answer(_request: Message, _context: Any) -> Message:
            self.taken.set()
            await asyncio.Event().wait()
            return rpc.response()

        return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=rpc.request.FromString)


async def test_a_call_whose_caller_leaves_is_counted_and_timed(keys: Keys) -> None:
    rpc = contract.rpcs()["/comptoir.auth.v1.AccountDirectoryService/GetSigningKeys"]

    def counted() -> float:
        labels = {"method": rpc.path, "code": "CANCELLED"}
        return REGISTRY.get_sample_value("comptoir_rpc_served_total", labels) or 0

    def timed() -> float:
        return REGISTRY.get_sample_value("comptoir_rpc_served_seconds_count", {"method": rpc.path}) or 0

    before = counted(), timed()
    patient = Patient()
    register = lambda served: served.add_generic_rpc_handlers((patient,))  # noqa: E731
    running, _, port = await server.start("auth", "127.0.0.1:0", keys.verifier("auth"), [register])
    peer = Peer("auth", f"127.0.0.1:{port}", keys.signer("gateway"))
    method: Any = peer.channel.unary_unary(rpc.path, lambda m: m.SerializeToString(), rpc.response.FromString)
    token = keys.signer("gateway").token("auth", service("gateway", None))
    call = method(rpc.request(), metadata=[("comptoir-identity", token)])
    await asyncio.wait_for(patient.taken.wait(), 10)
    call.cancel()
    await eventually(lambda: counted() == before[0] + 1)
    assert timed() == before[1] + 1
    await peer.close()
    await running.stop(None)
