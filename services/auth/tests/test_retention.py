"""How long an organization keeps what: within bounds, one change after the other, told and recorded."""

import asyncio
from dataclasses import asdict, replace
from typing import Any

import pytest

from auth.app import App
from auth.domain.audit import Action
from auth.domain.members import OrganizationNotFound
from auth.servicer import servicers
from auth.usecases import retention
from comptoir.auth.v1 import events_pb2, retention_pb2, retention_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError, VersionMismatch
from servicekit.identity import Caller
from servicekit.retention import Periods, Retention
from testkit.callers import member
from testkit.edge import Edge
from testkit.outbox import published
from testkit.plugin import StartEdge

from .conftest import People
from .staff import by, log_in

EMAIL = "paulette@example.org"
SHORT = Periods(guest_days=365, wish_days=30, ticket_days=90, mail_days=14, delivery_days=1)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(EMAIL)
    return await log_in(people, EMAIL)


async def changes(app: App) -> list[events_pb2.RetentionChanged]:
    return [each for each in await published(app.db) if isinstance(each, events_pb2.RetentionChanged)]


async def test_the_defaults_hold_until_somebody_changes_them(app: App, owner: Caller) -> None:
    assert await retention.get_retention(app, owner.tenant) == Retention(1, Periods())
    assert Periods() == Periods(730, 90, 730, 90, 30)


async def test_a_change_holds_is_told_and_recorded(app: App, people: People, owner: Caller) -> None:
    changed = await retention.update_retention(app, owner.tenant, SHORT, by=by(owner))
    assert changed == Retention(2, SHORT)
    assert await retention.get_retention(app, owner.tenant) == changed
    organization = ids.show("org", owner.tenant)
    assert await changes(app) == [
        events_pb2.RetentionChanged(organization_id=organization, version=2, **asdict(SHORT))
    ]
    entry = (await people.log(owner.tenant))[-1]
    assert (entry.action, entry.target) == (Action.RETENTION_CHANGED, organization)
    assert (entry.before, entry.after) == (asdict(Periods()), asdict(SHORT))


async def test_what_holds_already_is_no_change(app: App, people: People, owner: Caller) -> None:
    first = await retention.update_retention(app, owner.tenant, SHORT, by=by(owner))
    recorded = await people.log(owner.tenant)
    assert await retention.update_retention(app, owner.tenant, SHORT, by=by(owner)) == first
    assert len(await changes(app)) == 1
    assert await people.log(owner.tenant) == recorded


async def test_a_change_of_what_has_changed_since_is_refused(app: App, owner: Caller) -> None:
    await retention.update_retention(app, owner.tenant, SHORT, expected_version=1, by=by(owner))
    for seen in (1, 3):
        with pytest.raises(VersionMismatch):
            await retention.update_retention(
                app, owner.tenant, Periods(), expected_version=seen, by=by(owner)
            )
    assert (await retention.get_retention(app, owner.tenant)).periods == SHORT


async def test_of_many_who_have_read_the_same_one_changes_it(app: App, owner: Caller) -> None:
    async def change(days: int) -> Retention:
        wanted = replace(SHORT, mail_days=days)
        return await retention.update_retention(app, owner.tenant, wanted, expected_version=1, by=by(owner))

    ended = await asyncio.gather(*(change(days) for days in range(20, 30)), return_exceptions=True)
    (won,) = [each for each in ended if isinstance(each, Retention)]
    assert sum(isinstance(each, VersionMismatch) for each in ended) == 9
    assert won == await retention.get_retention(app, owner.tenant)
    assert [each.version for each in await changes(app)] == [2]


async def test_another_organization_keeps_its_own(app: App, people: People, owner: Caller) -> None:
    other = await people.own("marcel@example.org")
    await retention.update_retention(app, owner.tenant, SHORT, by=by(owner))
    assert await retention.get_retention(app, other) == Retention(1, Periods())


async def call(edge: Edge, method: str, caller: Caller, **values: Any) -> retention_pb2.Retention:
    request = getattr(retention_pb2, f"{method}Request")
    named = request(organization_id=ids.show("org", caller.tenant), **values)
    answer = await edge.call(retention_pb2_grpc.RetentionServiceStub, method, named, caller=caller)
    shown: retention_pb2.Retention = answer.retention
    return shown


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


async def test_the_edge_reads_and_changes_within_the_platforms_bounds(edge: Edge, owner: Caller) -> None:
    assert await call(edge, "GetRetention", owner) == retention_pb2.Retention(version=1, **asdict(Periods()))
    wanted = asdict(SHORT) | {"guest_days": 3650}
    assert await call(edge, "UpdateRetention", owner, **wanted) == retention_pb2.Retention(
        version=2, **wanted
    )
    for name in wanted:
        for beyond in (0, 3651):
            with pytest.raises(AppError) as refusal:
                await call(edge, "UpdateRetention", owner, **(wanted | {name: beyond}))
            assert refusal.value.reason == "INVALID_REQUEST"


async def test_who_may_not_change_the_organization_may_read_at_most(edge: Edge, owner: Caller) -> None:
    admin, host = member(owner.tenant, "admin"), member(owner.tenant, "host")
    assert (await call(edge, "GetRetention", admin)).version == 1
    for caller, method in ((admin, "UpdateRetention"), (host, "GetRetention"), (host, "UpdateRetention")):
        with pytest.raises(AppError) as refusal:
            await call(edge, method, caller, **(asdict(SHORT) if method == "UpdateRetention" else {}))
        assert refusal.value.reason == "PERMISSION_DENIED"


async def test_of_another_organization_nothing_is_told(edge: Edge, people: People, owner: Caller) -> None:
    other = ids.show("org", await people.own("marcel@example.org"))
    for method, values in (("GetRetention", {}), ("UpdateRetention", asdict(SHORT))):
        request = getattr(retention_pb2, f"{method}Request")(organization_id=other, **values)
        with pytest.raises(AppError) as refusal:
            await edge.call(retention_pb2_grpc.RetentionServiceStub, method, request, caller=owner)
        assert refusal.value.reason == OrganizationNotFound.reason
