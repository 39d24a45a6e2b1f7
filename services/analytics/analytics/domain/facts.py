"""Facts as events state them. Any order and any repetition of them must add up to the same."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from analytics.domain.hours import Window
from servicekit.money import Money


class BookingStatus(StrEnum):
    """Where a booking stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class VenueFact:
    """What a venue said about itself. The newest one holds."""

    venue_id: UUID
    time_zone: str
    currency: str
    changed_at: datetime
    event_id: UUID
    """Decides between two facts of one instant."""


@dataclass(frozen=True, slots=True)
class CapacityFact:
    """All that a venue has and when it is open, from `since` until the next version. All are kept."""

    venue_id: UUID
    version: int
    since: datetime
    seats: tuple[tuple[UUID, int], ...]
    """Each resource and its seats: the largest party it takes alone."""
    windows: frozenset[Window]


@dataclass(frozen=True, slots=True)
class BookingFact:
    """A booking as it stood at one version. The newest version holds, except for what happened once."""

    booking_id: UUID
    venue_id: UUID
    version: int
    status: BookingStatus
    party_size: int
    starts_at: datetime
    ends_at: datetime
    service_date: date
    resource_ids: tuple[UUID, ...]
    told_at: datetime
    """When it was so."""
    confirmed_at: datetime | None = None
    """When it was promised; only the fact of the promise says so."""
    cancelled_at: datetime | None = None
    """When it was called off; only the fact of that says so."""


@dataclass(frozen=True, slots=True)
class PaymentFact:
    """A deposit that was paid."""

    payment_id: UUID
    booking_id: UUID
    amount: Money
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class RefundFact:
    """How much of a payment had been given back, in all, at some time."""

    payment_id: UUID
    booking_id: UUID
    refunded: Money
    refunded_at: datetime
