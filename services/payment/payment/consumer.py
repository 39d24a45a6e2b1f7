"""Events of booking to use cases. Decides nothing."""

from types import MappingProxyType

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from payment.app import App
from payment.domain.errors import BookingUnreadable
from payment.usecases import refunds
from servicekit import ids
from servicekit.events import Event
from servicekit.money import Money


async def on_booking_cancelled(app: App, event: Event) -> None:
    """A booking was called off."""
    message: events_pb2.BookingCancelled = event.message
    due = _money(message.refund_due) if message.HasField("refund_due") else None
    await _close(app, event, message.booking.booking_id, due, "booking cancelled")


async def on_booking_expired(app: App, event: Event) -> None:
    """A hold ran out."""
    message: events_pb2.BookingExpired = event.message
    due = _money(message.refund_due) if message.HasField("refund_due") else None
    await _close(app, event, message.booking.booking_id, due, "booking expired")


async def _close(app: App, event: Event, booking: str, due: Money | None, reason: str) -> None:
    booking_id = ids.parse("bkg", booking, BookingUnreadable)
    await refunds.close_booking(app, event, booking_id, refund_due=due, reason=reason)


def _money(money: values_pb2.Money) -> Money | None:
    return Money(money.amount, money.currency) if money.amount else None


HANDLERS = MappingProxyType(
    {
        events_pb2.BookingCancelled: on_booking_cancelled,
        events_pb2.BookingExpired: on_booking_expired,
    }
)
