"""Reading the audit log: what is found, what can be checked elsewhere, and what tampering shows."""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from auth.app import App
from auth.domain.api_keys import Rules
from auth.domain.audit import Action, ActorKind, Author, Entry
from auth.servicer import servicers
from auth.store import audit
from auth.store.audit import Wanted
from auth.tables import AUDIT_ENTRIES, AUDIT_HEADS
from auth.usecases import api_keys, audit_log
from auth.usecases.audit_log import Verdict
from comptoir.auth.v1 import audit_pb2 as pb
from comptoir.auth.v1.audit_pb2_grpc import AuditServiceStub
from servicekit import ids, paging
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.callers import member
from testkit.databases import ServiceDatabases
from testkit.edge import Edge
from testkit.plugin import StartEdge

from . import staff
from .conftest import People
from .staff import log_in

PAULETTE, MARCEL, KEY = ids.new(), ids.new(), ids.new()
BY_PAULETTE = Author(ActorKind.USER, PAULETTE, address="192.0.2.7", request_id="request-1")
BY_KEY = Author(ActorKind.KEY, KEY, PAULETTE)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


async def write(app: App, chain: UUID, *acts: tuple[Author, Action, str]) -> None:
    for by, action, target in acts:
        async with app.db.begin(chain) as tx:
            await audit.record(tx, chain, by, action, target=target, after={"name": "Zoé", "number": 2})


async def three(app: App) -> UUID:
    chain = ids.new()
    await write(
        app,
        chain,
        (BY_PAULETTE, Action.MEMBER_REMOVED, "usr_1"),
        (BY_KEY, Action.MEMBER_REMOVED, "usr_2"),
        (Author(ActorKind.USER, MARCEL), Action.ROLE_CREATED, "rol_1"),
    )
    return chain


async def seqs(app: App, chain: UUID, wanted: Wanted) -> list[int]:
    page = paging.page(0, "", "test", keys=1)
    return [each.seq for each in (await audit_log.list_entries(app, chain, wanted, page))[0]]


async def test_entries_are_found_by_who_what_whom_and_when(app: App, people: People) -> None:
    chain = await three(app)
    first, second, third = await people.log(chain)
    assert await seqs(app, chain, Wanted()) == [3, 2, 1]
    assert await seqs(app, chain, Wanted(actor_id=PAULETTE)) == [2, 1]
    assert await seqs(app, chain, Wanted(actor_id=KEY)) == [2]
    assert await seqs(app, chain, Wanted(action="member.removed")) == [2, 1]
    assert await seqs(app, chain, Wanted(target="usr_1")) == [1]
    assert await seqs(app, chain, Wanted(since=second.at)) == [3, 2]
    assert await seqs(app, chain, Wanted(until=third.at)) == [2, 1]
    assert await seqs(app, chain, Wanted(actor_id=PAULETTE, since=second.at, until=third.at)) == [2]
    assert await seqs(app, chain, Wanted(action="nothing", until=first.at)) == []
    assert await seqs(app, ids.new(), Wanted()) == []


async def test_pages_go_on_where_they_ended_whatever_is_written_meanwhile(app: App, edge: Edge) -> None:
    chain = await three(app)
    caller = member(chain)
    request = pb.ListAuditEntriesRequest(organization_id=ids.show("org", chain), page_size=2)
    first = await edge.call(AuditServiceStub, "ListAuditEntries", request, caller=caller)
    await write(app, chain, (BY_PAULETTE, Action.ROLE_DELETED, "rol_1"))
    request.page_token = first.next_page_token
    rest = await edge.call(AuditServiceStub, "ListAuditEntries", request, caller=caller)
    assert [each.seq for each in (*first.items, *rest.items)] == [3, 2, 1]
    assert rest.next_page_token == ""
    request.action = "role.created"
    with pytest.raises(AppError) as refused:
        await edge.call(AuditServiceStub, "ListAuditEntries", request, caller=caller)
    assert refused.value.reason == "INVALID_PAGE_TOKEN"


