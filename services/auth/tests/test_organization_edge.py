"""Organizations, members, roles and invitations behind the real guard: messages, and whose they are."""

from dataclasses import replace
from typing import Any

import pytest

from auth.app import App
from auth.servicer import servicers
from comptoir.auth.v1 import account_pb2, invitation_pb2
from comptoir.auth.v1.account_pb2_grpc import AccountServiceStub
from comptoir.auth.v1.invitation_pb2_grpc import InvitationDirectoryServiceStub, InvitationServiceStub
from comptoir.auth.v1.organization_pb2_grpc import MemberServiceStub, OrganizationServiceStub
from comptoir.auth.v1.role_pb2_grpc import RoleServiceStub
from servicekit import contract, ids
from servicekit.contract import Rpc
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from testkit.callers import service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import PASSWORD, People
from .staff import hire, log_in, own_role

OWNER = "paulette@example.org"
HOST = "odette@example.org"
_STUBS: dict[str, Any] = {
    "OrganizationService": OrganizationServiceStub,
    "MemberService": MemberServiceStub,
    "RoleService": RoleServiceStub,
    "InvitationService": InvitationServiceStub,
}
_OF_ORGANIZATIONS = {
    rpc.path.split(".")[-1]: rpc
    for rpc in contract.rpcs().values()
    if rpc.method.containing_service.name in _STUBS
    and "organization_id" in rpc.method.input_type.fields_by_name
    and rpc.method.name != "SwitchOrganization"
}


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def call(edge: Edge, rpc_name: str, caller: Caller | None = None, /, **values: Any) -> Any:
    stub, method = rpc_name.split("/")
    rpc = next(each for each in contract.rpcs().values() if each.path.endswith(f".{rpc_name}"))
    return await edge.call(_STUBS[stub], method, rpc.request(**values), caller=caller)


async def refusal(edge: Edge, rpc_name: str, caller: Caller | None = None, /, **values: Any) -> AppError:
    with pytest.raises(AppError) as caught:
        await call(edge, rpc_name, caller, **values)
    return caught.value


def values_for(rpc: Rpc, organization_id: str, *, user: str, role: str, invitation: str) -> dict[str, Any]:
    """A valid request to the organization, about these."""
    own: dict[str, Any] = {
        "organization_id": organization_id,
        "name": "Another",
        "user_id": user,
        "role": "viewer",
        "role_id": role,
        "permissions": ["venues.read"],
        "invitation_id": invitation,
        "email": "new@example.org",
    }
    return {name: own[name] for name in rpc.method.input_type.fields_by_name if name in own}


@pytest.mark.parametrize("name", _OF_ORGANIZATIONS)
async def test_no_organization_but_that_of_the_session_is_found_and_nothing_of_it(
    app: App, people: People, edge: Edge, owner: Caller, name: str
) -> None:
    rpc = _OF_ORGANIZATIONS[name]
    await people.own("marcel@example.org")
    stranger = await log_in(people, "marcel@example.org")
    role = await own_role(app, owner, "Cellar", "venues.read")
    host = await hire(people, owner, HOST)
    made = await call(
        edge,
        "InvitationService/CreateInvitation",
        owner,
        organization_id=ids.show("org", owner.tenant),
        email="luc@example.org",
        role="host",
    )
    things = {
        "user": ids.show("usr", host.user or ids.new()),
        "role": ids.show("rol", role.id),
        "invitation": made.invitation.id,
    }
    mine, random = ids.show("org", owner.tenant), ids.show("org", ids.new())
    foreign = [
        await refusal(edge, name, stranger, **values_for(rpc, each, **things)) for each in (mine, random)
    ]
    assert {(each.kind, each.reason) for each in foreign} == {(Kind.NOT_FOUND, "ORGANIZATION_NOT_FOUND")}
    assert foreign[0].detail == foreign[1].detail
    if {"user_id", "role_id", "invitation_id"} & set(rpc.method.input_type.fields_by_name):
        through_own = values_for(rpc, ids.show("org", stranger.tenant), **things)
        assert (await refusal(edge, name, stranger, **through_own)).kind is Kind.NOT_FOUND
    acting = host if name == "OrganizationService/LeaveOrganization" else owner
    await call(edge, name, acting, **values_for(rpc, mine, **things))


