"""What operators do is in the organization's audit log before it is done: once, while their access holds."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.audit import Action, ActorKind, Entry
from auth.domain.operator_access import AccessEnd, OperatorAccess, OperatorAct
from auth.servicer import servicers
from auth.store import operator_accesses as store
from auth.tables import OPERATOR_ACCESSES
from auth.usecases import audit_log, operator_acts
from auth.usecases.audit_log import Verdict
from comptoir.auth.v1 import audit_pb2, operator_access_pb2
from comptoir.auth.v1.audit_pb2_grpc import AuditServiceStub
from comptoir.auth.v1.operator_access_pb2_grpc import OperatorDirectoryServiceStub
from servicekit import ids
from servicekit.errors import AppError, Unauthenticated
from testkit import eventually
from testkit.callers import member, service
from testkit.edge import Edge
from testkit.plugin import StartEdge
from testkit.waiting import waiting_for_locks

from .conftest import PLACE, People
from .operating import OWNER, WISH, Agent, Scene
from .staff import log_in

BOOKING = ids.show("bkg", ids.new())


@pytest.fixture
async def scene(app: App, people: People) -> Scene:
    organization = await people.own(OWNER)
    return Scene(app, people, organization, await Agent.add(app))


def act(access: OperatorAccess, **changes: Any) -> OperatorAct:
    done = OperatorAct(
        id=ids.new(),
        operator_id=access.operator_id,
        access_id=access.id,
        call="getBooking",
        touched=(BOOKING,),
        address=PLACE,
        request_id="request-of-the-act",
    )
    return replace(done, **changes)


async def acts(scene: Scene) -> list[Entry]:
    """What the organization's log says of them."""
    log = await scene.people.log(scene.organization)
    return [each for each in log if each.action is Action.OPERATOR_ACCESS_USED]


async def test_the_organization_reads_who_did_what_why_and_to_what(scene: Scene) -> None:
    access, _ = await scene.begin()
    told = act(access)
    await operator_acts.record_act(scene.app, scene.organization, told)
    (entry,) = await acts(scene)
    assert (entry.actor_kind, entry.actor_id, entry.on_behalf_of) == (
        ActorKind.OPERATOR,
        scene.agent.id,
        None,
    )
    assert (entry.id, entry.target, entry.before) == (told.id, ids.show("acc", access.id), None)
    assert entry.after == {
        "call": "getBooking",
        "touched": [BOOKING],
        "reason": WISH.reason,
        "ticket": WISH.ticket,
    }
    assert (entry.address, entry.request_id) == (PLACE, "request-of-the-act")
    newest = entry.seq
    assert await audit_log.verify_log(scene.app, scene.organization, after=0) == Verdict(newest, None, newest)


async def test_what_is_told_again_is_written_once(scene: Scene) -> None:
    access, _ = await scene.begin()
    told = act(access)
    again = [operator_acts.record_act(scene.app, scene.organization, told) for _ in range(5)]
    await asyncio.gather(*again)
    assert [each.id for each in await acts(scene)] == [told.id]
    others = [operator_acts.record_act(scene.app, scene.organization, act(access)) for _ in range(5)]
    await asyncio.gather(*others)
    assert len(await acts(scene)) == 6
    verdict = await audit_log.verify_log(scene.app, scene.organization, after=0)
    assert verdict.first_broken is None


@pytest.mark.parametrize("end", ["by the organization", "by its time"])
async def test_when_access_is_over_nothing_is_written_and_nothing_let_through(scene: Scene, end: str) -> None:
    access, _ = await scene.begin()
    if end == "by the organization":
        await scene.end_by_owner(access)
    else:
        await scene.people.age(OPERATOR_ACCESSES, timedelta(minutes=31))
    with pytest.raises(Unauthenticated):
        await operator_acts.record_act(scene.app, scene.organization, act(access))
    assert await acts(scene) == []


async def test_an_access_lets_in_its_operator_to_its_organization_alone(scene: Scene, people: People) -> None:
    access, _ = await scene.begin()
    other = await people.own("marcel@example.org")
    wrong: list[tuple[UUID, OperatorAct]] = [
        (scene.organization, act(access, operator_id=ids.new())),
        (scene.organization, act(access, access_id=ids.new())),
        (other, act(access)),
    ]
    for organization, told in wrong:
        with pytest.raises(Unauthenticated):
            await operator_acts.record_act(scene.app, organization, told)
    assert await acts(scene) == []


async def test_an_act_waits_for_an_end_that_is_under_way_and_is_refused(scene: Scene) -> None:
    access, _ = await scene.begin()
    async with scene.app.db.begin_platform(reason="end access slowly in a test") as tx:
        held = await store.lock_access(tx, access.id)
        assert held is not None
        await store.end_access(tx, held.end(AccessEnd.ORGANIZATION, now=tx.now))
        told = asyncio.ensure_future(operator_acts.record_act(scene.app, scene.organization, act(access)))
        assert await eventually(lambda: waiting_for_locks(scene.app.db))
        assert not told.done()
    with pytest.raises(Unauthenticated):
        await told
    assert await acts(scene) == []


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


async def test_the_gateway_tells_it_and_the_organization_finds_it(edge: Edge, scene: Scene) -> None:
    access, _ = await scene.begin()
    told = operator_access_pb2.RecordOperatorActRequest(
        act_id=ids.new().bytes,
        operator_id=scene.agent.id.bytes,
        access_id=access.id.bytes,
        call="cancelBooking",
        touched=[BOOKING],
        address=PLACE,
        request_id="request-of-the-act",
    )
    organization = scene.organization

    async def tell(name: str, where: UUID = organization) -> None:
        caller = service(name, where)
        await edge.call(OperatorDirectoryServiceStub, "RecordOperatorAct", told, caller=caller)

    for name in ("booking", "notification"):
        with pytest.raises(AppError) as refused:
            await tell(name)
        assert refused.value.reason == "PERMISSION_DENIED"
    with pytest.raises(AppError) as refused:
        await edge.call(OperatorDirectoryServiceStub, "RecordOperatorAct", told, caller=member(organization))
    assert refused.value.reason == "UNAUTHENTICATED"
    with pytest.raises(AppError) as refused:
        await tell("gateway", ids.new())
    assert refused.value.reason == "UNAUTHENTICATED"
    await tell("gateway")
    owner = await log_in(scene.people, OWNER)
    here = ids.show("org", organization)
    for wanted in (
        {"action": "operator_access.used"},
        {"target": ids.show("acc", access.id), "action": "operator_access.used"},
        {"actor_id": ids.show("opr", scene.agent.id), "action": "operator_access.used"},
    ):
        question = audit_pb2.ListAuditEntriesRequest(organization_id=here, **wanted)
        (shown,) = (await edge.call(AuditServiceStub, "ListAuditEntries", question, caller=owner)).items
        assert (shown.actor_kind, shown.actor_id) == ("operator", ids.show("opr", scene.agent.id))
        assert "cancelBooking" in shown.after
        assert WISH.reason in shown.after
    everything = audit_pb2.ExportAuditEntriesRequest(organization_id=here)
    exported = (await edge.call(AuditServiceStub, "ExportAuditEntries", everything, caller=owner)).items
    assert [each.entry.action for each in exported].count("operator_access.used") == 1