async def test_an_entry_says_all_there_is_to_say(app: App, edge: Edge) -> None:
    chain = await three(app)
    request = pb.ListAuditEntriesRequest(
        organization_id=ids.show("org", chain), actor_id=ids.show("key", KEY)
    )
    (shown,) = (await edge.call(AuditServiceStub, "ListAuditEntries", request, caller=member(chain))).items
    assert (shown.actor_kind, shown.actor_id) == ("key", ids.show("key", KEY))
    assert shown.on_behalf_of == ids.show("usr", PAULETTE)
    assert (shown.action, shown.target, shown.before) == ("member.removed", "usr_2", "")
    assert json.loads(shown.after) == {"name": "Zoé", "number": 2}
    request.actor_id = "paulette@example.org"
    with pytest.raises(AppError) as refused:
        await edge.call(AuditServiceStub, "ListAuditEntries", request, caller=member(chain))
    assert refused.value.reason == "ACTOR_UNKNOWN"


async def test_what_is_exported_can_be_checked_by_anybody(app: App, edge: Edge) -> None:
    chain = await three(app)
    request = pb.ExportAuditEntriesRequest(organization_id=ids.show("org", chain))
    answer = await edge.call(AuditServiceStub, "ExportAuditEntries", request, caller=member(chain))
    previous = bytes(32)
    for seq, each in enumerate(answer.items, start=1):
        assert each.previous_hash == previous.hex()
        previous = hashlib.sha256(previous + each.canonical_json.encode()).digest()
        assert each.hash == previous.hex()
        assert json.loads(each.canonical_json)["seq"] == each.entry.seq == seq
    assert (len(answer.items), answer.newest) == (3, 3)
    request.after = 2
    answer = await edge.call(AuditServiceStub, "ExportAuditEntries", request, caller=member(chain))
    assert [each.entry.seq for each in answer.items] == [3]


@pytest.mark.parametrize("method", ["ListAuditEntries", "ExportAuditEntries", "VerifyAuditLog"])
async def test_the_log_is_for_the_organization_and_whoever_may_read_it(
    app: App, edge: Edge, method: str
) -> None:
    chain = await three(app)
    request = getattr(pb, f"{method}Request")(organization_id=ids.show("org", chain))
    assert await edge.call(AuditServiceStub, method, request, caller=member(chain, "admin"))
    refusals: dict[str, Caller] = {
        "PERMISSION_DENIED": member(chain, "manager"),
        "ORGANIZATION_NOT_FOUND": member(ids.new()),
    }
    for reason, caller in refusals.items():
        with pytest.raises(AppError) as refused:
            await edge.call(AuditServiceStub, method, request, caller=caller)
        assert refused.value.reason == reason


