"""GuestBookingService and BookingDirectoryService: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.domain.bookings import BookingNotFound
from booking.events.messages import booking_message, money, payment_message, venue_message
from booking.usecases import links
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
            booking=booking_message(managed.booking),
            venue=venue_message(managed.venue),
            refund_if_cancelled=money(managed.refund_if_cancelled),
        )

    async def GetManagedDeposit(
        self, request: booking_pb2.GetManagedDepositRequest, _context: _Context
    ) -> booking_pb2.GetManagedDepositResponse:
        """How to pay the deposit of the link's booking."""
        payment = await links.get_managed_deposit(self._app, request.token)
        return booking_pb2.GetManagedDepositResponse(deposit_payment=payment_message(payment))

    async def MoveManagedBooking(
        self, request: booking_pb2.MoveManagedBookingRequest, _context: _Context
    ) -> booking_pb2.MoveManagedBookingResponse:
        """Moves the booking of the link."""
        booking = await links.move_managed_booking(self._app, request.token, request.start.epoch_seconds)
        return booking_pb2.MoveManagedBookingResponse(booking=booking_message(booking))

    async def CancelManagedBooking(
        self, request: booking_pb2.CancelManagedBookingRequest, _context: _Context
    ) -> booking_pb2.CancelManagedBookingResponse:
        """Cancels the booking of the link."""
        booking = await links.cancel_managed_booking(self._app, request.token)
        return booking_pb2.CancelManagedBookingResponse(booking=booking_message(booking))


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
