"""Facts of payment, and of booking itself, each to its one use case."""

from types import MappingProxyType

from booking.app import App
from booking.domain.bookings import BookingNotFound
from booking.usecases import payments, waitlist
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.payment.v1 import events_pb2
from servicekit import ids
from servicekit.consumer import Handlers
from servicekit.events import Event


async def on_payment_succeeded(app: App, event: Event) -> None:
    """A deposit was paid."""
    booking_id = ids.parse("bkg", event.message.booking_id, BookingNotFound)
    await payments.take_payment(app, event, booking_id)


async def on_booking_confirmed(app: App, event: Event) -> None:
    """A guest has booked, and waits no more."""
    booking_id = ids.parse("bkg", event.message.booking.booking_id, BookingNotFound)
    await waitlist.close_for_booking(app, event, booking_id)


HANDLERS: Handlers[App] = MappingProxyType(
    {
        events_pb2.PaymentSucceeded: on_payment_succeeded,
        booking_events.BookingConfirmed: on_booking_confirmed,
    }
)
