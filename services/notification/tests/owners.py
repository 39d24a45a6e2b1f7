"""Auth, booking and support as notification sees them: they answer what a test says, behind the guard."""

from typing import Any
from uuid import UUID

from comptoir.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    credential_pb2,
    credential_pb2_grpc,
    invitation_pb2,
    invitation_pb2_grpc,
)
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc, waitlist_pb2, waitlist_pb2_grpc
from comptoir.support.v1 import ticket_pb2, ticket_pb2_grpc
from notification.domain.errors import BookingNotFound
from servicekit import ids
from servicekit.errors import AppError, Kind


class ManageTokenNotFound(AppError):
    """What booking says of a link that is none."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_NOT_FOUND"


class Owners(
    account_pb2_grpc.AccountDirectoryServiceServicer,
    credential_pb2_grpc.AccountMailServiceServicer,
    invitation_pb2_grpc.InvitationDirectoryServiceServicer,
    booking_pb2_grpc.BookingDirectoryServiceServicer,
    ticket_pb2_grpc.TicketDirectoryServiceServicer,
    waitlist_pb2_grpc.WaitlistDirectoryServiceServicer,
):
    """What auth, booking and support know. Tests change it; it answers behind the real guard."""

    def __init__(self) -> None:
        self.bookings: dict[str, booking_pb2.DescribeBookingResponse] = {}
        self.messages: dict[str, ticket_pb2.DescribeMessageResponse] = {}
        self.people: dict[str, account_pb2.IssueVerificationResponse] = {}
        self.invitations: dict[str, invitation_pb2.IssueInvitationResponse] = {}
        self.account_mails: dict[str, credential_pb2.IssueAccountMailResponse] = {}
        self.entries: dict[str, waitlist_pb2.DescribeWaitlistEntryResponse] = {}
        self.links: dict[str, tuple[UUID, str]] = {}
        """Secrets of links: whose they are, and what they open."""
        self.tokens = 0
        self.refusal: type[AppError] | None = None

    async def DescribeBooking(self, request: Any, _: Any) -> booking_pb2.DescribeBookingResponse:  # noqa: N802
        if self.refusal:
            raise self.refusal
        if request.booking_id not in self.bookings:
            raise BookingNotFound
        answer = booking_pb2.DescribeBookingResponse()
        answer.CopyFrom(self.bookings[request.booking_id])
        if request.issue_manage_token:
            self.tokens += 1
            answer.manage_token = f"token-{self.tokens}"
        return answer

    async def DescribeWaitlistEntry(  # noqa: N802
        self, request: Any, _: Any
    ) -> waitlist_pb2.DescribeWaitlistEntryResponse:
        answer = waitlist_pb2.DescribeWaitlistEntryResponse()
        answer.CopyFrom(self.entries[request.entry_id])
        if request.issue_waitlist_token:
            self.tokens += 1
            answer.waitlist_token = f"token-{self.tokens}"
        return answer

    async def DescribeMessage(self, request: Any, _: Any) -> ticket_pb2.DescribeMessageResponse:  # noqa: N802
        return self.messages[request.message_id]

    async def IssueVerification(self, request: Any, _: Any) -> account_pb2.IssueVerificationResponse:  # noqa: N802
        return self.people.get(request.user_id, account_pb2.IssueVerificationResponse())

    async def IssueInvitation(self, request: Any, _: Any) -> invitation_pb2.IssueInvitationResponse:  # noqa: N802
        return self.invitations.get(request.invitation_id, invitation_pb2.IssueInvitationResponse())

    async def IssueAccountMail(self, request: Any, _: Any) -> credential_pb2.IssueAccountMailResponse:  # noqa: N802
        return self.account_mails.get(request.mail_id, credential_pb2.IssueAccountMailResponse())

    async def GetSigningKeys(self, *_: Any) -> account_pb2.GetSigningKeysResponse:  # noqa: N802
        raise AssertionError("notification never asks for keys")

    async def ResolveManageToken(self, request: Any, _: Any) -> booking_pb2.ResolveManageTokenResponse:  # noqa: N802
        if request.token not in self.links:
            raise ManageTokenNotFound
        organization, booking = self.links[request.token]
        return booking_pb2.ResolveManageTokenResponse(
            organization_id=ids.show("org", organization), booking=booking_pb2.Booking(id=booking)
        )
