"""Facts about venues, whole, so that the newest one is enough."""

from collections.abc import Sequence
from dataclasses import replace

from booking.domain.closures import Closure
from booking.domain.shifts import Shift
from booking.domain.venues import (
    Resource,
    Venue,
)
from booking.domain.windows import DateException
from booking.events.hours import closure_message, exception_message, shift_message
from booking.events.messages import resource_message, venue_message
from comptoir.booking.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction


async def venue_changed(tx: Transaction, venue: Venue) -> None:
    """A venue was opened or changed."""
    message = venue_message(replace(venue, theme=None))  # auth tells of themes
    await outbox.add(tx, events_pb2.VenueChanged(venue=message), key=venue.id)


async def venue_capacity_changed(
    tx: Transaction,
    venue: Venue,
    resources: Sequence[Resource],
    shifts: Sequence[Shift],
    *,
    exceptions: Sequence[DateException],
    closures: Sequence[Closure],
) -> None:
    """What a venue has, or when it is open, is another thing now."""
    message = events_pb2.VenueCapacityChanged(
        venue_id=ids.show("ven", venue.id),
        version=venue.version,
        resources=[resource_message(each) for each in resources],
        shifts=[shift_message(each) for each in shifts],
        exceptions=[exception_message(replace(each, reason="")) for each in exceptions],
        closures=[closure_message(replace(each, reason="")) for each in closures],
    )
    await outbox.add(tx, message, key=venue.id)
