"""Facts about venues, whole, so that the newest one is enough."""

from collections.abc import Sequence

from booking.domain.offerings import (
    Shift,
)
from booking.domain.venues import (
    Resource,
    Venue,
)
from booking.events.messages import resource_message, shift_message, venue_message
from comptoir.booking.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction


async def venue_changed(tx: Transaction, venue: Venue) -> None:
    """A venue was opened."""
    await outbox.add(tx, events_pb2.VenueChanged(venue=venue_message(venue)), key=venue.id)


async def venue_capacity_changed(
    tx: Transaction, venue: Venue, resources: Sequence[Resource], shifts: Sequence[Shift]
) -> None:
    """What a venue has, or when it is open, is another thing now."""
    message = events_pb2.VenueCapacityChanged(
        venue_id=ids.show("ven", venue.id),
        version=venue.version,
        resources=[resource_message(each) for each in resources],
        shifts=[shift_message(each) for each in shifts],
    )
    await outbox.add(tx, message, key=venue.id)
