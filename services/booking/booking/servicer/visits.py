"""The part of BookingService about requests and visits: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.domain.bookings import Guest, Wish
from booking.domain.offerings import OfferingNotFound
from booking.events.messages import booking_message
from booking.servicer.reading import booking_id, override, reason, resource_ids, venue_ref
from booking.usecases import requests, visits, walk_ins
from booking.usecases.directory import staff
from booking.usecases.requests import Answer
from booking.usecases.walk_ins import WalkIn
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class VisitRpcs(booking_pb2_grpc.BookingServiceServicer):
    """From the answer to a request to the end of the visit."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ConfirmBooking(
        self, request: booking_pb2.ConfirmBookingRequest, _context: _Context
    ) -> booking_pb2.ConfirmBookingResponse:
        """Says yes to a request."""
        caller = identity.caller()
        answer = Answer(resource_ids(request.resource_ids), override(request), request.expected_version)
        booking = await requests.confirm_request(
            self._app, caller.tenant, booking_id(request.booking_id), answer, actor=staff(caller)
        )
        return booking_pb2.ConfirmBookingResponse(booking=booking_message(booking))

    async def DeclineBooking(
        self, request: booking_pb2.DeclineBookingRequest, _context: _Context
    ) -> booking_pb2.DeclineBookingResponse:
        """Says no to a request."""
        booking = await requests.decline_request(self._app, reason=reason(request), **_step(request))
        return booking_pb2.DeclineBookingResponse(booking=booking_message(booking))

    async def DelayBooking(
        self, request: booking_pb2.DelayBookingRequest, _context: _Context
    ) -> booking_pb2.DelayBookingResponse:
        """Notes that the guest will be late."""
        booking = await visits.delay(self._app, minutes=request.late_minutes, **_step(request))
        return booking_pb2.DelayBookingResponse(booking=booking_message(booking))

    async def ArriveBooking(
        self, request: booking_pb2.ArriveBookingRequest, _context: _Context
    ) -> booking_pb2.ArriveBookingResponse:
        """Notes that the guest is there."""
        booking = await visits.arrive(self._app, **_step(request))
        return booking_pb2.ArriveBookingResponse(booking=booking_message(booking))

    async def SeatBooking(
        self, request: booking_pb2.SeatBookingRequest, _context: _Context
    ) -> booking_pb2.SeatBookingResponse:
        """Notes that the party sits down."""
        booking = await visits.seat(self._app, **_step(request))
        return booking_pb2.SeatBookingResponse(booking=booking_message(booking))

    async def CompleteBooking(
        self, request: booking_pb2.CompleteBookingRequest, _context: _Context
    ) -> booking_pb2.CompleteBookingResponse:
        """Notes that the party left."""
        booking = await visits.complete(self._app, **_step(request))
        return booking_pb2.CompleteBookingResponse(booking=booking_message(booking))

    async def MissBooking(
        self, request: booking_pb2.MissBookingRequest, _context: _Context
    ) -> booking_pb2.MissBookingResponse:
        """Notes that the guest did not come."""
        booking = await visits.miss(self._app, **_step(request))
        return booking_pb2.MissBookingResponse(booking=booking_message(booking))

    async def CreateWalkIn(
        self, request: booking_pb2.CreateWalkInRequest, _context: _Context
    ) -> booking_pb2.CreateWalkInResponse:
        """Seats a party at the door."""
        caller = identity.caller()
        wish = Wish.of(
            Guest.drop_in(ids.new(), name=request.name, phone=request.phone),
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            start=0,
            party_size=request.party_size,
            notes=request.notes,
            override=override(request),
        )
        walk_in = WalkIn(wish, resource_ids(request.resource_ids), request.minutes)
        booking = await walk_ins.seat_walk_in(
            self._app, caller.tenant, venue_ref(request.venue_id), walk_in, actor=staff(caller)
        )
        return booking_pb2.CreateWalkInResponse(booking=booking_message(booking))


def _step(request: Any) -> dict[str, Any]:
    """What every step says: whose booking, who takes it, and what they have read of it."""
    caller = identity.caller()
    return {
        "organization": caller.tenant,
        "booking_id": booking_id(request.booking_id),
        "actor": staff(caller),
        "expected_version": request.expected_version,
    }
