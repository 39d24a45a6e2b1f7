"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence

from booking.app import App
from booking.servicer.availability import AvailabilityLookupServicer, AvailabilityServicer
from booking.servicer.blocks import BlockServicer
from booking.servicer.bookings import BookingServicer
from booking.servicer.capacity import CapacityServicer
from booking.servicer.hours import HoursServicer
from booking.servicer.links import BookingDirectoryServicer, GuestBookingServicer
from booking.servicer.privacy import GuestDirectoryServicer
from booking.servicer.series import SeriesServicer
from booking.servicer.themes import VenueDirectoryServicer
from booking.servicer.venues import VenueServicer
from booking.servicer.waitlist import GuestWaitlistServicer, WaitlistDirectoryServicer, WaitlistServicer
from comptoir.booking.v1 import (
    availability_pb2_grpc,
    blocks_pb2_grpc,
    booking_pb2_grpc,
    capacity_pb2_grpc,
    hours_pb2_grpc,
    privacy_pb2_grpc,
    series_pb2_grpc,
    venue_pb2_grpc,
    waitlist_pb2_grpc,
)
from servicekit.rpc.server import Registration


def servicers(app: App) -> Sequence[Registration]:
    """All services of booking, ready to be added to a server."""
    return [
        lambda server: capacity_pb2_grpc.add_CapacityServiceServicer_to_server(CapacityServicer(app), server),
        lambda server: hours_pb2_grpc.add_HoursServiceServicer_to_server(HoursServicer(app), server),
        lambda server: venue_pb2_grpc.add_VenueServiceServicer_to_server(VenueServicer(app), server),
        lambda server: venue_pb2_grpc.add_VenueDirectoryServiceServicer_to_server(
            VenueDirectoryServicer(app), server
        ),
        lambda server: booking_pb2_grpc.add_AvailabilityServiceServicer_to_server(
            AvailabilityServicer(app), server
        ),
        lambda server: availability_pb2_grpc.add_AvailabilityLookupServiceServicer_to_server(
            AvailabilityLookupServicer(app), server
        ),
        lambda server: booking_pb2_grpc.add_BookingServiceServicer_to_server(BookingServicer(app), server),
        lambda server: blocks_pb2_grpc.add_BlockServiceServicer_to_server(BlockServicer(app), server),
        lambda server: series_pb2_grpc.add_SeriesServiceServicer_to_server(SeriesServicer(app), server),
        lambda server: booking_pb2_grpc.add_GuestBookingServiceServicer_to_server(
            GuestBookingServicer(app), server
        ),
        lambda server: booking_pb2_grpc.add_BookingDirectoryServiceServicer_to_server(
            BookingDirectoryServicer(app), server
        ),
        lambda server: waitlist_pb2_grpc.add_WaitlistServiceServicer_to_server(WaitlistServicer(app), server),
        lambda server: waitlist_pb2_grpc.add_GuestWaitlistServiceServicer_to_server(
            GuestWaitlistServicer(app), server
        ),
        lambda server: waitlist_pb2_grpc.add_WaitlistDirectoryServiceServicer_to_server(
            WaitlistDirectoryServicer(app), server
        ),
        lambda server: privacy_pb2_grpc.add_GuestDirectoryServiceServicer_to_server(
            GuestDirectoryServicer(app), server
        ),
    ]
