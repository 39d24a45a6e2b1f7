"""Holding and letting go, inside a transaction that somebody else opened. Days are locked before bookings."""

from datetime import datetime
from uuid import UUID

from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    BookingNotFound,
    BookingNotMovable,
    ChangeKind,
)
from booking.domain.solver import Choice, Relocation
from booking.events import bookings as events
from booking.store import bookings as store
from booking.store.days import Lost, lock_days
from servicekit.database import Transaction

CLOCK = Actor(ActorKind.CLOCK)
ENGINE = Actor(ActorKind.ENGINE)


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
    """Gives up a locked hold or request that ran out. Its timer stays: it sees to it that nobody pays."""
    expired = booking.expire()
    await store.release(tx, expired.id)
    await store.save_booking(tx, expired, ChangeKind.EXPIRED, CLOCK, before=booking)
    await events.booking_expired(tx, expired, refund_due=None)


async def make_room(tx: Transaction, choice: Choice, *, now: datetime) -> None:
    """Expires the holds and requests that ran out and stand in the way, and moves whom the engine moves.

    In a transaction that has locked their day.

    Raises:
        Lost: one of them was paid or changed meanwhile.
    """
    moved = {each.booking_id: each for each in choice.moved}
    reseated: list[tuple[Booking, Booking, Relocation]] = []
    for booking_id in sorted({*choice.evicted, *moved}):
        booking = await store.lock_booking(tx, booking_id)
        if booking is None or booking.ran_out(now) != (booking_id in choice.evicted):
            raise Lost
        if booking_id in moved:
            relocation = moved[booking_id]
            try:
                reseated.append((booking, booking.reseat(relocation.resource_ids, now=now), relocation))
            except BookingNotMovable as error:
                raise Lost from error
            await store.release(tx, booking_id)
        else:
            await expire(tx, booking)
    for before, booking, relocation in reseated:
        await store.occupy(tx, booking, relocation.occupations)
        await store.save_booking(tx, booking, ChangeKind.RESEATED, ENGINE, before=before)
        await events.booking_reseated(tx, booking, before=before)