async def owner_executes(databases: ServiceDatabases, chain: UUID, *statements: sa.Executable) -> None:
    """As somebody who has taken over the database, and goes round trigger and rights."""
    url = databases.settings("auth").owner_url
    assert url
    engine = create_async_engine(url.get_secret_value().replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as connection:
        tenant = sa.select(sa.func.set_config("app.organization_id", str(chain), True))
        await connection.execute(tenant)
        await connection.execute(sa.text("ALTER TABLE audit_entries DISABLE TRIGGER USER"))
        for each in statements:
            await connection.execute(each)
        await connection.execute(sa.text("ALTER TABLE audit_entries ENABLE TRIGGER USER"))
    await engine.dispose()


def forged(entry: Entry) -> Entry:
    """Another entry that is right in itself."""
    changed = replace(entry, target="usr_forged")
    return replace(changed, hash=changed.digest())


async def test_a_good_log_is_found_good(app: App) -> None:
    chain = await three(app)
    assert await audit_log.verify_log(app, chain, after=0) == Verdict(3, None, 3)
    assert await audit_log.verify_log(app, chain, after=2) == Verdict(3, None, 3)
    assert await audit_log.verify_log(app, chain, after=3) == Verdict(3, None, 3)
    assert await audit_log.verify_log(app, ids.new(), after=0) == Verdict(0, None, 0)
    assert (await audit_log.verify_log(app, chain, after=9)).first_broken == 4


@pytest.mark.parametrize(
    ("tampering", "broken"),
    [
        ("changed", 2),
        ("changed with its hash", 3),
        ("last changed with its hash", 3),
        ("left out", 2),
        ("cut off", 3),
    ],
)
async def test_tampering_is_found_with_the_number_of_the_first_entry_that_is_wrong(
    app: App, people: People, service_databases: ServiceDatabases, tampering: str, broken: int
) -> None:
    chain = await three(app)
    _, second, third = await people.log(chain)
    log = AUDIT_ENTRIES
    of_chain = log.c.organization_id == chain
    values = {name: value for name, value in asdict(forged(second)).items() if name in ("target", "hash")}
    last = {name: value for name, value in asdict(forged(third)).items() if name in ("target", "hash")}
    statement: dict[str, sa.Executable] = {
        "changed": sa.update(log).where(of_chain, log.c.seq == 2).values(target="usr_forged"),
        "changed with its hash": sa.update(log).where(of_chain, log.c.seq == 2).values(**values),
        "last changed with its hash": sa.update(log).where(of_chain, log.c.seq == 3).values(**last),
        "left out": sa.delete(log).where(of_chain, log.c.seq == 2),
        "cut off": sa.delete(log).where(of_chain, log.c.seq == 3),
    }
    await owner_executes(service_databases, chain, statement[tampering])
    verdict = await audit_log.verify_log(app, chain, after=0)
    assert (verdict.first_broken, verdict.verified) == (broken, broken - 1)


async def test_the_serving_role_moves_the_head_only_with_entries(app: App) -> None:
    """The control: a head that was moved alone is found too."""
    chain = await three(app)
    async with app.db.begin(chain) as tx:
        await tx.execute(sa.update(AUDIT_HEADS).where(AUDIT_HEADS.c.organization_id == chain).values(seq=4))
    assert await audit_log.verify_log(app, chain, after=0) == Verdict(3, 4, 4)


async def test_an_organization_reads_exports_and_checks_the_log_of_its_sandbox(
    app: App, people: People, edge: Edge
) -> None:
    own = await people.own("paulette@example.org")
    owner = await log_in(people, "paulette@example.org")
    asked = {"organization_id": ids.show("org", own), "sandbox": True}
    reads: list[tuple[str, Any]] = [
        ("ListAuditEntries", pb.ListAuditEntriesRequest(**asked)),
        ("ExportAuditEntries", pb.ExportAuditEntriesRequest(**asked)),
        ("VerifyAuditLog", pb.VerifyAuditLogRequest(**asked)),
    ]
    for method, request in reads:
        with pytest.raises(AppError) as refused:
            await edge.call(AuditServiceStub, method, request, caller=owner)
        assert refused.value.reason == "NO_SANDBOX"
    rules = Rules("a test", frozenset({"members.read"}), sandbox=True)
    made = await api_keys.create_key(app, owner, rules, user_id=owner.user, by=staff.by(owner))
    key = Author(ActorKind.KEY, made.key.id)
    await write(app, made.key.acts_in, (key, Action.ROLE_CREATED, "rol_test"))
    listed, exported, checked = [
        await edge.call(AuditServiceStub, method, request, caller=owner) for method, request in reads
    ]
    assert [(each.target, each.on_behalf_of) for each in listed.items] == [
        ("rol_test", ids.show("usr", owner.user))
    ]
    assert [each.entry.target for each in exported.items] == ["rol_test"]
    assert (checked.intact, checked.verified, checked.newest) == (True, 1, 1)
    stranger = member(ids.new())
    with pytest.raises(AppError) as refused:
        await edge.call(AuditServiceStub, "ListAuditEntries", reads[0][1], caller=stranger)
    assert refused.value.reason == "ORGANIZATION_NOT_FOUND"
