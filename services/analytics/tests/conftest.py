"""An analytics service on a real database, and a venue that things happen at."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from google.protobuf.message import Message

from analytics.app import App
from analytics.consumer import HANDLERS
from analytics.domain.figures import Overview
from analytics.usecases import get_overview
from comptoir.booking.v1 import booking_pb2, events_pb2, venue_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.events import Event
from testkit.events import event_of
from testkit.plugin import OpenDatabase
from testkit.privacy import PrivacyOffice

Shift = tuple[tuple[int, ...], str, str]
"""Weekdays, opening and closing time."""

STATUS = {
    events_pb2.BookingHeld: booking_pb2.BOOKING_STATUS_HELD,
    events_pb2.BookingConfirmed: booking_pb2.BOOKING_STATUS_CONFIRMED,
    events_pb2.BookingMoved: booking_pb2.BOOKING_STATUS_CONFIRMED,
    events_pb2.BookingCancelled: booking_pb2.BOOKING_STATUS_CANCELLED,
    events_pb2.BookingExpired: booking_pb2.BOOKING_STATUS_EXPIRED,
}
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class House:
    """A venue of an organization, and the messages about it."""

    organization: UUID = field(default_factory=ids.new)
    venue: UUID = field(default_factory=ids.new)

    def opened(self, zone: str = "Europe/Paris", currency: str = "EUR") -> Message:
        """It was opened or changed."""
        venue = venue_pb2.Venue(id=ids.show("ven", self.venue), time_zone=zone, currency=currency)
        return events_pb2.VenueChanged(venue=venue)

    def equipped(self, version: int, seats: dict[UUID, int], *shifts: Shift) -> Message:
        """It has other resources and hours."""
        return events_pb2.VenueCapacityChanged(
            venue_id=ids.show("ven", self.venue),
            version=version,
            resources=[
                venue_pb2.Resource(id=ids.show("res", resource), min_party=1, max_party=count)
                for resource, count in seats.items()
            ],
            shifts=[
                venue_pb2.Shift(weekdays=weekdays, opens=opens, last_start=opens, closes=closes)
                for weekdays, opens, closes in shifts
            ],
        )

    def booking(
        self,
        kind: type[Message],
        booking: UUID,
        *,
        version: int,
        start: datetime,
        end: datetime,
        day: date | None = None,
        party: int = 2,
        resources: tuple[UUID, ...] = (),
    ) -> Message:
        """Something happened to a booking."""
        snapshot = events_pb2.BookingSnapshot(
            booking_id=ids.show("bkg", booking),
            venue_id=ids.show("ven", self.venue),
            status=STATUS[kind],
            party_size=party,
            start=moment(start),
            end=moment(end),
            service_date=(day or start.date()).isoformat(),
            resource_ids=[ids.show("res", each) for each in resources],
            version=version,
        )
        return kind(booking=snapshot)


def paid(payment: UUID, booking: UUID, amount: int, currency: str = "EUR") -> Message:
    """A deposit was paid."""
    money = values_pb2.Money(amount=amount, currency=currency)
    return payment_events.PaymentSucceeded(
        payment_id=ids.show("pay", payment), booking_id=ids.show("bkg", booking), amount=money
    )


def refunded(payment: UUID, booking: UUID, in_all: int, currency: str = "EUR") -> Message:
    """Money was given back."""
    money = values_pb2.Money(amount=in_all, currency=currency)
    return payment_events.PaymentRefunded(
        payment_id=ids.show("pay", payment), booking_id=ids.show("bkg", booking), refunded=money
    )


def moment(value: datetime) -> values_pb2.OffsetDateTime:
    """An instant as events carry it."""
    return values_pb2.OffsetDateTime(epoch_seconds=int(value.timestamp()), offset_minutes=0)


def at(text: str) -> datetime:
    """An instant in UTC: "2027-03-28 19:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Counter:
    """Delivers facts to the service and reads what it makes of them."""

    app: App

    async def deliver(self, *events: Event) -> None:
        """Hands events to their handlers, in this order."""
        for event in events:
            await HANDLERS[type(event.message)](self.app, event)

    async def tell(self, house: House, message: Message, time: datetime) -> Event:
        """Delivers one new event; it can be delivered again."""
        event = event_of(message, house.organization, time=time)
        await self.deliver(event)
        return event

    async def overview(self, house: House, day: date) -> Overview:
        """What the service answers."""
        return await get_overview(self.app, house.organization, house.venue, day=day)


@pytest.fixture
async def app(service_database: OpenDatabase, privacy_office: PrivacyOffice) -> App:
    return App(await service_database("analytics"), privacy_office.desk_of("analytics"))


@pytest.fixture
def counter(app: App) -> Counter:
    return Counter(app)


@pytest.fixture
def house() -> House:
    return House()
