"""An ended session makes no way in that lasts, however soon its access token is used: auth asks it itself."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from types import MappingProxyType
from typing import Any

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.sessions import EndReason
from auth.servicer import servicers
from auth.store import sessions as session_store
from auth.usecases import operator_sessions, own_sessions, passkeys
from auth.usecases.holding import hold_session
from comptoir.api.v1 import policy_pb2
from servicekit import contract, ids
from servicekit.contract import Rpc
from servicekit.errors import AppError, Kind, Unauthenticated
from servicekit.identity import Caller, CallerKind
from testkit.authenticator import Authenticator
from testkit.edge import Edge
from testkit.paging import WHOLE
from testkit.plugin import StartEdge
from testkit.waiting import eventually

from .conftest import PASSWORD, PLACE, People
from .operating import WORDS, Agent
from .staff import invite, link, log_in

OWNER = "paulette@example.org"
FRESH = {
    path.rpartition(".")[2]: rpc
    for path, rpc in contract.rpcs().items()
    if rpc.service == "auth" and rpc.policy is not None and rpc.policy.fresh
}
HELD = (
    "InvitationService/AcceptInvitation",
    "InvitationService/ResendInvitation",
    "InvitationService/RevokeInvitation",
    "ApiKeyService/RevokeApiKey",
    "ApiKeyService/RaiseApiKeyVersion",
    "RoleService/CreateRole",
    "RoleService/DeleteRole",
    "OrganizationService/CreateOrganization",
    "OrganizationService/UpdateOrganization",
    "OrganizationService/SwitchOrganization",
    "OrganizationService/LeaveOrganization",
    "ThemeService/UpdateTheme",
)
"""What is not `fresh`, and changes members, roles, keys, invitations or organizations."""
LET_BE = (
    "AccountService/LogOut",
    "SessionService/LogOutEverywhere",
    "SessionService/RevokeSession",
    "SessionService/Reauthenticate",
    "FactorService/ForgetRememberedDevice",
    "PasskeyService/RenamePasskey",
    "OperatorVisitService/EndOperatorAccess",
)
"""What gives nobody anything: it ends something, names it, or asks for credentials itself."""
_PREFIXES = MappingProxyType(
    {
        "user_id": "usr",
        "connection_id": "con",
        "identity_id": "idn",
        "passkey_id": "pky",
        "key_id": "key",
        "role_id": "rol",
        "invitation_id": "inv",
        "operator_id": "opr",
        "request_id": "prq",
        "origin_id": "ori",
        "domain_id": "dom",
        "export_id": "prq",
    }
)
_VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "name": "Cellar",
        "display_name": "Marcel",
        "email": "marcel@example.org",
        "phone": "+33123456789",
        "code": "123456",
        "credential": "{}",
        "client_secret": "a secret",
        "settings": {
            "name": "Corp",
            "issuer": "https://login.corp.example",
            "client_id": "comptoir",
            "default_role": "viewer",
        },
        "permissions": ["venues.read"],
        "role": "viewer",
        "old_password": PASSWORD,
        "new_password": "nine kites above the estuary",
        "kind": 1,
        "guest_days": 400,
        "wish_days": 60,
        "ticket_days": 400,
        "mail_days": 60,
        "delivery_days": 30,
        "reason": "The guests cannot book",
        "origin": "https://www.corp.example",
        "domain": "book.corp.example",
        "background": "#ffffff",
        "text": "#000000",
        "accent": "#000000",
        "ticket": "T-17",
        "minutes": 30,
    }
)
_OF_RPC: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "OperatorService/AddOperator": {"role": "support"},
        "ApiKeyService/RaiseApiKeyVersion": {"version": "2026-11-01"},
        "OperatorSessionService/ChangeOperatorPassword": {"old_password": WORDS},
        "PrivacyService/CreatePrivacyRequest": {"name": "", "phone": ""},
    }
)
"""What differs from the values above."""
_READS = ("Get", "List", "Read", "Find", "Verify", "Export", "Download")
"""How calls are named that change nothing."""


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


async def caller_of(app: App, people: People, rpc: Rpc) -> Caller:
    """Somebody who may call it, and has just logged in."""
    await people.own(OWNER)
    if rpc.policy is not None and rpc.policy.audience == policy_pb2.AUDIENCE_PLATFORM:
        return await (await Agent.add(app)).caller()
    return await log_in(people, OWNER)


async def end(app: App, caller: Caller) -> None:
    """As somebody else does who has the account back."""
    by = Author(ActorKind.USER, caller.user, address=PLACE)
    if caller.kind is CallerKind.PLATFORM:
        assert caller.operator is not None
        assert caller.session is not None
        await operator_sessions.end_operator_session(
            app, caller.operator, caller.session, reason=EndReason.REVOKED, by=by
        )
        return
    assert caller.user is not None
    async with app.db.begin_platform(reason="end sessions in a test") as tx:
        await own_sessions.end_sessions(app, tx, caller.user, reason=EndReason.PASSWORD_RESET, by=by)


def request_of(rpc: Rpc, caller: Caller, **given: str) -> Any:
    """A valid one."""
    fields = rpc.method.input_type.fields_by_name
    values = {name: ids.show(prefix, ids.new()) for name, prefix in _PREFIXES.items() if name in fields}
    values |= {name: value for name, value in _VALUES.items() if name in fields}
    values |= _OF_RPC.get(rpc.path.rpartition(".")[2], {})
    if "organization_id" in fields:
        values["organization_id"] = ids.show("org", caller.organization or ids.new())
    return rpc.request(**values | given)


async def outcome(edge: Edge, rpc: Rpc, caller: Caller, **given: str) -> AppError | None:
    """What it is refused with."""
    service = rpc.method.containing_service
    module = import_module(service.file.name.removesuffix(".proto").replace("/", ".") + "_pb2_grpc")
    stub = getattr(module, f"{service.name}Stub")
    try:
        await edge.call(stub, rpc.method.name, request_of(rpc, caller, **given), caller=caller)
    except AppError as error:
        return error
    return None


async def rows(app: App) -> dict[str, tuple[int, str]]:
    """All that is kept: how much in each table, and a digest of it."""
    found = {}
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        names = await tx.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        for name in names.scalars().all():
            kept = "coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '')"
            query = f"SELECT count(*), {kept} FROM {name} t"  # noqa: S608
            row = (await tx.execute(sa.text(query))).one()
            found[str(name)] = (row[0], row[1])
    return found


@pytest.mark.parametrize("name", FRESH)
async def test_what_wants_fresh_credentials_wants_a_session_that_holds(
    app: App, people: People, edge: Edge, name: str
) -> None:
    rpc = FRESH[name]
    caller = await caller_of(app, people, rpc)
    await end(app, caller)
    before = await rows(app)
    refused = await outcome(edge, rpc, caller)
    assert refused is not None
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert await rows(app) == before


def test_what_changes_anything_is_fresh_or_held_or_let_be() -> None:
    """So that a new call is thought of the day it is born."""
    told = {
        path.rpartition(".")[2]
        for path, rpc in contract.rpcs().items()
        if rpc.service == "auth"
        and rpc.policy is not None
        and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
        and not rpc.policy.fresh
        and not rpc.method.name.startswith(_READS)
    }
    assert told == {*HELD, *LET_BE}


@dataclass(frozen=True)
class Ready:
    """An owner who has just logged in and is about to change something."""

    caller: Caller
    rpc: Rpc
    given: Mapping[str, str]


async def ready(app: App, people: People, name: str) -> Ready:
    """For a call of HELD; an invitation is there for the one that accepts."""
    await people.own(OWNER)
    caller = await log_in(people, OWNER)
    rpc = next(each for path, each in contract.rpcs().items() if path.endswith(f".{name}"))
    given = {"token": await open_invitation(app, people)} if name.endswith("AcceptInvitation") else {}
    return Ready(caller, rpc, given)


@pytest.mark.parametrize("name", HELD)
async def test_what_changes_members_wants_a_session_that_holds(
    app: App, people: People, edge: Edge, name: str
) -> None:
    owner = await ready(app, people, name)
    await end(app, owner.caller)
    before = await rows(app)
    refused = await outcome(edge, owner.rpc, owner.caller, **owner.given)
    assert refused is not None
    assert (refused.kind, refused.reason) == (Kind.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert await rows(app) == before


@pytest.mark.parametrize("name", HELD)
async def test_the_same_change_in_a_session_that_holds_is_not_refused_for_that(
    app: App, people: People, edge: Edge, name: str
) -> None:
    """The control of the test above."""
    owner = await ready(app, people, name)
    refused = await outcome(edge, owner.rpc, owner.caller, **owner.given)
    assert refused is None or refused.kind not in {Kind.UNAUTHENTICATED, Kind.INVALID}


async def open_invitation(app: App, people: People) -> str:
    """The link of one that another organization has sent to the owner's address."""
    await people.own("marcel@example.org")
    return await link(app, await invite(app, await log_in(people, "marcel@example.org"), OWNER))


