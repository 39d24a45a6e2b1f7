"""The timers that a booking's life hangs on: until when it is paid, answered, or waited for."""

from datetime import datetime, timedelta

from booking.domain.bookings import Booking, Status
from servicekit import timers
from servicekit.database import Transaction

HOLD_EXPIRY = "hold_expiry"
"""Ends a hold."""
REQUEST_EXPIRY = "request_expiry"
"""Ends a request that nobody answered."""
NO_SHOW = "no_show"
"""Ends the wait for a guest."""
_GRACE = timedelta(seconds=2)
"""How long after a hold's end its timer rings: a payment on its way then has arrived as a rule."""


def deadline(booking: Booking) -> tuple[str, datetime] | None:
    """Kind and due time of the timer that a booking needs as it stands; None for none."""
    match booking.status:
        case Status.REQUESTED if booking.hold_expires_at:
            return REQUEST_EXPIRY, booking.hold_expires_at + _GRACE
        case Status.HELD if booking.hold_expires_at:
            return HOLD_EXPIRY, booking.hold_expires_at + _GRACE
        case Status.CONFIRMED if booking.missed_at:
            return NO_SHOW, booking.missed_at
    return None


async def watch(tx: Transaction, booking: Booking) -> None:
    """Sets the timer that a changed booking needs. A hold's stays when it ends: it closes the deposit."""
    await timers.cancel(tx, REQUEST_EXPIRY, str(booking.id))
    await timers.cancel(tx, NO_SHOW, str(booking.id))
    due = deadline(booking)
    if due:
        kind, at = due
        await timers.schedule(tx, kind, str(booking.id), at)
