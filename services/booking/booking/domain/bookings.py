"""A booking's life: held, confirmed, cancelled, expired. Each step may refuse; nothing here is undone."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from booking.domain import texts
from booking.domain.offerings import (
    Offering,
)
from servicekit.errors import AppError, Kind
from servicekit.money import Money

_TOKEN_BYTES = 32
_TOKEN_AFTERLIFE = timedelta(days=30)
_DEFAULT_LANGUAGE = "en"


class BookingNotFound(AppError):
    """No booking has this id, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "BOOKING_NOT_FOUND"
    detail = "There is no such booking."


class ManageTokenNotFound(AppError):
    """The link's secret is not one of ours, or its booking ended more than 30 days ago."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_NOT_FOUND"
    detail = "This link is not valid."


class NothingToPay(AppError):
    """The booking is not held for a deposit: none is due, it is paid, or the hold is over."""

    kind = Kind.REFUSED
    reason = "NOTHING_TO_PAY"
    detail = "This booking does not wait for a deposit."


class BookingNotMovable(AppError):
    """The booking has begun, or it was cancelled or has expired."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_MOVABLE"
    detail = "This booking can no longer be moved."


class BookingNotCancellable(AppError):
    """The booking has begun, or has expired."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_CANCELLABLE"
    detail = "This booking can no longer be cancelled."


class Status(StrEnum):
    """Where a booking stands."""

    HELD = "held"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class CancelledBy(StrEnum):
    """Who called a booking off."""

    GUEST = "guest"
    VENUE = "venue"


class ActorKind(StrEnum):
    """Who changes a booking."""

    GUEST = "guest"
    MEMBER = "member"
    PAYMENT = "payment"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes a booking, for its history."""

    kind: ActorKind
    user: UUID | None = None


class ChangeKind(StrEnum):
    """What happened to a booking."""

    HELD = "held"
    CONFIRMED = "confirmed"
    MOVED = "moved"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PAID_TOO_LATE = "paid_too_late"


@dataclass(frozen=True, slots=True)
class Guest:
    """The person who books. Personal data: never in an event, never in a log."""

    id: UUID
    name: str
    email: str
    phone: str
    language: str

    @classmethod
    def meet(cls, id: UUID, *, name: str, email: str, phone: str, language: str) -> "Guest":  # noqa: A002
        """A guest who writes their name in the book. InvalidRequest when it is blank."""
        return cls(id, texts.name("/guest/name", name), email, phone, language or _DEFAULT_LANGUAGE)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to book. `start` is in epoch seconds."""

    offering_id: UUID
    start: int
    party_size: int
    guest: Guest
    notes: str

    @classmethod
    def of(cls, guest: Guest, *, offering_id: UUID, start: int, party_size: int, notes: str) -> "Wish":
        """A guest's wish. InvalidRequest when the notes hold what no mail would show."""
        return cls(offering_id, start, party_size, guest, texts.several_lines("/notes", notes))


