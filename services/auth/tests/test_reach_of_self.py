"""What is a person's own, in a session that a connection opened: every `self` call is judged."""

from dataclasses import replace
from typing import Any

import pytest

from auth.app import App
from auth.domain.sessions import RefreshTokenInvalid, SessionTokens
from auth.servicer import servicers
from auth.usecases import sessions
from comptoir.api.v1 import policy_pb2
from comptoir.auth.v1 import organization_pb2, session_pb2
from comptoir.auth.v1.organization_pb2_grpc import OrganizationServiceStub
from comptoir.auth.v1.session_pb2_grpc import SessionServiceStub
from servicekit import contract, ids, permissions
from servicekit.contract import Rpc
from servicekit.errors import AppError, FreshAuthenticationRequired
from servicekit.identity import Caller
from servicekit.rpc.authorization import authorize
from testkit.callers import member
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import People
from .providers_of_people import connect, with_dns
from .staff import log_in
from .test_reach_of_connections import OWNER, SWANN, arrive

BY_CONNECTION = frozenset({permissions.BY_CONNECTION, "otp"})
THERE = {
    "GetMe": "the person as a member of the session's organization",
    "LogOut": "the session itself",
    "Reauthenticate": "takes credentials of the person's own",
    "ListSessions": "those in the organization: test_only_sessions_in_the_organization_are_seen_and_ended",
    "RevokeSession": "the same",
    "ListOrganizations": "the session's: test_no_other_organization_is_seen",
    "GetOrganization": "the session's",
    "LeaveOrganization": "the session's, which its owners may end at any time",
}
"""Calls that a connection's word is enough for, and what they reach then."""
OWN = {
    "ChangePassword": "a way in everywhere",
    "ChangeEmail": "a way in everywhere",
    "DeleteAccount": "everywhere",
    "BeginTotp": "a factor everywhere",
    "ConfirmTotp": "a factor everywhere",
    "RemoveTotp": "a factor everywhere",
    "RenewRecoveryCodes": "factors everywhere",
    "BeginPasskey": "a way in everywhere",
    "AddPasskey": "a way in everywhere",
    "RemovePasskey": "a way in everywhere",
    "RenamePasskey": "misleads the person about a way in",
    "GetFactors": "tells how others are let in",
    "ListPasskeys": "tells how others are let in",
    "ListIdentities": "tells of other organizations' providers",
    "UnlinkIdentity": "a way in elsewhere",
    "ListRememberedDevices": "tells devices and addresses of log-ins elsewhere",
    "ForgetRememberedDevice": "changes log-ins elsewhere",
    "LogOutEverywhere": "ends sessions elsewhere",
    "SwitchOrganization": "leads elsewhere",
    "CreateOrganization": "the person owns it",
    "AcceptInvitation": "makes the person a member elsewhere",
    "ExportMyData": "all that is known of the person",
    "ListMyDataExports": "tells of them",
    "DownloadMyData": "all that is known of the person",
}
"""Calls that want credentials of the person's own, and what they reach."""
SELF = {
    rpc.method.name: rpc
    for rpc in contract.rpcs().values()
    if rpc.policy
    and rpc.policy.audience == policy_pb2.AUDIENCE_MEMBER
    and rpc.policy.permission == permissions.SELF
}


def test_every_call_about_oneself_is_judged() -> None:
    assert SELF.keys() == THERE.keys() | OWN.keys()
    assert not THERE.keys() & OWN.keys()


@pytest.mark.parametrize("rpc", [pytest.param(rpc, id=name) for name, rpc in SELF.items()])
def test_a_connections_word_is_enough_for_what_stays_in_its_organization(rpc: Rpc) -> None:
    assert rpc.policy
    caller = replace(member(ids.new()), methods=BY_CONNECTION)
    authorize(rpc.policy, replace(caller, methods=frozenset({"pwd"})))
    if rpc.method.name in THERE:
        authorize(rpc.policy, caller)
        return
    with pytest.raises(FreshAuthenticationRequired):
        authorize(rpc.policy, caller)


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def vouched(app: App, people: People) -> Caller:
    """Swann in the organization whose connection let him in. He has one of his own, and a session there."""
    await people.own(SWANN)
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    tokens = await arrive(app, await connect(app, owner, "corp.example"), SWANN)
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    known = member(owner.tenant, "viewer")
    return replace(known, user=session.user_id, session=session.id, methods=frozenset(session.methods))


async def list_sessions(edge: Edge, caller: Caller) -> set[str]:
    request = session_pb2.ListSessionsRequest()
    answer = await edge.call(SessionServiceStub, "ListSessions", request, caller=caller)
    return {each.id for each in answer.items}


async def test_only_sessions_in_the_organization_are_seen_and_ended(
    app: App, people: People, edge: Edge, vouched: Caller
) -> None:
    elsewhere = await people.log_in(SWANN)
    private = ids.show("ses", (await people.session(elsewhere)).id)
    assert vouched.session is not None
    here = ids.show("ses", vouched.session)
    assert await list_sessions(edge, vouched) == {here}

    async def revoke(session_id: str, caller: Caller) -> Any:
        request = session_pb2.RevokeSessionRequest(session_id=session_id)
        return await edge.call(SessionServiceStub, "RevokeSession", request, caller=caller)

    with pytest.raises(AppError) as refused:
        await revoke(private, vouched)
    assert refused.value.reason == "SESSION_NOT_FOUND"
    elsewhere = await sessions.refresh_session(app, elsewhere.refresh_token)
    own = replace(vouched, methods=frozenset({"pwd"}))
    assert await list_sessions(edge, own) == {here, private}
    await revoke(private, own)
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, elsewhere.refresh_token)
    await revoke(here, vouched)


async def test_no_other_organization_is_seen(edge: Edge, vouched: Caller) -> None:
    async def listed(caller: Caller) -> set[str]:
        request = organization_pb2.ListOrganizationsRequest()
        answer = await edge.call(OrganizationServiceStub, "ListOrganizations", request, caller=caller)
        return {each.id for each in answer.items}

    there = ids.show("org", vouched.tenant)
    assert await listed(vouched) == {there}
    everywhere = await listed(replace(vouched, methods=frozenset({"pwd"})))
    assert there in everywhere
    assert len(everywhere) == 2
