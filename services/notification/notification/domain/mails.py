"""Mails: their kinds and states, when a reminder is due, and whether a mail still says what is true."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from notification.domain.bookings import Booking, BookingChange, BookingStatus, ChangeKind

_REMINDERS = (timedelta(hours=24), timedelta(hours=3))
_RETRY = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 28800)
)


class MailKind(StrEnum):
    """Why somebody is written to."""

    EMAIL_VERIFICATION = "email_verification"
    PAYMENT_REQUESTED = "payment_requested"
    BOOKING_CONFIRMED = "booking_confirmed"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_REMINDER = "booking_reminder"
    TICKET_ANSWERED = "ticket_answered"


class MailStatus(StrEnum):
    """Where a mail stands. A `sending` mail is in the hands of the mail server, or of a process that died."""

    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (MailStatus.SENT, MailStatus.CANCELLED, MailStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, without recipient and content: both are asked for at the moment of sending."""

    id: UUID
    organization: UUID | None
    """None for mails about accounts, which belong to no tenant."""
    kind: MailKind
    subject: UUID
    """What it is about: a booking, a message of a ticket, or somebody who registers."""
    version: int
    """Of the subject; kind, subject and version together are mailed once."""
    due_at: datetime
    booking: UUID | None = None
    starts_at: datetime | None = None
    """The start that the mail speaks of."""
    status: MailStatus = MailStatus.SCHEDULED
    attempts: int = 0
    sent_at: datetime | None = None


def mail_of_change(kind: ChangeKind) -> MailKind | None:
    """The mail that tells the guest about a change; none for a hold that ran out."""
    match kind:
        case ChangeKind.HELD:
            return MailKind.PAYMENT_REQUESTED
        case ChangeKind.CONFIRMED:
            return MailKind.BOOKING_CONFIRMED
        case ChangeKind.MOVED:
            return MailKind.BOOKING_MOVED
        case ChangeKind.CANCELLED:
            return MailKind.BOOKING_CANCELLED
        case ChangeKind.EXPIRED:
            return None
    assert_never(kind)


def reminder_due(change: BookingChange, now: datetime) -> datetime | None:
    """24 h before the start; 3 h before when that is over; none when that is over too, or not confirmed."""
    if change.status is not BookingStatus.CONFIRMED:
        return None
    due = (change.starts_at - ahead for ahead in _REMINDERS)
    return next((moment for moment in due if moment > now), None)


def still_true(mail: Mail, booking: Booking, now: datetime) -> bool:
    """Whether a mail about a booking may be sent now, or has been overtaken by what happened since."""
    same_start = mail.starts_at == booking.starts_at
    match mail.kind:
        case MailKind.PAYMENT_REQUESTED:
            # Also of a hold that was moved meanwhile: it is asked for once, and speaks of the start as it is.
            running = booking.hold_expires_at is not None and booking.hold_expires_at > now
            return running and booking.status is BookingStatus.HELD
        case MailKind.BOOKING_CONFIRMED:
            return same_start and booking.status is BookingStatus.CONFIRMED
        case MailKind.BOOKING_MOVED:
            return same_start and booking.status in (BookingStatus.HELD, BookingStatus.CONFIRMED)
        case MailKind.BOOKING_CANCELLED:
            return booking.status is BookingStatus.CANCELLED
        case MailKind.BOOKING_REMINDER:
            return same_start and booking.status is BookingStatus.CONFIRMED and now < booking.starts_at
        case MailKind.TICKET_ANSWERED | MailKind.EMAIL_VERIFICATION:
            return True
    assert_never(mail.kind)


def retry_after(attempts: int) -> timedelta | None:
    """The wait after `attempts` tries that the mail server put off; None after about a day of them."""
    return _RETRY[attempts - 1] if attempts <= len(_RETRY) else None
