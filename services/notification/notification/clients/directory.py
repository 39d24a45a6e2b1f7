"""Asks the owners of the data what a mail needs, at the moment of sending. Keeps nothing."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
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
from comptoir.common.v1 import values_pb2
from comptoir.support.v1 import ticket_pb2, ticket_pb2_grpc
from notification.domain.accounts import AccountMail, MissingDomain, OperatorVisit
from notification.domain.bookings import Booking, BookingStatus, WaitlistEntry
from notification.domain.errors import UnreadableEvent
from servicekit import ids
from servicekit.money import Money
from servicekit.rpc.client import Peer

STATUSES = {
    booking_pb2.BOOKING_STATUS_HELD: BookingStatus.HELD,
    booking_pb2.BOOKING_STATUS_CONFIRMED: BookingStatus.CONFIRMED,
    booking_pb2.BOOKING_STATUS_CANCELLED: BookingStatus.CANCELLED,
    booking_pb2.BOOKING_STATUS_EXPIRED: BookingStatus.EXPIRED,
    booking_pb2.BOOKING_STATUS_REQUESTED: BookingStatus.REQUESTED,
    booking_pb2.BOOKING_STATUS_DECLINED: BookingStatus.DECLINED,
    booking_pb2.BOOKING_STATUS_ARRIVED: BookingStatus.ARRIVED,
    booking_pb2.BOOKING_STATUS_SEATED: BookingStatus.SEATED,
    booking_pb2.BOOKING_STATUS_COMPLETED: BookingStatus.COMPLETED,
    booking_pb2.BOOKING_STATUS_NO_SHOW: BookingStatus.NO_SHOW,
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification mail needs. `email` is empty when nothing is left to verify."""

    email: str
    name: str
    language: str
    token: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a mail that invites needs. `email` is empty when the invitation is open no more."""

    email: str
    organization: str
    inviter: str
    language: str
    token: str


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """What the mail about an answer needs."""

    booking: UUID
    subject: str
    text: str


class Directory:
    """The three services that know people."""

    def __init__(self, *, auth: Peer, booking: Peer, support: Peer) -> None:
        self._auth = auth
        self._booking = booking
        self._support = support
        self._accounts = auth.stub(account_pb2_grpc.AccountDirectoryServiceStub)
        self._account_mails = auth.stub(credential_pb2_grpc.AccountMailServiceStub)
        self._invitations = auth.stub(invitation_pb2_grpc.InvitationDirectoryServiceStub)
        self._bookings = booking.stub(booking_pb2_grpc.BookingDirectoryServiceStub)
        self._waitlist = booking.stub(waitlist_pb2_grpc.WaitlistDirectoryServiceStub)
        self._tickets = support.stub(ticket_pb2_grpc.TicketDirectoryServiceStub)

    async def describe_booking(self, organization: UUID, booking: UUID) -> Booking:
        """A booking with a fresh manage token.

        Raises:
            AppError: the refusal of the booking service, NOT_FOUND among them, or that it did not answer.
        """
        request = booking_pb2.DescribeBookingRequest(
            booking_id=ids.show("bkg", booking), issue_manage_token=True
        )
        answer = await self._booking.call(self._bookings.DescribeBooking, request, organization=organization)
        return _booking(answer)

    async def describe_booking_of_link(self, token: str) -> Booking:
        """The booking of a guest's link, without a fresh token.

        Raises:
            AppError: the refusal of the booking service, MANAGE_TOKEN_NOT_FOUND among them, or that it did
                not answer.
        """
        opened = await self._booking.call(
            self._bookings.ResolveManageToken, booking_pb2.ResolveManageTokenRequest(token=token)
        )
        organization = ids.parse("org", opened.organization_id, UnreadableEvent)
        request = booking_pb2.DescribeBookingRequest(booking_id=opened.booking.id)
        answer = await self._booking.call(self._bookings.DescribeBooking, request, organization=organization)
        return _booking(answer)

    async def describe_offer(self, organization: UUID, entry: UUID) -> Booking | None:
        """What a waitlist entry is offered, as a held booking with a fresh token of the entry; or None.

        Raises like `describe_booking`.
        """
        answer = await self._describe_entry(organization, entry)
        return _offered(answer) if answer.entry.HasField("offer") else None

    async def describe_waiting(self, organization: UUID, entry: UUID) -> WaitlistEntry:
        """What a waitlist entry waits for, with a fresh token of it. Raises like `describe_booking`."""
        return _waiting(await self._describe_entry(organization, entry))

    async def describe_message(self, organization: UUID, message: UUID) -> TicketMessage:
        """A message of a ticket. Raises like `describe_booking`."""
        request = ticket_pb2.DescribeMessageRequest(message_id=ids.show("tms", message))
        answer = await self._support.call(self._tickets.DescribeMessage, request, organization=organization)
        booking = ids.parse("bkg", answer.booking_id, UnreadableEvent)
        return TicketMessage(booking, answer.subject, answer.message.text)

    async def issue_verification(self, person: UUID) -> Verification:
        """A fresh verification token. Raises like `describe_booking`."""
        request = account_pb2.IssueVerificationRequest(user_id=ids.show("usr", person))
        answer = await self._auth.call(self._accounts.IssueVerification, request)
        return Verification(answer.email, answer.display_name, answer.language, answer.token)

    async def issue_invitation(self, organization: UUID, invitation: UUID) -> Invitation:
        """A fresh secret of an invitation. Raises like `describe_booking`."""
        request = invitation_pb2.IssueInvitationRequest(invitation_id=ids.show("inv", invitation))
        answer = await self._auth.call(self._invitations.IssueInvitation, request, organization=organization)
        return Invitation(
            answer.email, answer.organization_name, answer.inviter_name, answer.language, answer.token
        )

    async def issue_account_mail(self, mail: UUID) -> AccountMail:
        """What a mail about an account says, with a fresh token. Raises like `describe_booking`."""
        request = credential_pb2.IssueAccountMailRequest(mail_id=ids.show("aml", mail))
        answer = await self._auth.call(self._account_mails.IssueAccountMail, request)
        return AccountMail(
            email=answer.email,
            name=answer.display_name,
            language=answer.language,
            kind=answer.kind,
            token=answer.token,
            device=answer.device,
            address=answer.address,
            occurred_at=answer.occurred_at.ToDatetime(UTC),
            visit=_visit(answer.visit) if answer.HasField("visit") else None,
            domain=_domain(answer.domain) if answer.HasField("domain") else None,
            organization=answer.organization_name,
        )

    async def _describe_entry(
        self, organization: UUID, entry: UUID
    ) -> waitlist_pb2.DescribeWaitlistEntryResponse:
        request = waitlist_pb2.DescribeWaitlistEntryRequest(
            entry_id=ids.show("wle", entry), issue_waitlist_token=True
        )
        answer: waitlist_pb2.DescribeWaitlistEntryResponse = await self._booking.call(
            self._waitlist.DescribeWaitlistEntry, request, organization=organization
        )
        return answer


def _booking(answer: booking_pb2.DescribeBookingResponse) -> Booking:
    booking = answer.booking
    return _read(
        answer,
        booking,
        booking,
        reference=booking.id,
        status=STATUSES[booking.status],
        token=answer.manage_token,
        until=booking.hold_expires_at if booking.HasField("hold_expires_at") else None,
        by_venue=booking.cancelled_by == booking_pb2.CANCELLED_BY_VENUE,
    )


def _offered(answer: waitlist_pb2.DescribeWaitlistEntryResponse) -> Booking:
    offer = answer.entry.offer
    return _read(
        answer,
        answer.entry,
        offer,
        reference=offer.booking_id,
        status=BookingStatus.HELD,
        token=answer.waitlist_token,
        until=offer.expires_at,
        fee=offer.fee_if_accepted if offer.HasField("fee_if_accepted") else None,
    )


def _read(
    answer: booking_pb2.DescribeBookingResponse | waitlist_pb2.DescribeWaitlistEntryResponse,
    party: booking_pb2.Booking | waitlist_pb2.WaitlistEntry,
    stay: booking_pb2.Booking | waitlist_pb2.WaitlistOffer,
    *,
    reference: str,
    status: BookingStatus,
    token: str,
    until: values_pb2.OffsetDateTime | None,
    by_venue: bool = False,
    fee: values_pb2.Money | None = None,
) -> Booking:
    """Who comes, to what they come, and what an answer says of where that is."""
    return Booking(
        id=ids.parse("bkg", reference, UnreadableEvent),
        reference=reference,
        version=party.version,
        status=status,
        party_size=party.party_size,
        starts_at=_moment(stay.start),
        ends_at=_moment(stay.end),
        time_zone=party.time_zone or answer.venue.time_zone,
        guest_name=party.guest.name,
        guest_email=party.guest.email,
        language=party.guest.language,
        offering=answer.offering_name,
        venue=answer.venue.name,
        venue_address=answer.venue.address,
        manage_token=token,
        deposit=Money(stay.deposit.amount, stay.deposit.currency) if stay.HasField("deposit") else None,
        hold_expires_at=_moment(until) if until is not None else None,
        cancelled_by_venue=by_venue,
        fee_if_accepted=Money(fee.amount, fee.currency) if fee is not None else None,
    )


def _waiting(answer: waitlist_pb2.DescribeWaitlistEntryResponse) -> WaitlistEntry:
    entry = answer.entry
    return WaitlistEntry(
        waits=entry.status == waitlist_pb2.WAITLIST_STATUS_WAITING,
        position=entry.position,
        party_size=entry.party_size,
        best_date=date.fromisoformat(entry.date),
        flexible_days=entry.flexible_days,
        earliest=entry.earliest,
        latest=entry.latest,
        guest_name=entry.guest.name,
        guest_email=entry.guest.email,
        language=entry.guest.language,
        offering=answer.offering_name,
        venue=answer.venue.name,
        venue_address=answer.venue.address,
        token=answer.waitlist_token,
    )


def _moment(value: values_pb2.OffsetDateTime) -> datetime:
    return datetime.fromtimestamp(value.epoch_seconds, UTC)


def _domain(notice: credential_pb2.DomainNotice) -> MissingDomain:
    until = notice.verified_until.ToDatetime(UTC) if notice.HasField("verified_until") else None
    return MissingDomain(notice.domain, until)


def _visit(visit: credential_pb2.OperatorVisit) -> OperatorVisit:
    return OperatorVisit(
        organization=visit.organization_name,
        operator=visit.operator_name,
        reason=visit.reason,
        ticket=visit.ticket,
        minutes=visit.minutes,
        write=visit.write,
    )
