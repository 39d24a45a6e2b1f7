"""The part of BookingService about the floor plan: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.events.messages import booking_message
from booking.servicer.reading import booking_id, override, resource_ids
from booking.usecases import assignments
from booking.usecases.assignments import Assignment
from booking.usecases.directory import staff
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import identity

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class FloorRpcs(booking_pb2_grpc.BookingServiceServicer):
    """Who sits where."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def AssignBooking(
        self, request: booking_pb2.AssignBookingRequest, _context: _Context
    ) -> booking_pb2.AssignBookingResponse:
        """Gives a booking other resources."""
        caller = identity.caller()
        assignment = Assignment(
            resource_ids(request.resource_ids), request.pinned, override(request), request.expected_version
        )
        booking = await assignments.assign(
            self._app, caller.tenant, booking_id(request.booking_id), assignment, actor=staff(caller)
        )
        return booking_pb2.AssignBookingResponse(booking=booking_message(booking))

    async def PinBooking(
        self, request: booking_pb2.PinBookingRequest, _context: _Context
    ) -> booking_pb2.PinBookingResponse:
        """Leaves a booking where it is."""
        booking = await assignments.pin(self._app, pinned=True, **_pinning(request))
        return booking_pb2.PinBookingResponse(booking=booking_message(booking))

    async def UnpinBooking(
        self, request: booking_pb2.UnpinBookingRequest, _context: _Context
    ) -> booking_pb2.UnpinBookingResponse:
        """Lets the engine move a booking."""
        booking = await assignments.pin(self._app, pinned=False, **_pinning(request))
        return booking_pb2.UnpinBookingResponse(booking=booking_message(booking))

    async def SwapBookings(
        self, request: booking_pb2.SwapBookingsRequest, _context: _Context
    ) -> booking_pb2.SwapBookingsResponse:
        """Swaps the resources of two bookings."""
        caller = identity.caller()
        one, other = await assignments.swap(
            self._app,
            caller.tenant,
            (booking_id(request.booking_id), request.expected_version),
            (booking_id(request.other_booking_id), request.other_expected_version),
            actor=staff(caller),
        )
        return booking_pb2.SwapBookingsResponse(booking=booking_message(one), other=booking_message(other))


def _pinning(request: Any) -> dict[str, Any]:
    caller = identity.caller()
    return {
        "organization": caller.tenant,
        "booking_id": booking_id(request.booking_id),
        "actor": staff(caller),
        "expected_version": request.expected_version,
    }
