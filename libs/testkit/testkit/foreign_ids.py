"""What a stranger gets who names something of another organization: of each RPC of members that takes ids."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from google.protobuf import json_format

from comptoir.api.v1 import policy_pb2
from servicekit import contract, ids
from servicekit.contract import Rpc
from servicekit.database import Database
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.edge import Edge
from testkit.statements import sent

_ORGANIZATION = "organization_id"


@dataclass(frozen=True, slots=True)
class Compared:
    """An RPC that was asked for something of others, and for something that nobody has."""

    method: str
    answer: str
    """What came of the first: a refusal's reason, or a message."""
    same_answer: bool
    same_work: bool
    """Whether both sent the same statements."""
    looked: bool
    """Whether any were sent at all. A session's own organization is known without."""


def rpcs_with_ids(service: str, *, ignored: frozenset[str] = frozenset()) -> list[tuple[Rpc, list[str]]]:
    """The RPCs of members that take ids, with the names of those, but for `ignored`."""
    found = []
    for rpc in contract.rpcs().values():
        if rpc.service != service or rpc.policy is None or rpc.policy.audience != policy_pb2.AUDIENCE_MEMBER:
            continue
        fields = [str(each) for each in rpc.request.DESCRIPTOR.fields_by_name]
        named = [each for each in fields if each.endswith(("_id", "_ids")) and each not in ignored]
        if named:
            found.append((rpc, named))
    return found


async def compare(
    edge: Edge,
    db: Database,
    stranger: Caller,
    theirs: Mapping[str, str],
    *,
    valid: Mapping[str, Mapping[str, Any]],
    ignored: frozenset[str] = frozenset(),
) -> list[Compared]:
    """Asks each RPC of the edge's service for ids of others, and for random ones, twice: caches fill first.

    `theirs`: an id for each name in requests; one that is missing is a KeyError, so that a new RPC is not
    forgotten. `valid`: what else a request must say, as JSON, by the method's name.
    """
    random = {name: ids.show(shown.partition("_")[0], ids.new()) for name, shown in theirs.items()}
    compared = []
    for rpc, names in rpcs_with_ids(edge.service, ignored=ignored):
        answers, work = [], []
        for named in (theirs, random, theirs, random):
            request = request_of(rpc, stranger, {name: named[name] for name in names}, valid=valid)
            async with sent(db) as statements:
                answers.append(await ask(edge, rpc, stranger, request))
                await asyncio.sleep(0)  # the bare connection tells its listeners a turn later
            work.append(list(statements))
        same_answer, same_work = len(set(answers)) == 1, work[2] == work[3]
        compared.append(Compared(rpc.method.name, answers[0], same_answer, same_work, bool(work[2])))
    return compared


def request_of(
    rpc: Rpc, caller: Caller, named: Mapping[str, str], *, valid: Mapping[str, Mapping[str, Any]]
) -> Any:
    """A valid request. Beside another id the organization is the caller's own: else nobody gets further."""
    fields = dict(named)
    if len(fields) > 1 and _ORGANIZATION in fields:
        fields[_ORGANIZATION] = ids.show("org", caller.tenant)
    return json_format.ParseDict({**valid.get(rpc.method.name, {}), **fields}, rpc.request())


async def ask(edge: Edge, rpc: Rpc, caller: Caller, request: Any) -> str:
    """What came of it: the refusal with all that it tells, or the message."""
    service = rpc.method.containing_service
    module = import_module(service.file.name.replace("/", ".").removesuffix(".proto") + "_pb2_grpc")
    stub = getattr(module, f"{service.name}Stub")
    try:
        return str(await edge.call(stub, rpc.method.name, request, caller=caller))
    except AppError as refusal:
        return f"{refusal.reason}: {refusal.kind} {refusal.detail} {refusal.metadata}"
