"""What notification knows about bookings: an event's change, and a booking as its owner describes it."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from servicekit.money import Money


class BookingStatus(StrEnum):
    """Where a booking stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REQUESTED = "requested"
    DECLINED = "declined"
    ARRIVED = "arrived"
    SEATED = "seated"
    COMPLETED = "completed"
    NO_SHOW = "no_show"


class ChangeKind(StrEnum):
    """What an event says has happened to a booking."""

    REQUESTED = "requested"
    DECLINED = "declined"
    HELD = "held"
    CONFIRMED = "confirmed"
    MOVED = "moved"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    ENDED = "ended"
    """The guest came, or did not; only partners are told."""


@dataclass(frozen=True, slots=True)
class BookingChange:
    """An event about a booking. It holds nothing about the guest."""

    kind: ChangeKind
    booking: UUID
    version: int
    status: BookingStatus
    starts_at: datetime
    money_back: bool = False
    """Whether it says that something that was paid goes back."""


@dataclass(frozen=True, slots=True)
class WaitlistOffer:
    """An event about room that is kept for somebody who waits. It holds nothing about the guest."""

    entry: UUID
    version: int
    """Of the entry."""
    booking: UUID
    """What holds the room."""
    starts_at: datetime


@dataclass(frozen=True, slots=True)
class WaitlistEntry:
    """What somebody waits for, as the booking service describes it at the moment of sending. Never stored."""

    waits: bool
    """Whether it is in line: it has not ended, and is offered nothing."""
    position: int
    party_size: int
    best_date: date
    flexible_days: int
    earliest: str
    """A local time like "18:00"; empty for any."""
    latest: str
    """The same; after midnight when it is before the earliest."""
    guest_name: str
    guest_email: str
    language: str
    offering: str
    venue: str
    venue_address: str
    token: str
    """The secret of the entry's link."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as the booking service describes it at the moment of sending. Never stored."""

    id: UUID
    reference: str
    """The id as people see it, "bkg_…"."""
    version: int
    status: BookingStatus
    party_size: int
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    """The venue's IANA zone."""
    guest_name: str
    guest_email: str
    language: str
    offering: str
    venue: str
    venue_address: str
    manage_token: str
    """The secret of the guest's link; of an offer, that of the waitlist entry."""
    deposit: Money | None = None
    hold_expires_at: datetime | None = None
    """Until when a hold is to be paid, a request is answered by staff, or an offer by the guest."""
    cancelled_by_venue: bool = False
    fee_if_accepted: Money | None = None
    """Of an offer: what is kept of the deposit of the booking that accepting it gives up."""
