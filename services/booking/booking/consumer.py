"""Facts of auth, of payment, and of booking itself, each to its one use case."""

from types import MappingProxyType

from booking.app import App
from booking.domain.bookings import BookingNotFound
from booking.domain.themes import Theme
from booking.usecases import payments, privacy, purges, themes, waitlist
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.payment.v1 import events_pb2
from servicekit import ids
from servicekit.consumer import Handlers
from servicekit.events import Event
from servicekit.privacy import request_of


async def on_payment_succeeded(app: App, event: Event) -> None:
    """A deposit was paid."""
    booking_id = ids.parse("bkg", event.message.booking_id, BookingNotFound)
    await payments.take_payment(app, event, booking_id)


async def on_booking_confirmed(app: App, event: Event) -> None:
    """A guest has booked, and waits no more."""
    booking_id = ids.parse("bkg", event.message.booking.booking_id, BookingNotFound)
    await waitlist.close_for_booking(app, event, booking_id)


async def on_erasure_requested(app: App, event: Event) -> None:
    """A person is to be forgotten."""
    request_id, user = request_of(event)
    if user is None:
        await privacy.erase_guest(app, event, request_id)
    else:
        await privacy.forget_user(app, event, request_id, user)


async def on_export_requested(app: App, event: Event) -> None:
    """A person is to be told what is kept of them."""
    request_id, user = request_of(event)
    if user is None:
        await privacy.export_guest(app, event, request_id)
    else:
        await privacy.export_user(app, event, request_id, user)


async def on_theme_updated(app: App, event: Event) -> None:
    """An organization looks otherwise."""
    told = event.message
    theme = Theme(told.name, told.logo_url, told.background, told.text, told.accent)
    await themes.note_theme(app, event, theme)


HANDLERS: Handlers[App] = MappingProxyType(
    {
        auth_events.ErasureRequested: on_erasure_requested,
        auth_events.ExportRequested: on_export_requested,
        auth_events.OrganizationThemeUpdated: on_theme_updated,
        auth_events.RetentionChanged: purges.note_retention,
        events_pb2.PaymentSucceeded: on_payment_succeeded,
        booking_events.BookingConfirmed: on_booking_confirmed,
    }
)
