"""Sending mails, one at a time, and listing them. A mail is marked before it is posted and after."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from prometheus_client import Counter

from notification.app import App
from notification.clients.smtp import Posted
from notification.domain.bookings import Booking
from notification.domain.errors import BookingNotFound
from notification.domain.mails import Mail, MailKind, MailStatus, retry_after, still_true
from notification.mails import account_letters, calendar, letters, messages
from notification.mails.calendar import Method
from notification.mails.letters import Letter
from notification.mails.messages import Unaddressable
from notification.store import mails as store
from servicekit import ids, timers
from servicekit.database import Transaction
from servicekit.errors import AppError, Kind
from servicekit.paging import Page
from servicekit.timers import Timer

_ENDED = Counter("comptoir_mails_ended_total", "Mails by kind and how they ended.", ["kind", "outcome"])
_AMBIGUOUS = Counter(
    "comptoir_mails_ambiguous_total", "Mails posted again because the last post may or may not have arrived."
)
_INVITATIONS = {
    MailKind.BOOKING_CONFIRMED: Method.REQUEST,
    MailKind.BOOKING_MOVED: Method.REQUEST,
    MailKind.BOOKING_CANCELLED: Method.CANCEL,
}


@dataclass(frozen=True, slots=True)
class _Content:
    """What is to be posted."""

    recipient: str
    message: bytes


async def list_mails(app: App, organization: UUID, booking: UUID, page: Page) -> tuple[Sequence[Mail], str]:
    """A page of the mails about a booking, newest first, and the token of the next.

    Raises:
        BookingNotFound: nothing was ever heard of such a booking of this organization.
    """
    async with app.db.begin(organization) as tx:
        if not await store.knows_booking(tx, booking):
            raise BookingNotFound
        return await store.page_of_mails(tx, booking, page)


async def send_mail(app: App, timer: Timer, mail_id: UUID) -> None:
    """Sends a mail that is due, unless it no longer says what is true. Safe to call again at any time.

    Raises:
        AppError: the owner of the data did not answer; nothing was posted, the timer comes again.
    """
    async with _begin(app, timer) as tx:
        mail = await store.get_mail(tx, mail_id)
        if mail is None or mail.status.over:
            await timers.done(tx, timer)
            return
    if ids.is_sandbox(mail.organization):
        await _close(app, timer, mail_id, status=MailStatus.SUPPRESSED, why="sandbox")
        return
    try:
        content = await _content(app, mail, tx.now)
    except Unaddressable:
        await _close(app, timer, mail_id, status=MailStatus.FAILED, why="unaddressable")
        return
    if content is None:
        await _close(app, timer, mail_id, status=MailStatus.CANCELLED, why="overtaken")
    elif await _claim(app, timer, mail_id):
        sender = messages.address_of(app.mail_from)
        posted = await app.mail_server.post(content.message, sender=sender, recipient=content.recipient)
        await _settle(app, timer, mail_id, posted)


def _begin(app: App, timer: Timer) -> AbstractAsyncContextManager[Transaction]:
    if timer.organization is None:
        return app.db.begin_platform(reason="mail about an account")
    return app.db.begin(timer.organization)


async def _claim(app: App, timer: Timer, mail_id: UUID) -> bool:
    """Marks the mail as being posted, and commits that. False when it was called off meanwhile.

    Found already marked, its last post was cut short, or broke off while its content flowed: the mail server
    may have it. It is posted again under the same Message-ID, and counted.
    """
    async with _begin(app, timer) as tx:
        mail = await store.lock_mail(tx, mail_id)
        if mail is None or mail.status.over:
            await timers.done(tx, timer)
            return False
        if mail.status is MailStatus.SENDING:
            tx.after_commit.append(_AMBIGUOUS.inc)
        await store.save_mail(tx, replace(mail, status=MailStatus.SENDING, attempts=mail.attempts + 1))
        return True


async def _settle(app: App, timer: Timer, mail_id: UUID, posted: Posted) -> None:
    async with _begin(app, timer) as tx:
        mail = await store.lock_mail(tx, mail_id)
        if mail is None or mail.status.over:
            await timers.done(tx, timer)
            return
        match posted:
            case Posted.ACCEPTED:
                await store.save_mail(tx, replace(mail, status=MailStatus.SENT, sent_at=tx.now))
                await _end(tx, timer, mail, "sent")
            case Posted.REFUSED:
                await store.save_mail(tx, replace(mail, status=MailStatus.FAILED), error="refused")
                await _end(tx, timer, mail, "refused")
            case Posted.PUT_OFF:
                await _try_later(tx, timer, replace(mail, status=MailStatus.SCHEDULED), "put_off")
            case Posted.UNCLEAR:
                await _try_later(tx, timer, mail, "unclear")
            case _:
                assert_never(posted)


async def _try_later(tx: Transaction, timer: Timer, mail: Mail, why: str) -> None:
    wait = retry_after(mail.attempts)
    if wait is None:
        await store.save_mail(tx, replace(mail, status=MailStatus.FAILED), error=why)
        await _end(tx, timer, mail, "given_up")
        return
    await store.save_mail(tx, mail, due_at=tx.now + wait, error=why)
    await timers.postpone(tx, timer, tx.now + wait)


async def _close(app: App, timer: Timer, mail_id: UUID, *, status: MailStatus, why: str) -> None:
    """Ends a mail that was not posted."""
    async with _begin(app, timer) as tx:
        mail = await store.lock_mail(tx, mail_id)
        if mail is None or mail.status.over:
            await timers.done(tx, timer)
            return
        await store.save_mail(tx, replace(mail, status=status), error=why)
        await _end(tx, timer, mail, why)


async def _end(tx: Transaction, timer: Timer, mail: Mail, outcome: str) -> None:
    await timers.done(tx, timer)
    tx.after_commit.append(_ENDED.labels(mail.kind.value, outcome).inc)


async def _content(app: App, mail: Mail, now: datetime) -> _Content | None:
    """Asks the owners of the data. None when there is nothing true to say, or nobody to say it to."""
    try:
        match mail.kind:
            case MailKind.EMAIL_VERIFICATION:
                return await _verification(app, mail, now)
            case MailKind.ACCOUNT:
                return await _about_account(app, mail, now)
            case MailKind.INVITATION:
                return await _inviting(app, mail, now)
            case MailKind.WAITLIST_JOINED:
                return await _waiting(app, mail, now)
            case _:
                return await _about_booking(app, mail, now)
    except AppError as error:
        if error.kind is Kind.NOT_FOUND:
            return None
        raise


async def _about_booking(app: App, mail: Mail, now: datetime) -> _Content | None:
    assert mail.organization is not None  # noqa: S101  # a constraint of the table
    answer = None
    booking_id = mail.booking
    if mail.kind is MailKind.TICKET_ANSWERED:
        message = await app.directory.describe_message(mail.organization, mail.subject)
        answer, booking_id = letters.Answer(message.subject, message.text), message.booking
    assert booking_id is not None, mail.kind  # noqa: S101
    booking: Booking | None
    if mail.kind is MailKind.WAITLIST_OFFERED:
        booking = await app.directory.describe_offer(mail.organization, mail.subject)
    else:
        booking = await app.directory.describe_booking(mail.organization, booking_id)
    if booking is None or not booking.guest_email or not still_true(mail, booking, now):
        return None
    letter = letters.about_booking(mail.kind, booking, public_url=app.public_url, answer=answer)
    return _compose(app, mail, letter, now=now, invitation=_invitation(app, mail, booking, now))


async def _waiting(app: App, mail: Mail, now: datetime) -> _Content | None:
    assert mail.organization is not None  # noqa: S101  # a constraint of the table
    entry = await app.directory.describe_waiting(mail.organization, mail.subject)
    if not entry.waits or not entry.guest_email:
        return None
    return _compose(app, mail, letters.about_waiting(entry, public_url=app.public_url), now=now)


async def _verification(app: App, mail: Mail, now: datetime) -> _Content | None:
    issued = await app.directory.issue_verification(mail.subject)
    if not issued.email:
        return None
    letter = letters.verification(
        email=issued.email,
        name=issued.name,
        language=issued.language,
        token=issued.token,
        public_url=app.public_url,
    )
    return _compose(app, mail, letter, now=now)


async def _about_account(app: App, mail: Mail, now: datetime) -> _Content | None:
    said = await app.directory.issue_account_mail(mail.subject)
    if not said.email:
        return None
    return _compose(app, mail, account_letters.about_account(said, public_url=app.public_url), now=now)


async def _inviting(app: App, mail: Mail, now: datetime) -> _Content | None:
    assert mail.organization is not None  # noqa: S101  # a constraint of the table
    issued = await app.directory.issue_invitation(mail.organization, mail.subject)
    if not issued.email:
        return None
    letter = letters.invitation(
        email=issued.email,
        organization=issued.organization,
        inviter=issued.inviter,
        language=issued.language,
        token=issued.token,
        public_url=app.public_url,
    )
    return _compose(app, mail, letter, now=now)


def _invitation(app: App, mail: Mail, booking: Booking, now: datetime) -> tuple[Method, bytes] | None:
    method = _INVITATIONS.get(mail.kind)
    if method is None:
        return None
    organizer = messages.address_of(app.mail_from)
    return method, calendar.render(booking, method, organizer=organizer, now=now)


def _compose(
    app: App, mail: Mail, letter: Letter, *, now: datetime, invitation: tuple[Method, bytes] | None = None
) -> _Content:
    message = messages.compose(letter, mail=mail.id, sender=app.mail_from, now=now, invitation=invitation)
    return _Content(letter.recipient, message)