@pytest.mark.parametrize("name", FRESH)
async def test_the_same_call_in_a_session_that_holds_is_not_refused_for_that(
    app: App, people: People, edge: Edge, name: str
) -> None:
    """The control of the test above."""
    rpc = FRESH[name]
    caller = await caller_of(app, people, rpc)
    refused = await outcome(edge, rpc, caller)
    assert refused is None or refused.kind not in {Kind.UNAUTHENTICATED, Kind.INVALID}


async def test_a_session_of_somebody_else_is_none(app: App, people: People) -> None:
    await people.own(OWNER)
    await people.own("marcel@example.org")
    caller, other = await log_in(people, OWNER), await log_in(people, "marcel@example.org")
    async with app.db.begin_platform(reason="hold a session in a test") as tx:
        for kind in (ActorKind.USER, ActorKind.OPERATOR):
            with pytest.raises(Unauthenticated):
                await hold_session(app, tx, Author(kind, caller.user, session=other.session))


async def waiting(app: App) -> bool:
    """Whether somebody waits for a lock of this database."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'"""
    async with app.db.driver() as connection:
        return bool((await connection.fetchrow(query))["count"])


async def test_a_passkey_that_waits_for_the_end_is_not_added(app: App, people: People) -> None:
    await people.own(OWNER)
    caller = await log_in(people, OWNER)
    assert caller.user is not None
    by = Author(ActorKind.USER, caller.user, session=caller.session)
    credential = Authenticator().create(await passkeys.begin_passkey(app, caller.user, by=by))
    async with app.db.begin_platform(reason="end sessions in a test") as tx:
        await own_sessions.end_sessions(app, tx, caller.user, reason=EndReason.REVOKED, by=by)
        adding = asyncio.create_task(
            passkeys.add_passkey(app, caller.user, name="Mine", credential=credential, by=by)
        )
        assert await eventually(lambda: waiting(app))
    with pytest.raises(Unauthenticated):
        await adding
    assert (await passkeys.list_passkeys(app, caller.user, WHOLE))[0] == []


