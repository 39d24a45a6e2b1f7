"""What auth asks about a guest: messages to use cases and back."""

from typing import Any, TypeAlias

import grpc

from booking.app import App
from booking.usecases import privacy
from comptoir.booking.v1 import privacy_pb2, privacy_pb2_grpc
from servicekit import identity, ids

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class GuestDirectoryServicer(privacy_pb2_grpc.GuestDirectoryServiceServicer):
    """Guests, by how they can be reached."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListBookingsOfGuest(
        self, request: privacy_pb2.ListBookingsOfGuestRequest, _context: _Context
    ) -> privacy_pb2.ListBookingsOfGuestResponse:
        """All of them, and those to come."""
        known = await privacy.list_bookings_of_guest(
            self._app,
            identity.caller().tenant,
            email=request.email,
            phone=request.phone,
            name=request.name,
        )
        return privacy_pb2.ListBookingsOfGuestResponse(
            booking_ids=[ids.show("bkg", each) for each in known.bookings],
            to_come_booking_ids=[ids.show("bkg", each) for each in known.to_come],
        )

    async def ListNamesOfNumber(
        self, request: privacy_pb2.ListNamesOfNumberRequest, _context: _Context
    ) -> privacy_pb2.ListNamesOfNumberResponse:
        """Its names, and the bookings of each."""
        found = await privacy.list_names_of_number(self._app, identity.caller().tenant, request.phone)
        names = [privacy_pb2.NameOfNumber(name=name, bookings=count) for name, count in found]
        return privacy_pb2.ListNamesOfNumberResponse(names=names)
