"""Invitations: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from auth.app import App
from auth.domain.invitations import Invitation, InvitationNotFound
from auth.servicer.callers import author, person
from auth.servicer.organizations import own, venue_ids
from auth.usecases import acceptance, invitations
from comptoir.auth.v1 import invitation_pb2, invitation_pb2_grpc
from servicekit import identity, ids, paging

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class InvitationServicer(invitation_pb2_grpc.InvitationServiceServicer):
    """Inviting people, and accepting."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateInvitation(
        self, request: invitation_pb2.CreateInvitationRequest, _context: _Context
    ) -> invitation_pb2.CreateInvitationResponse:
        """Invites."""
        own(request.organization_id)
        invitation = await invitations.create_invitation(
            self._app,
            identity.caller(),
            email=request.email,
            role=request.role,
            venues=venue_ids(request.venue_ids),
            language=request.language,
            by=author(),
        )
        return invitation_pb2.CreateInvitationResponse(invitation=_shown(invitation))

    async def ListInvitations(
        self, request: invitation_pb2.ListInvitationsRequest, _context: _Context
    ) -> invitation_pb2.ListInvitationsResponse:
        """Lists the open ones."""
        organization_id = own(request.organization_id)
        page = paging.page(request.page_size, request.page_token, "invitations", str(organization_id), keys=1)
        found, token = await invitations.list_invitations(self._app, organization_id, page)
        return invitation_pb2.ListInvitationsResponse(
            items=[_shown(each) for each in found], next_page_token=token
        )

    async def ResendInvitation(
        self, request: invitation_pb2.ResendInvitationRequest, _context: _Context
    ) -> invitation_pb2.ResendInvitationResponse:
        """Asks for another mail."""
        own(request.organization_id)
        invitation_id = ids.parse("inv", request.invitation_id, InvitationNotFound)
        found = await invitations.resend_invitation(self._app, identity.caller(), invitation_id, by=author())
        return invitation_pb2.ResendInvitationResponse(invitation=_shown(found))

    async def RevokeInvitation(
        self, request: invitation_pb2.RevokeInvitationRequest, _context: _Context
    ) -> invitation_pb2.RevokeInvitationResponse:
        """Withdraws one."""
        own(request.organization_id)
        invitation_id = ids.parse("inv", request.invitation_id, InvitationNotFound)
        await invitations.revoke_invitation(self._app, identity.caller(), invitation_id, by=author())
        return invitation_pb2.RevokeInvitationResponse()

    async def ReadInvitation(
        self, request: invitation_pb2.ReadInvitationRequest, _context: _Context
    ) -> invitation_pb2.ReadInvitationResponse:
        """Says what a link invites to."""
        found = await acceptance.read_invitation(self._app, request.token)
        shown = invitation_pb2.ReadInvitationResponse(
            organization_name=found.organization_name,
            email=found.email,
            role_name=found.role_name,
            has_account=found.has_account,
        )
        shown.expires_at.FromDatetime(found.expires_at)
        return shown

    async def AcceptInvitation(
        self, request: invitation_pb2.AcceptInvitationRequest, _context: _Context
    ) -> invitation_pb2.AcceptInvitationResponse:
        """Accepts as the person of the session."""
        user_id, _ = person()
        joined = await acceptance.accept_invitation(self._app, user_id, request.token, by=author())
        return invitation_pb2.AcceptInvitationResponse(organization_id=ids.show("org", joined))

    async def JoinOrganization(
        self, request: invitation_pb2.JoinOrganizationRequest, _context: _Context
    ) -> invitation_pb2.JoinOrganizationResponse:
        """Accepts without a session."""
        joined = await acceptance.join_organization(
            self._app,
            request.token,
            password=request.password,
            display_name=request.display_name,
            language=request.language,
            by=author(),
        )
        return invitation_pb2.JoinOrganizationResponse(organization_id=ids.show("org", joined))


class InvitationDirectoryServicer(invitation_pb2_grpc.InvitationDirectoryServiceServicer):
    """What notification asks when it writes the mail."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def IssueInvitation(
        self, request: invitation_pb2.IssueInvitationRequest, _context: _Context
    ) -> invitation_pb2.IssueInvitationResponse:
        """What the mail needs; empty when there is nothing to send."""
        invitation_id = ids.parse("inv", request.invitation_id, InvitationNotFound)
        mail = await invitations.issue_invitation(self._app, invitation_id)
        if mail is None:
            return invitation_pb2.IssueInvitationResponse()
        return invitation_pb2.IssueInvitationResponse(
            email=mail.email,
            organization_name=mail.organization_name,
            inviter_name=mail.inviter_name,
            language=mail.language,
            token=mail.token,
        )


def _shown(invitation: Invitation) -> invitation_pb2.Invitation:
    shown = invitation_pb2.Invitation(
        id=ids.show("inv", invitation.id),
        email=invitation.email,
        role=invitation.role,
        venue_ids=[ids.show("ven", each) for each in sorted(invitation.venues)],
        invited_by=ids.show("usr", invitation.invited_by) if invitation.invited_by else "",
    )
    shown.created_at.FromDatetime(invitation.created_at)
    shown.expires_at.FromDatetime(invitation.expires_at)
    return shown
