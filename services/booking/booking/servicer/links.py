"""GuestBookingService and BookingDirectoryService: messages to use cases and back."""

from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import grpc

from booking.app import App
from booking.domain.bookings import BookingNotFound
from booking.events.messages import booking_message, guest_view, moment, money, payment_message, venue_message
from booking.servicer.reading import accepted_fee, reason, start_of, starts_elsewhere
from booking.usecases import links
from booking.usecases.changes import Move
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class GuestBookingServicer(booking_pb2_grpc.GuestBookingServiceServicer):
    """What a guest does with the link of the mail."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetManagedBooking(
        self, request: booking_pb2.GetManagedBookingRequest, _context: _Context
    ) -> booking_pb2.GetManagedBookingResponse:
        """Reads the booking of the link."""
        managed = await links.get_managed_booking(self._app, request.token)
        return booking_pb2.GetManagedBookingResponse(
            booking=guest_view(managed.booking),
            venue=venue_message(managed.venue),
            refund_if_cancelled=money(managed.refund_if_cancelled),
            fee_if_cancelled=money(managed.fee_if_cancelled),
            free_until=moment(ZoneInfo(managed.venue.time_zone), managed.free_until)
            if managed.free_until
            else None,
            fee_if_missed=money(managed.fee_if_missed),
            movable=managed.movable,
            cancellable=managed.cancellable,
        )

    async def MoveManagedBooking(
        self, request: booking_pb2.MoveManagedBookingRequest, _context: _Context
    ) -> booking_pb2.MoveManagedBookingResponse:
        """Moves the booking of the link."""
        move = Move(
            start_of(request) if starts_elsewhere(request) else None,
            request.party_size,
            expected_version=request.expected_version,
        )
        booking = await links.move_managed_booking(self._app, request.token, move)
        return booking_pb2.MoveManagedBookingResponse(booking=guest_view(booking))

    async def ResendManagedBooking(
        self, request: booking_pb2.ResendManagedBookingRequest, _context: _Context
    ) -> booking_pb2.ResendManagedBookingResponse:
        """Has the mail sent again."""
        await links.resend_managed_booking(self._app, request.token)
        return booking_pb2.ResendManagedBookingResponse()

    async def RequestManagedDeposit(
        self, request: booking_pb2.RequestManagedDepositRequest, _context: _Context
    ) -> booking_pb2.RequestManagedDepositResponse:
        """Tells how the deposit of the link's booking is paid."""
        payment = await links.pay_managed_deposit(self._app, request.token)
        return booking_pb2.RequestManagedDepositResponse(deposit_payment=payment_message(payment))

    async def CancelManagedBooking(
        self, request: booking_pb2.CancelManagedBookingRequest, _context: _Context
    ) -> booking_pb2.CancelManagedBookingResponse:
        """Cancels the booking of the link."""
        booking = await links.cancel_managed_booking(
            self._app,
            request.token,
            reason=reason(request),
            expected_version=request.expected_version,
            accepted_fee=accepted_fee(request),
        )
        return booking_pb2.CancelManagedBookingResponse(booking=guest_view(booking))


class BookingDirectoryServicer(booking_pb2_grpc.BookingDirectoryServiceServicer):
    """What other services ask about bookings."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def DescribeBooking(
        self, request: booking_pb2.DescribeBookingRequest, _context: _Context
    ) -> booking_pb2.DescribeBookingResponse:
        """Everything a mail about a booking needs."""
        described = await links.describe_booking(
            self._app,
            identity.caller().tenant,
            ids.parse("bkg", request.booking_id, BookingNotFound),
            issue_manage_token=request.issue_manage_token,
        )
        return booking_pb2.DescribeBookingResponse(
            booking=booking_message(described.booking),
            venue=venue_message(described.venue),
            offering_name=described.offering_name,
            manage_token=described.manage_token,
        )

    async def ResolveManageToken(
        self, request: booking_pb2.ResolveManageTokenRequest, _context: _Context
    ) -> booking_pb2.ResolveManageTokenResponse:
        """Whose link it is."""
        organization, booking = await links.resolve_manage_token(self._app, request.token)
        return booking_pb2.ResolveManageTokenResponse(
            organization_id=ids.show("org", organization), booking=booking_message(booking)
        )
