"""AvailabilityService and BookingService: messages to use cases and back."""

from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

import grpc

from booking.app import App
from booking.domain.availability import Found, Refusal, Slot
from booking.domain.bookings import (
    Actor,
    ActorKind,
    BookingNotFound,
    CancelledBy,
    Guest,
    Wish,
)
from booking.domain.offerings import (
    OfferingNotFound,
)
from booking.events.messages import booking_message, moment, money, payment_message
from booking.servicer.reading import calendar_day, page_by_start, venue_ref
from booking.usecases import availability, bookings, changes
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import identity, ids
from servicekit.identity import Caller

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_MOST_SHOWN = 64
_REASONS = {
    None: booking_pb2.REFUSAL_REASON_UNSPECIFIED,
    Refusal.CLOSED: booking_pb2.REFUSAL_REASON_CLOSED,
    Refusal.NOTICE: booking_pb2.REFUSAL_REASON_NOTICE,
    Refusal.TOO_FAR_AHEAD: booking_pb2.REFUSAL_REASON_TOO_FAR_AHEAD,
    Refusal.NO_TABLE_FOR_PARTY: booking_pb2.REFUSAL_REASON_NO_TABLE_FOR_PARTY,
    Refusal.FULLY_BOOKED: booking_pb2.REFUSAL_REASON_FULLY_BOOKED,
}


class AvailabilityServicer(booking_pb2_grpc.AvailabilityServiceServicer):
    """Finding a time."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def SearchAvailability(
        self, request: booking_pb2.SearchAvailabilityRequest, _context: _Context
    ) -> booking_pb2.SearchAvailabilityResponse:
        """The starts of a service day."""
        offering_id = request.offering_id
        found = await availability.search_availability(
            self._app,
            venue_ref(request.venue_id),
            calendar_day(request.date),
            party_size=request.party_size,
            offering_id=ids.parse("off", offering_id, OfferingNotFound) if offering_id else None,
        )
        return _found(request.date, found)


class BookingServicer(booking_pb2_grpc.BookingServiceServicer):
    """Bookings as guests make them and as staff handle them."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateBooking(
        self, request: booking_pb2.CreateBookingRequest, _context: _Context
    ) -> booking_pb2.CreateBookingResponse:
        """Books a start."""
        guest = Guest.meet(
            ids.new(),
            name=request.guest.name,
            email=request.guest.email,
            phone=request.guest.phone,
            language=request.guest.language,
        )
        wish = Wish.of(
            guest,
            offering_id=ids.parse("off", request.offering_id, OfferingNotFound),
            start=request.start.epoch_seconds,
            party_size=request.party_size,
            notes=request.notes,
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
            self._app, identity.caller().tenant, _booking_id(request.booking_id)
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
            page=page_by_start(request.page_size, request.page_token, request.venue_id, request.date),
        )
        return booking_pb2.ListBookingsResponse(items=map(booking_message, found), next_page_token=token)

    async def CancelBooking(
        self, request: booking_pb2.CancelBookingRequest, _context: _Context
    ) -> booking_pb2.CancelBookingResponse:
        """Cancels for the venue."""
        caller = identity.caller()
        booking = await changes.cancel_booking(
            self._app,
            caller.tenant,
            _booking_id(request.booking_id),
            by=CancelledBy.VENUE,
            actor=_member(caller),
        )
        return booking_pb2.CancelBookingResponse(booking=booking_message(booking))

    async def MoveBooking(
        self, request: booking_pb2.MoveBookingRequest, _context: _Context
    ) -> booking_pb2.MoveBookingResponse:
        """Moves for the venue."""
        caller = identity.caller()
        booking = await changes.move_booking(
            self._app,
            caller.tenant,
            _booking_id(request.booking_id),
            request.start.epoch_seconds,
            actor=_member(caller),
        )
        return booking_pb2.MoveBookingResponse(booking=booking_message(booking))


def _booking_id(text: str) -> UUID:
    return ids.parse("bkg", text, BookingNotFound)


def _member(caller: Caller) -> Actor:
    return Actor(ActorKind.MEMBER, caller.user)


@lru_cache(maxsize=_MOST_SHOWN)
def _found(day: str, found: Found) -> booking_pb2.SearchAvailabilityResponse:
    """Made once for an answer that is kept; nobody changes it."""
    return booking_pb2.SearchAvailabilityResponse(
        date=day,
        time_zone=found.zone.key,
        slots=[_slot(found.zone, slot) for slot in found.slots],
        closed_reason=_REASONS[None if found.slots else Refusal.CLOSED],
    )


def _slot(zone: ZoneInfo, slot: Slot) -> booking_pb2.Slot:
    return booking_pb2.Slot(
        start=moment(zone, slot.start),
        end=moment(zone, slot.end),
        offering_id=ids.show("off", slot.offering.id),
        bookable=slot.refusal is None,
        reason=_REASONS[slot.refusal],
        deposit=money(slot.deposit),
    )
