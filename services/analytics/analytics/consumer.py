"""Events to facts. When something happened is the event's own time, never the time of its arrival."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

from google.protobuf.message import Message

from analytics import usecases
from analytics.app import App
from analytics.domain.facts import (
    BookingFact,
    BookingStatus,
    CapacityFact,
    PaymentFact,
    RefundFact,
    VenueFact,
)
from analytics.domain.hours import Window
from comptoir.booking.v1 import booking_pb2
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.consumer import Handler
from servicekit.errors import Internal
from servicekit.events import Event
from servicekit.money import Money
from servicekit.privacy import trace_of

_STATUS = {
    booking_pb2.BOOKING_STATUS_HELD: BookingStatus.HELD,
    booking_pb2.BOOKING_STATUS_CONFIRMED: BookingStatus.CONFIRMED,
    booking_pb2.BOOKING_STATUS_CANCELLED: BookingStatus.CANCELLED,
    booking_pb2.BOOKING_STATUS_EXPIRED: BookingStatus.EXPIRED,
}


async def on_venue_changed(app: App, event: Event) -> None:
    """A venue was opened or changed."""
    venue = event.message.venue
    fact = VenueFact(_id("ven", venue.id), venue.time_zone, venue.currency, event.time, event.id)
    await usecases.record_venue(app, event, fact)


async def on_venue_capacity_changed(app: App, event: Event) -> None:
    """A venue has other resources or hours."""
    message = event.message
    fact = CapacityFact(
        venue_id=_id("ven", message.venue_id),
        version=message.version,
        since=event.time,
        seats=tuple((_id("res", each.id), each.max_party) for each in message.resources),
        windows=frozenset(
            Window.of(weekday, shift.opens, shift.closes)
            for shift in message.shifts
            for weekday in shift.weekdays
        ),
    )
    await usecases.record_capacity(app, event, fact)


async def on_booking(app: App, event: Event) -> None:
    """A booking came to be, or stands differently."""
    await usecases.record_booking(app, event, _booking(event))


async def on_booking_confirmed(app: App, event: Event) -> None:
    """A booking was promised."""
    await usecases.record_booking(app, event, _booking(event, confirmed_at=event.time))


async def on_booking_cancelled(app: App, event: Event) -> None:
    """A booking was called off."""
    await usecases.record_booking(app, event, _booking(event, cancelled_at=event.time))


async def on_payment_succeeded(app: App, event: Event) -> None:
    """A deposit was paid."""
    message = event.message
    fact = PaymentFact(
        _id("pay", message.payment_id), _id("bkg", message.booking_id), _money(message.amount), event.time
    )
    await usecases.record_payment(app, event, fact)


async def on_payment_refunded(app: App, event: Event) -> None:
    """Money was given back."""
    message = event.message
    fact = RefundFact(
        _id("pay", message.payment_id), _id("bkg", message.booking_id), _money(message.refunded), event.time
    )
    await usecases.record_refund(app, event, fact)


async def on_personal_data_erased(app: App, event: Event) -> None:
    """Booking has forgotten a person."""
    await usecases.give_receipt(app, event, trace_of(event))


async def on_personal_data_exported(app: App, event: Event) -> None:
    """Booking has told what it keeps of a person."""
    await usecases.export_facts(app, event, trace_of(event))


HANDLERS: Mapping[type[Message], Handler[App]] = {
    booking_events.VenueChanged: on_venue_changed,
    booking_events.VenueCapacityChanged: on_venue_capacity_changed,
    booking_events.BookingHeld: on_booking,
    booking_events.BookingConfirmed: on_booking_confirmed,
    booking_events.BookingMoved: on_booking,
    booking_events.BookingCancelled: on_booking_cancelled,
    booking_events.BookingExpired: on_booking,
    booking_events.PersonalDataErased: on_personal_data_erased,
    booking_events.PersonalDataExported: on_personal_data_exported,
    payment_events.PaymentSucceeded: on_payment_succeeded,
    payment_events.PaymentRefunded: on_payment_refunded,
}


def _booking(
    event: Event, *, confirmed_at: datetime | None = None, cancelled_at: datetime | None = None
) -> BookingFact:
    booking: booking_events.BookingSnapshot = event.message.booking
    return BookingFact(
        booking_id=_id("bkg", booking.booking_id),
        venue_id=_id("ven", booking.venue_id),
        version=booking.version,
        status=_STATUS[booking.status],
        party_size=booking.party_size,
        starts_at=_moment(booking.start),
        ends_at=_moment(booking.end),
        service_date=date.fromisoformat(booking.service_date),
        resource_ids=tuple(_id("res", each) for each in booking.resource_ids),
        told_at=event.time,
        confirmed_at=confirmed_at,
        cancelled_at=cancelled_at,
    )


def _id(prefix: str, text: str) -> UUID:
    """A typed id. One that is none is a defect of the producer: the event becomes a dead letter."""
    return ids.parse(prefix, text, Internal)


def _moment(value: values_pb2.OffsetDateTime) -> datetime:
    return datetime.fromtimestamp(value.epoch_seconds, UTC)


def _money(value: values_pb2.Money) -> Money:
    return Money(value.amount, value.currency)
