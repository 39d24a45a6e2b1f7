"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence

from booking.app import App
from booking.servicer.bookings import AvailabilityServicer, BookingServicer
from booking.servicer.links import BookingDirectoryServicer, GuestBookingServicer
from booking.servicer.venues import VenueServicer
from comptoir.booking.v1 import booking_pb2_grpc, venue_pb2_grpc
from servicekit.rpc.server import Registration


def servicers(app: App) -> Sequence[Registration]:
    """All services of booking, ready to be added to a server."""
    return [
        lambda server: venue_pb2_grpc.add_VenueServiceServicer_to_server(VenueServicer(app), server),
        lambda server: booking_pb2_grpc.add_AvailabilityServiceServicer_to_server(
            AvailabilityServicer(app), server
        ),
        lambda server: booking_pb2_grpc.add_BookingServiceServicer_to_server(BookingServicer(app), server),
        lambda server: booking_pb2_grpc.add_GuestBookingServiceServicer_to_server(
            GuestBookingServicer(app), server
        ),
        lambda server: booking_pb2_grpc.add_BookingDirectoryServiceServicer_to_server(
            BookingDirectoryServicer(app), server
        ),
    ]