async def test_an_end_waits_for_the_passkey_that_is_being_added(app: App, people: People) -> None:
    """Then it is there when whoever ends the sessions looks which factors there are."""
    await people.own(OWNER)
    caller = await log_in(people, OWNER)
    by = Author(ActorKind.USER, caller.user, session=caller.session)
    assert caller.session is not None
    async with app.db.begin_platform(reason="hold a session in a test") as tx:
        await hold_session(app, tx, by)
        ending = asyncio.create_task(end(app, caller))
        assert await eventually(lambda: waiting(app))
        found = await session_store.lock_session(tx, caller.session)
        assert found is not None
        assert found[0].ended_at is None
    await ending
    with pytest.raises(Unauthenticated):
        async with app.db.begin_platform(reason="hold a session in a test") as tx:
            await hold_session(app, tx, by)


async def test_an_access_token_of_an_idle_session_gives_nothing(app: App, people: People) -> None:
    await people.own(OWNER)
    caller = await log_in(people, OWNER)
    await people.age_sessions(app.lifetimes.idle)
    caller = replace(caller, authenticated_at=int(time.time()))
    by = Author(ActorKind.USER, caller.user, session=caller.session)
    async with app.db.begin_platform(reason="hold a session in a test") as tx:
        with pytest.raises(Unauthenticated):
            await hold_session(app, tx, by)