@dataclass(frozen=True, slots=True)
class Booking:
    """A promise to a guest. `version` rises with every change."""

    id: UUID
    venue_id: UUID
    time_zone: str
    offering_id: UUID
    guest: Guest
    status: Status
    party_size: int
    start: datetime
    end: datetime
    service_date: date
    resource_ids: tuple[UUID, ...]
    """What it occupies; after its end, what it occupied last."""
    notes: str
    deposit: Money | None
    free_cancellation_hours: int | None
    """The rule that stood when it was booked; None without a deposit."""
    created_at: datetime
    hold_expires_at: datetime | None = None
    deposit_paid_at: datetime | None = None
    cancelled_by: CancelledBy | None = None
    version: int = 1

    @classmethod
    def promise(
        cls,
        id: UUID,  # noqa: A002
        wish: Wish,
        *,
        venue_id: UUID,
        time_zone: str,
        offering: Offering,
        service_date: date,
        end: int,
        resource_ids: tuple[UUID, ...],
        hold_ttl: timedelta,
        now: datetime,
    ) -> "Booking":
        """A new booking: held for `hold_ttl` when a deposit is due, else confirmed at once.

        The price and the rule of cancellation are kept as they stand now.
        """
        deposit = offering.deposit_for(wish.party_size)
        return cls(
            id=id,
            venue_id=venue_id,
            time_zone=time_zone,
            offering_id=offering.id,
            guest=wish.guest,
            status=Status.HELD if deposit else Status.CONFIRMED,
            party_size=wish.party_size,
            start=datetime.fromtimestamp(wish.start, UTC),
            end=datetime.fromtimestamp(end, UTC),
            service_date=service_date,
            resource_ids=resource_ids,
            notes=wish.notes,
            deposit=deposit,
            free_cancellation_hours=offering.deposit.free_cancellation_hours
            if deposit and offering.deposit
            else None,
            created_at=now,
            hold_expires_at=now + hold_ttl if deposit else None,
        )

    @property
    def live(self) -> bool:
        """Whether it occupies anything."""
        return self.status in (Status.HELD, Status.CONFIRMED)

    def as_of(self, now: datetime) -> "Booking":
        """How it stands at `now`: a hold that ran out is expired, whether or not anybody wrote it down."""
        return replace(self, status=Status.EXPIRED, hold_expires_at=None) if self._ran_out(now) else self

    def move(self, start: datetime, end: datetime, service_date: date, *, now: datetime) -> "Booking":
        """At another time, with the same promise and the same deadline to pay. Seating comes separately.

        Raises:
            BookingNotMovable: it has begun, or is not live any more.
        """
        self.refuse_unless_movable(now)
        return replace(self, start=start, end=end, service_date=service_date, version=self.version + 1)

    def refuse_unless_movable(self, now: datetime) -> None:
        """Raises BookingNotMovable once it has begun or is not live any more."""
        if not self.live or self._ran_out(now) or now >= self.start:
            raise BookingNotMovable

    def seated_at(self, resource_ids: tuple[UUID, ...]) -> "Booking":
        """At other resources; part of the change that is under way."""
        return replace(self, resource_ids=resource_ids)

    def cancel(self, by: CancelledBy, *, now: datetime) -> "Booking":
        """Called off.

        Raises:
            BookingNotCancellable: it has begun, or has expired.
        """
        if not self.live or self._ran_out(now) or now >= self.start:
            raise BookingNotCancellable
        return replace(
            self,
            status=Status.CANCELLED,
            cancelled_by=by,
            hold_expires_at=None,
            version=self.version + 1,
        )

    def refund_if_cancelled(self, by: CancelledBy, *, now: datetime) -> Money | None:
        """What a cancellation at `now` gives back; None when nothing was paid.

        The venue gives back everything. A guest gets everything until `free_cancellation_hours` before the
        start, by the rule that stood when it was booked, and an amount of 0 afterwards.
        """
        if self.deposit is None or self.deposit_paid_at is None or not self.live:
            return None
        free_until = self.start - timedelta(hours=self.free_cancellation_hours or 0)
        if by is CancelledBy.VENUE or now <= free_until:
            return self.deposit
        return Money(0, self.deposit.currency)

    def pay(self, *, now: datetime) -> "Booking":
        """The deposit came. A held booking is confirmed by it; the others stay what they are."""
        status = Status.CONFIRMED if self.live else self.status
        return replace(
            self,
            status=status,
            deposit_paid_at=now,
            hold_expires_at=None,
            version=self.version + 1,
        )

    def rescue(self, resource_ids: tuple[UUID, ...]) -> "Booking":
        """Expired and then paid, and there is room after all: confirmed. Part of the change under way."""
        assert self.status is Status.EXPIRED  # noqa: S101
        return replace(self, status=Status.CONFIRMED, resource_ids=resource_ids)

    def expire(self) -> "Booking":
        """Gives up a hold that ran out. The caller has looked at the database's clock."""
        assert self.status is Status.HELD  # noqa: S101
        return replace(self, status=Status.EXPIRED, hold_expires_at=None, version=self.version + 1)

    def token_holds(self, now: datetime) -> bool:
        """Whether the links of this booking still open it: until 30 days after its end."""
        return now < self.end + _TOKEN_AFTERLIFE

    def _ran_out(self, now: datetime) -> bool:
        return self.status is Status.HELD and self.hold_expires_at is not None and self.hold_expires_at <= now


@dataclass(frozen=True, slots=True)
class DepositPayment:
    """How a deposit is paid."""

    payment_id: UUID
    amount: Money
    client_secret: str
    provider: str


class Settlement(StrEnum):
    """How a deposit ended."""

    PAID = "paid"
    CLOSED = "closed"
    """Unpaid, and it cannot be paid any more."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event, packed for the outbox."""

    id: UUID
    topic: str
    type: str
    payload: bytes


def new_token() -> str:
    """The secret of a guest's link: 256 random bits in base64url."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a link's secret. SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()
