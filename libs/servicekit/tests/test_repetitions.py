"""Automatic repetition: of which calls, how often, and until when. Against a server that is away."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import grpc
import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from grpc import StatusCode

from servicekit import contract
from servicekit.contract import CONTEXTS, Rpc
from servicekit.errors import Unavailable
from servicekit.rpc.client import Peer, service_config
from testkit.keys import Keys

RPCS = [pytest.param(rpc, id=path) for path, rpc in contract.rpcs().items()]
READ = "/comptoir.auth.v1.OrganizationService/GetOrganization"
CHANGE = "/comptoir.auth.v1.MemberService/UpdateMember"
VERSIONED = "/comptoir.auth.v1.OrganizationService/UpdateOrganization"
DELETION = "/comptoir.auth.v1.MemberService/RemoveMember"
NOT_IDEMPOTENT = "/comptoir.auth.v1.AccountService/LogIn"


class Away(grpc.GenericRpcHandler):
    """Counts what comes, and answers UNAVAILABLE as often as it is told to."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        rpc = contract.rpcs()[handler_call_details.method]

        async def answer(_request: Message, context: Any) -> Message:
            self.calls += 1
            if self.calls <= self.failures:
                await context.abort(StatusCode.UNAVAILABLE)
            return rpc.response()

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=rpc.request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


@asynccontextmanager
async def served(away: Away, keys: Keys, *, retries: bool) -> AsyncIterator[Peer]:
    """auth on a port of its own, as a peer that repeats or does not. Budgets are kept by address."""
    running = grpc.aio.server()
    running.add_generic_rpc_handlers((away,))
    port = running.add_insecure_port("127.0.0.1:0")
    await running.start()
    peer = Peer("auth", f"127.0.0.1:{port}", keys.signer("gateway"), retries=retries)
    yield peer
    await peer.close()
    await running.stop(None)


async def call(peer: Peer, path: str) -> Any:
    rpc = contract.rpcs()[path]
    serialize = lambda message: message.SerializeToString()  # noqa: E731
    return await peer.call(
        peer.channel.unary_unary(path, serialize, rpc.response.FromString), rpc.request(), timeout=30
    )


@pytest.mark.parametrize(
    ("path", "retries", "times"),
    [
        (READ, True, 4),
        (CHANGE, True, 4),
        (VERSIONED, True, 1),
        (DELETION, True, 1),
        (NOT_IDEMPOTENT, True, 1),
        (READ, False, 1),
    ],
)
async def test_a_call_comes_as_often_as_it_may(path: str, *, retries: bool, times: int, keys: Keys) -> None:
    away = Away(failures=100)
    async with served(away, keys, retries=retries) as peer:
        with pytest.raises(Unavailable):
            await call(peer, path)
    assert away.calls == times


async def test_whoever_calls_does_not_notice_three_failures(keys: Keys) -> None:
    away = Away(failures=3)
    async with served(away, keys, retries=True) as peer:
        assert await call(peer, READ) == contract.rpcs()[READ].response()
    assert away.calls == 4


async def test_after_many_failures_nothing_is_repeated(keys: Keys) -> None:
    """Each failure costs one of twenty tokens, and ten must be left."""
    away = Away(failures=100)
    seen = []
    async with served(away, keys, retries=True) as peer:
        for _ in range(6):
            before = away.calls
            with pytest.raises(Unavailable):
                await call(peer, READ)
            seen.append(away.calls - before)
    assert seen == [4, 4, 2, 1, 1, 1]


@cache
def _repeated() -> frozenset[str]:
    return frozenset(
        f"/{name['service']}/{name['method']}"
        for context in CONTEXTS
        for config in service_config(context, retries=True)["methodConfig"]
        for name in config["name"]
    )


def _fields(message: Descriptor, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names of all fields of a message, and of the messages in it."""
    for field in message.fields:
        yield field.name
        inner = field.message_type
        if inner is not None and inner.full_name not in seen:
            yield from _fields(inner, seen | {inner.full_name})


def _verbs(rpc: Rpc) -> set[str | None]:
    rule = rpc.method.GetOptions().Extensions[annotations_pb2.http]
    return {each.WhichOneof("pattern") for each in (rule, *rule.additional_bindings)}


@pytest.mark.parametrize("rpc", RPCS)
def test_reads_and_what_is_answered_alike_again_are_repeated_and_nothing_else(rpc: Rpc) -> None:
    """Of its own success nobody is told 412 or 404 because the first answer was lost on its way."""
    assert rpc.policy
    compares = any(name.endswith("expected_version") for name in _fields(rpc.method.input_type))
    deletes = "delete" in _verbs(rpc)
    assert (rpc.path in _repeated()) == (rpc.policy.idempotent and not compares and not deletes)
    if "get" in _verbs(rpc):
        assert rpc.path in _repeated()
