"""BookingService: messages to use cases and back."""

from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import grpc

from booking.domain.bookings import CancelledBy, Wish
from booking.domain.offerings import (
    OfferingNotFound,
)
from booking.events.messages import booking_message, change_message, payment_message
from booking.servicer.capacity import area_id
from booking.servicer.floor import FloorRpcs
from booking.servicer.reading import (
    booking_id,
    calendar_day,
    guest,
    override,
    page,
    reason,
    start_of,
    starts_elsewhere,
    venue_ref,
)
from booking.servicer.visits import VisitRpcs
from booking.usecases import bookings, changes
from booking.usecases.changes import Move
from booking.usecases.directory import staff
from comptoir.booking.v1 import booking_pb2
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class BookingServicer(VisitRpcs, FloorRpcs):
    """Bookings as guests make them and as staff handle them."""

    async def CreateBooking(
        self, request: booking_pb2.CreateBookingRequest, _context: _Context
    ) -> booking_pb2.CreateBookingResponse:
        """Books a start."""
        wish = Wish.of(
            guest(request.guest),
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            start=start_of(request),
            party_size=request.party_size,
            notes=request.notes,
            override=override(request),
            area_id=area_id(request.area_id),
            attributes=request.attributes,
        )
        made = await bookings.create_booking(
            self._app, venue_ref(request.venue_id), wish, caller=identity.caller()
        )
        return booking_pb2.CreateBookingResponse(
            booking=booking_message(made.booking),
            manage_token=made.manage_token,
            deposit_payment=payment_message(made.payment) if made.payment else None,
        )

    async def GetBooking(
        self, request: booking_pb2.GetBookingRequest, _context: _Context
    ) -> booking_pb2.GetBookingResponse:
        """Reads a booking."""
        booking = await bookings.get_booking(
            self._app, identity.caller().tenant, booking_id(request.booking_id)
        )
        return booking_pb2.GetBookingResponse(booking=booking_message(booking))

    async def ListBookings(
        self, request: booking_pb2.ListBookingsRequest, _context: _Context
    ) -> booking_pb2.ListBookingsResponse:
        """Lists a service day."""
        found, token = await bookings.list_bookings(
            self._app,
            identity.caller().tenant,
            venue_ref(request.venue_id),
            day=calendar_day(request.date),
            page=page(request, "bookings", request.venue_id, request.date, keys=2),
        )
        return booking_pb2.ListBookingsResponse(items=map(booking_message, found), next_page_token=token)

    async def ListBookingChanges(
        self, request: booking_pb2.ListBookingChangesRequest, _context: _Context
    ) -> booking_pb2.ListBookingChangesResponse:
        """Lists a booking's history."""
        booking, changed, token = await bookings.list_history(
            self._app,
            identity.caller().tenant,
            booking_id(request.booking_id),
            page(request, "history", request.booking_id, keys=1),
        )
        zone = ZoneInfo(booking.time_zone)
        return booking_pb2.ListBookingChangesResponse(
            items=[change_message(zone, each) for each in changed], next_page_token=token
        )

    async def CancelBooking(
        self, request: booking_pb2.CancelBookingRequest, _context: _Context
    ) -> booking_pb2.CancelBookingResponse:
        """Cancels for the venue."""
        caller = identity.caller()
        booking = await changes.cancel_booking(
            self._app,
            caller.tenant,
            booking_id(request.booking_id),
            by=CancelledBy.VENUE,
            actor=staff(caller),
            reason=reason(request),
            expected_version=request.expected_version,
        )
        return booking_pb2.CancelBookingResponse(booking=booking_message(booking))

    async def MoveBooking(
        self, request: booking_pb2.MoveBookingRequest, _context: _Context
    ) -> booking_pb2.MoveBookingResponse:
        """Moves for the venue."""
        caller = identity.caller()
        move = Move(
            start_of(request) if starts_elsewhere(request) else None,
            request.party_size,
            override(request),
            request.expected_version,
        )
        booking = await changes.move_booking(
            self._app, caller.tenant, booking_id(request.booking_id), move, actor=staff(caller)
        )
        return booking_pb2.MoveBookingResponse(booking=booking_message(booking))
