"""Organizations and their members: messages to use cases and back."""

from collections.abc import Iterable
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from auth.app import App
from auth.domain.members import Member, MemberNotFound, Organization, OrganizationNotFound
from auth.domain.plans import FREE
from auth.servicer.callers import author, person, reach
from auth.servicer.tokens import shown_tokens
from auth.usecases import members, organizations
from comptoir.auth.v1 import organization_pb2, organization_pb2_grpc
from servicekit import identity, ids, paging
from servicekit.errors import VenueNotFound

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class OrganizationServicer(organization_pb2_grpc.OrganizationServiceServicer):
    """The caller's organizations."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateOrganization(
        self, request: organization_pb2.CreateOrganizationRequest, _context: _Context
    ) -> organization_pb2.CreateOrganizationResponse:
        """Makes another one."""
        user_id, _ = person()
        made = await organizations.create_organization(self._app, user_id, request.name, by=author())
        return organization_pb2.CreateOrganizationResponse(organization=_shown(made, "owner"))

    async def ListOrganizations(
        self, request: organization_pb2.ListOrganizationsRequest, _context: _Context
    ) -> organization_pb2.ListOrganizationsResponse:
        """Lists the caller's."""
        user_id, _ = person()
        page = paging.page(request.page_size, request.page_token, "organizations", str(user_id), keys=2)
        found, token = await organizations.list_organizations(self._app, user_id, page, within=reach())
        return organization_pb2.ListOrganizationsResponse(
            items=[_shown(each, role) for each, role in found], next_page_token=token
        )

    async def GetOrganization(
        self, request: organization_pb2.GetOrganizationRequest, _context: _Context
    ) -> organization_pb2.GetOrganizationResponse:
        """Reads the caller's."""
        found = await organizations.get_organization(self._app, own(request.organization_id))
        plan = self._app.plans.get(found.plan, self._app.plans[FREE])
        limits = {"members": plan.members, "venues": plan.venues, "api_keys": plan.api_keys}
        return organization_pb2.GetOrganizationResponse(
            organization=_shown(found, identity.caller().role),
            limits=[organization_pb2.PlanLimit(of=of, most=most) for of, most in limits.items()],
        )

    async def UpdateOrganization(
        self, request: organization_pb2.UpdateOrganizationRequest, _context: _Context
    ) -> organization_pb2.UpdateOrganizationResponse:
        """Renames it."""
        renamed = await organizations.rename_organization(
            self._app,
            own(request.organization_id),
            request.name,
            expected_version=request.expected_version,
            by=author(),
        )
        return organization_pb2.UpdateOrganizationResponse(
            organization=_shown(renamed, identity.caller().role)
        )

    async def SwitchOrganization(
        self, request: organization_pb2.SwitchOrganizationRequest, _context: _Context
    ) -> organization_pb2.SwitchOrganizationResponse:
        """Opens a session in another one."""
        user_id, session_id = person()
        tokens = await organizations.switch_organization(
            self._app,
            user_id,
            session_id,
            ids.parse("org", request.organization_id, OrganizationNotFound),
            by=author(),
            user_agent=identity.origin().user_agent,
        )
        return organization_pb2.SwitchOrganizationResponse(tokens=shown_tokens(tokens))

    async def TransferOwnership(
        self, request: organization_pb2.TransferOwnershipRequest, _context: _Context
    ) -> organization_pb2.TransferOwnershipResponse:
        """Makes another owner."""
        own(request.organization_id)
        owner = await members.transfer_ownership(
            self._app,
            identity.caller(),
            ids.parse("usr", request.user_id, MemberNotFound),
            remain_owner=request.remain_owner,
            by=author(),
        )
        return organization_pb2.TransferOwnershipResponse(owner=_shown_member(owner))

    async def LeaveOrganization(
        self, request: organization_pb2.LeaveOrganizationRequest, _context: _Context
    ) -> organization_pb2.LeaveOrganizationResponse:
        """Ends the caller's membership."""
        user_id, _ = person()
        await members.leave_organization(self._app, own(request.organization_id), user_id, by=author())
        return organization_pb2.LeaveOrganizationResponse()


class MemberServicer(organization_pb2_grpc.MemberServiceServicer):
    """The people of an organization."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListMembers(
        self, request: organization_pb2.ListMembersRequest, _context: _Context
    ) -> organization_pb2.ListMembersResponse:
        """Lists them."""
        organization_id = own(request.organization_id)
        page = paging.page(request.page_size, request.page_token, "members", str(organization_id), keys=2)
        found, token = await members.list_members(self._app, organization_id, page)
        return organization_pb2.ListMembersResponse(
            items=[_shown_member(each) for each in found], next_page_token=token
        )

    async def UpdateMember(
        self, request: organization_pb2.UpdateMemberRequest, _context: _Context
    ) -> organization_pb2.UpdateMemberResponse:
        """Gives one another role or other venues."""
        own(request.organization_id)
        changed, keys = await members.update_member(
            self._app,
            identity.caller(),
            ids.parse("usr", request.user_id, MemberNotFound),
            role=request.role,
            venues=venue_ids(request.venue_ids),
            by=author(),
        )
        return organization_pb2.UpdateMemberResponse(member=_shown_member(changed), api_keys=keys)

    async def RemoveMember(
        self, request: organization_pb2.RemoveMemberRequest, _context: _Context
    ) -> organization_pb2.RemoveMemberResponse:
        """Removes one."""
        own(request.organization_id)
        user_id = ids.parse("usr", request.user_id, MemberNotFound)
        keys = await members.remove_member(self._app, identity.caller(), user_id, by=author())
        return organization_pb2.RemoveMemberResponse(api_keys=keys)

    async def EndMemberSessions(
        self, request: organization_pb2.EndMemberSessionsRequest, _context: _Context
    ) -> organization_pb2.EndMemberSessionsResponse:
        """Ends the sessions of one."""
        own(request.organization_id)
        user_id = ids.parse("usr", request.user_id, MemberNotFound)
        await members.end_member_sessions(self._app, identity.caller(), user_id, by=author())
        return organization_pb2.EndMemberSessionsResponse()


def own(organization_id: str) -> UUID:
    """The organization of the caller's session, which a path has to name.

    Raises:
        OrganizationNotFound: it names another one, or none.
    """
    named = ids.parse("org", organization_id, OrganizationNotFound)
    if named != identity.caller().tenant:
        raise OrganizationNotFound
    return named


def venue_ids(shown: Iterable[str]) -> frozenset[UUID]:
    """Venues by their ids. Booking alone knows which of them exist: one that does not limits to nothing.

    Raises:
        VenueNotFound: one is no venue's id.
    """
    return frozenset(ids.parse("ven", each, VenueNotFound) for each in shown)


def _shown(organization: Organization, role: str) -> organization_pb2.Organization:
    return organization_pb2.Organization(
        id=ids.show("org", organization.id),
        name=organization.name,
        plan=organization.plan,
        role=role,
        current=organization.id == identity.caller().organization,
        version=organization.version,
    )


def _shown_member(member: Member) -> organization_pb2.Member:
    shown = organization_pb2.Member(
        user_id=ids.show("usr", member.user_id),
        display_name=member.display_name,
        email=member.email,
        role=member.grant.role,
        role_name=member.role_name,
        venue_ids=[ids.show("ven", each) for each in sorted(member.grant.venues)],
    )
    shown.joined_at.FromDatetime(member.joined_at)
    return shown