async def test_from_an_invitation_to_the_work_and_out_again(
    app: App, people: People, edge: Edge, owner: Caller
) -> None:
    here, venue = ids.show("org", owner.tenant), ids.show("ven", ids.new())
    role = (
        await call(
            edge,
            "RoleService/CreateRole",
            owner,
            organization_id=here,
            name="Cellar",
            permissions=["venues.read", "bookings.read"],
        )
    ).role
    shown = await call(edge, "RoleService/ListRoles", owner, organization_id=here)
    assert [each.id for each in shown.items][-2:] == ["viewer", role.id]
    assert [each.built_in for each in shown.items][-2:] == [True, False]
    for each in shown.items:
        read = await call(edge, "RoleService/GetRole", owner, organization_id=here, role_id=each.id)
        assert read.role == each
    made = await call(
        edge,
        "InvitationService/CreateInvitation",
        owner,
        organization_id=here,
        email=HOST,
        role=role.id,
        venue_ids=[venue],
        language="fr",
    )
    assert (made.invitation.email, made.invitation.role) == (HOST, role.id)
    mail = await edge.call(
        InvitationDirectoryServiceStub,
        "IssueInvitation",
        invitation_pb2.IssueInvitationRequest(invitation_id=made.invitation.id),
        caller=service("notification", owner.tenant),
    )
    assert (mail.email, mail.organization_name, mail.inviter_name, mail.language) == (
        HOST,
        "Chez Paulette",
        "Paulette",
        "fr",
    )
    read = await call(edge, "InvitationService/ReadInvitation", token=mail.token)
    assert (read.role_name, read.has_account) == ("Cellar", False)
    joined = await call(
        edge,
        "InvitationService/JoinOrganization",
        token=mail.token,
        password=PASSWORD,
        display_name="Odette",
        language="fr",
    )
    assert joined.organization_id == here
    host = await log_in(people, HOST)
    me = await edge.call(AccountServiceStub, "GetMe", account_pb2.GetMeRequest(), caller=host)
    assert (me.role, list(me.permissions)) == (role.id, ["bookings.read", "venues.read"])
    assert list(me.venue_ids) == [venue]
    found = await call(edge, "MemberService/ListMembers", owner, organization_id=here)
    assert [(each.email, each.role_name) for each in found.items] == [(OWNER, "owner"), (HOST, "Cellar")]
    user = ids.show("usr", host.user or ids.new())
    await call(edge, "MemberService/RemoveMember", owner, organization_id=here, user_id=user)
    gone = await refusal(edge, "MemberService/RemoveMember", owner, organization_id=here, user_id=user)
    assert gone.reason == "MEMBER_NOT_FOUND"


async def test_an_organization_is_made_looked_at_and_switched_to(
    edge: Edge, people: People, owner: Caller
) -> None:
    made = (await call(edge, "OrganizationService/CreateOrganization", owner, name="Second")).organization
    assert (made.name, made.plan, made.role, made.current) == ("Second", "free", "owner", False)
    listed = await call(edge, "OrganizationService/ListOrganizations", owner)
    assert [(each.name, each.current) for each in listed.items] == [
        ("Chez Paulette", True),
        ("Second", False),
    ]
    switched = await call(edge, "OrganizationService/SwitchOrganization", owner, organization_id=made.id)
    assert switched.tokens.token_type == "Bearer"
    here = await call(
        edge,
        "OrganizationService/GetOrganization",
        owner,
        organization_id=ids.show("org", owner.tenant),
    )
    assert {each.of: each.most for each in here.limits} == {"members": 25, "venues": 10, "api_keys": 10}


@pytest.mark.parametrize(
    "name",
    [
        "MemberService/UpdateMember",
        "MemberService/EndMemberSessions",
        "MemberService/RemoveMember",
        "OrganizationService/TransferOwnership",
    ],
)
async def test_ownership_and_rights_want_fresh_credentials(
    app: App, people: People, edge: Edge, owner: Caller, name: str
) -> None:
    host = await hire(people, owner, HOST)
    stale = replace(owner, authenticated_at=owner.authenticated_at - 3700)
    values = values_for(
        _OF_ORGANIZATIONS[name],
        ids.show("org", owner.tenant),
        user=ids.show("usr", host.user or ids.new()),
        role="",
        invitation="",
    )
    assert (await refusal(edge, name, stale, **values)).reason == "FRESH_AUTHENTICATION_REQUIRED"
    await call(edge, name, owner, **values)


@pytest.mark.parametrize("role", ["owner", "waiter", "rol_x", ""])
async def test_roles_that_cannot_be_given_are_refused_by_the_contract(
    edge: Edge, people: People, owner: Caller, role: str
) -> None:
    here = ids.show("org", owner.tenant)
    refused = await refusal(
        edge,
        "InvitationService/CreateInvitation",
        owner,
        organization_id=here,
        email="luc@example.org",
        role=role,
    )
    assert (refused.kind, refused.violations[0].pointer) == (Kind.INVALID, "/role")


async def test_secrets_of_invitations_are_for_notification_alone(edge: Edge) -> None:
    request = invitation_pb2.IssueInvitationRequest(invitation_id=ids.show("inv", ids.new()))
    with pytest.raises(AppError) as caught:
        await edge.call(
            InvitationDirectoryServiceStub, "IssueInvitation", request, caller=service("booking", ids.new())
        )
    assert caught.value.reason == "PERMISSION_DENIED"
    empty = await edge.call(
        InvitationDirectoryServiceStub, "IssueInvitation", request, caller=service("notification", ids.new())
    )
    assert empty.email == ""
