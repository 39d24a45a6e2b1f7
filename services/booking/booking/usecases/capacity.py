"""Changing what a venue has or when it is open: behind every booking in flight, and published whole."""

from datetime import date, timedelta

from booking.domain.calendar import LAST_DAY
from booking.domain.venues import Venue, VenueNotFound, VenueRef
from booking.events import venues as events
from booking.store import days as day_store
from booking.store import floor as floor_store
from booking.store import hours as hours_store
from booking.store import venues as store
from booking.usecases.directory import find_own_venue
from servicekit.database import Transaction

_PAST = timedelta(days=2)
"""A service day of two days ago may still go on, in whatever zone."""


def today(tx: Transaction) -> date:
    """The first service day that can have bookings to come."""
    return tx.now.date() - _PAST


async def begin_change(tx: Transaction, ref: VenueRef) -> Venue:
    """The venue with its next version: what was planned on the one before cannot be committed any more.

    Waits for bookings that are being committed: whatever is read about bookings afterwards stays true until
    the end of `tx`.

    Raises:
        VenueNotFound: the tenant has none of this name.
        Busy: somebody books at the venue, or changes it, for too long.
    """
    venue_id = (await find_own_venue(tx, ref)).id
    await day_store.lock_venue(tx, venue_id)
    venue = await store.bump_venue(tx, venue_id)
    if venue is None:
        raise VenueNotFound
    return venue


async def publish(tx: Transaction, venue: Venue) -> None:
    """Tells what the venue has and when it is open now."""
    since = today(tx)
    await events.venue_capacity_changed(
        tx,
        venue,
        await floor_store.list_resources(tx, venue.id),
        await hours_store.list_shifts(tx, venue.id),
        exceptions=await hours_store.list_exceptions(tx, venue.id, since, LAST_DAY),
        closures=await hours_store.list_closures(tx, venue.id, since, LAST_DAY),
    )
