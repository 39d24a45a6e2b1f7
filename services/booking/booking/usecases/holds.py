"""Holding and letting go, inside a transaction that somebody else opened. Days are locked before bookings."""

from datetime import datetime
from uuid import UUID

from booking.domain.availability import Choice
from booking.domain.bookings import Actor, ActorKind, Booking, BookingNotFound, ChangeKind, Status
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store.days import Lost, lock_days
from servicekit.database import Transaction

HOLD_EXPIRY = "hold_expiry"
"""The timer that ends a hold."""
CLOCK = Actor(ActorKind.CLOCK)


async def lock_with_day(tx: Transaction, seen: Booking) -> Booking:
    """The booking as it stands, which nobody else changes until the end of `tx`, and its day outdated.

    Raises:
        Lost: it was moved to another day meanwhile.
    """
    await lock_days(tx, seen.venue_id, {seen.service_date})
    booking = await store.lock_booking(tx, seen.id)
    if booking is None or booking.service_date != seen.service_date:
        raise Lost
    return booking


async def see_booking(tx: Transaction, booking_id: UUID) -> Booking:
    """The tenant's booking, unlocked. Raises BookingNotFound."""
    booking = await store.get_booking(tx, booking_id)
    if booking is None:
        raise BookingNotFound
    return booking


async def expire(tx: Transaction, booking: Booking) -> None:
    """Gives up a locked hold that ran out. Its timer stays: it sees to it that nobody pays any more."""
    expired = booking.expire()
    await store.release(tx, expired.id)
    await store.save_booking(tx, expired, ChangeKind.EXPIRED, CLOCK)
    await events.booking_expired(tx, expired, refund_due=None)


async def evict(tx: Transaction, choice: Choice, *, now: datetime) -> None:
    """Expires the holds that ran out and stand in the way.

    Raises:
        Lost: one of them was paid or changed meanwhile.
    """
    for booking_id in sorted(choice.evicted):
        booking = await store.lock_booking(tx, booking_id)
        if booking is None or booking.status is not Status.HELD or booking.as_of(now).live:
            raise Lost
        await expire(tx, booking)
