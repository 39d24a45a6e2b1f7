"""Mails: their kinds and states, when a reminder is due, and whether a mail still says what is true."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from notification.domain.bookings import Booking, BookingChange, BookingStatus, ChangeKind

_HOUR = 3600
_REMINDERS = (timedelta(hours=24), timedelta(hours=3))
_RETRY = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 28800)
)


class MailKind(StrEnum):
    """Why somebody is written to."""

    EMAIL_VERIFICATION = "email_verification"
    ACCOUNT = "account"
    """What it says of the account is told by auth when it is sent."""
    INVITATION = "invitation"
    PAYMENT_REQUESTED = "payment_requested"
    BOOKING_CONFIRMED = "booking_confirmed"
    BOOKING_MOVED = "booking_moved"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_REMINDER = "booking_reminder"
    REQUEST_RECEIVED = "request_received"
    REQUEST_DECLINED = "request_declined"
    LATE_PAYMENT_REFUNDED = "late_payment_refunded"
    WAITLIST_JOINED = "waitlist_joined"
    WAITLIST_OFFERED = "waitlist_offered"
    TICKET_ANSWERED = "ticket_answered"


class MailStatus(StrEnum):
    """Where a mail stands. A `sending` mail is in the hands of the mail server, or of a process that died."""

    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """Of a sandbox, which writes to nobody."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (MailStatus.SCHEDULED, MailStatus.SENDING)


_MAILS = {
    ChangeKind.REQUESTED: MailKind.REQUEST_RECEIVED,
    ChangeKind.DECLINED: MailKind.REQUEST_DECLINED,
    ChangeKind.HELD: MailKind.PAYMENT_REQUESTED,
    ChangeKind.CONFIRMED: MailKind.BOOKING_CONFIRMED,
    ChangeKind.MOVED: MailKind.BOOKING_MOVED,
    ChangeKind.CANCELLED: MailKind.BOOKING_CANCELLED,
}
_TRUE_WHILE = {
    MailKind.PAYMENT_REQUESTED: {BookingStatus.HELD},
    MailKind.BOOKING_CONFIRMED: {BookingStatus.CONFIRMED},
    MailKind.BOOKING_MOVED: {BookingStatus.HELD, BookingStatus.CONFIRMED},
    MailKind.BOOKING_CANCELLED: {BookingStatus.CANCELLED},
    MailKind.BOOKING_REMINDER: {BookingStatus.CONFIRMED},
    MailKind.REQUEST_RECEIVED: {BookingStatus.REQUESTED},
    MailKind.REQUEST_DECLINED: {BookingStatus.DECLINED},
    MailKind.LATE_PAYMENT_REFUNDED: {BookingStatus.EXPIRED, BookingStatus.CANCELLED},
    MailKind.WAITLIST_OFFERED: {BookingStatus.HELD},
}
"""Where a booking must stand for a mail about it; the others do not speak of that."""
_OF_ONE_START = {
    MailKind.BOOKING_CONFIRMED,
    MailKind.BOOKING_MOVED,
    MailKind.BOOKING_REMINDER,
    MailKind.REQUEST_RECEIVED,
}
"""Another start has a mail of its own. What is asked for once speaks of the start as it is by then."""
_UNTIL_IT_RUNS_OUT = {MailKind.PAYMENT_REQUESTED, MailKind.WAITLIST_OFFERED}


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, without recipient and content: both are asked for at the moment of sending."""

    id: UUID
    organization: UUID | None
    """None for mails about accounts, which belong to no tenant."""
    kind: MailKind
    subject: UUID
    """What it is about: a booking, a message of a ticket, a waitlist entry, somebody who registers, or a mail
    about an account as auth knows it."""
    version: int
    """Of the subject; kind, subject and version together are mailed once."""
    due_at: datetime
    booking: UUID | None = None
    starts_at: datetime | None = None
    """The start that the mail speaks of."""
    status: MailStatus = MailStatus.SCHEDULED
    attempts: int = 0
    sent_at: datetime | None = None


def mail_of_change(change: BookingChange) -> MailKind | None:
    """The mail that tells the guest about a change; none for a hold that ran out, unless money goes back."""
    if change.kind is ChangeKind.EXPIRED and change.money_back:
        return MailKind.LATE_PAYMENT_REFUNDED
    return _MAILS.get(change.kind)


def reminder_due(change: BookingChange, now: datetime) -> datetime | None:
    """24 h before the start; 3 h before when that is over; none when that is over too, or not confirmed."""
    if change.status is not BookingStatus.CONFIRMED:
        return None
    due = (change.starts_at - ahead for ahead in _REMINDERS)
    return next((moment for moment in due if moment > now), None)


def hour_of(moment: datetime) -> int:
    """The hour since 1970: the version of what is mailed once an hour."""
    return int(moment.timestamp()) // _HOUR


def hour_begins(hour: int) -> datetime:
    """When such an hour begins."""
    return datetime.fromtimestamp(hour * _HOUR, UTC)


def still_true(mail: Mail, booking: Booking, now: datetime) -> bool:
    """Whether a mail about a booking may be sent now, or has been overtaken by what happened since."""
    statuses = _TRUE_WHILE.get(mail.kind)
    if statuses is None:
        return True
    runs_out = booking.hold_expires_at
    return (
        booking.status in statuses
        and (mail.kind not in _OF_ONE_START or mail.starts_at == booking.starts_at)
        and (mail.kind not in _UNTIL_IT_RUNS_OUT or (runs_out is not None and runs_out > now))
        and (mail.kind is not MailKind.WAITLIST_OFFERED or booking.id == mail.booking)
        and (mail.kind is not MailKind.BOOKING_REMINDER or now < booking.starts_at)
    )


def retry_after(attempts: int) -> timedelta | None:
    """The wait after `attempts` tries that the mail server put off; None after about a day of them."""
    return _RETRY[attempts - 1] if attempts <= len(_RETRY) else None
