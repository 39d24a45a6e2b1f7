"""What follows from events: mails and deliveries are written down and timed; nothing is sent here."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from notification import events
from notification.app import App
from notification.domain.bookings import BookingChange, BookingStatus, WaitlistOffer
from notification.domain.mails import Mail, MailKind, hour_begins, hour_of, mail_of_change, reminder_due
from notification.domain.webhooks import PartnerEvent
from notification.store import deliveries as delivery_store
from notification.store import endpoints as endpoint_store
from notification.store import mails as mail_store
from servicekit import ids, inbox, timers
from servicekit.database import Transaction
from servicekit.events import Event

SEND_MAIL = "send_mail"
BOOKING_REMINDER = "booking_reminder"
DELIVER_WEBHOOK = "deliver_webhook"
MAIL = "mail"
"""The key of a reminder timer's payload: which mail it sends."""


async def note_booking_change(app: App, event: Event, change: BookingChange, told: PartnerEvent) -> None:
    """Tells guest and partners of a change. What is no newer than what was seen is told to partners only."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _announce(tx, event, told)
        if not await mail_store.see_version(tx, change):
            return
        await _tell_guest(app, tx, change)
        await _remind(tx, change)


async def note_link_request(app: App, event: Event, change: BookingChange) -> None:
    """Mails about a booking once more. The minute is the mail's version: two requests in one are one."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        kind = mail_of_change(change)
        if kind is not None:
            minute = int(event.time.timestamp()) // 60
            await _send(tx, _about(tx, change, kind, version=minute))


async def note_partner_event(app: App, event: Event, told: PartnerEvent) -> None:
    """Tells partners of a fact that no mail follows from."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _announce(tx, event, told)


async def note_waitlist_offer(app: App, event: Event, offer: WaitlistOffer, told: PartnerEvent) -> None:
    """Mails an offer to somebody who waits, and tells partners. An older one is found overtaken in time."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _announce(tx, event, told)
        mail = _mail(tx, MailKind.WAITLIST_OFFERED, offer.entry, version=offer.version)
        await _send(tx, replace(mail, booking=offer.booking, starts_at=offer.starts_at))


async def note_waitlist_entry(
    app: App, event: Event, told: PartnerEvent, *, entry: UUID, first: bool
) -> None:
    """Mails what somebody waits for: at once when they join, then once an hour at most. Tells partners."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _announce(tx, event, told)
        if first:
            await _send(tx, _mail(tx, MailKind.WAITLIST_JOINED, entry, version=1))
        else:
            await _send_once_an_hour(tx, event, entry)


async def note_waitlist_link_request(app: App, event: Event, entry: UUID) -> None:
    """Mails once more what somebody waits for, with a fresh link."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _send_once_an_hour(tx, event, entry)


async def note_answer(app: App, event: Event, told: PartnerEvent, *, message: UUID, booking: UUID) -> None:
    """Mails an answer of staff to the guest, and tells partners that there is one."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        await _announce(tx, event, told)
        mail = _mail(tx, MailKind.TICKET_ANSWERED, message, version=1)
        await _send(tx, replace(mail, booking=booking))


async def note_verification_request(app: App, event: Event, person: UUID) -> None:
    """Has a verification link mailed. The request's time is its version: asking again mails again."""
    async with app.db.begin_platform(reason="mail about an account") as tx:
        await inbox.claim(tx, event)
        asked_at = int(event.time.timestamp() * 1000)
        await _send(tx, _mail(tx, MailKind.EMAIL_VERIFICATION, person, version=asked_at))


async def note_account_mail(app: App, event: Event, subject: UUID) -> None:
    """Has a mail about an account sent. Each is asked for once."""
    async with app.db.begin_platform(reason="mail about an account") as tx:
        await inbox.claim(tx, event)
        mail = Mail(
            id=ids.new(),
            organization=None,
            kind=MailKind.ACCOUNT,
            subject=subject,
            version=1,
            due_at=tx.now,
        )
        await _send(tx, mail)


async def note_invitation_request(app: App, event: Event, invitation: UUID) -> None:
    """Has an invitation mailed. The request's time is its version: asking again mails again."""
    async with app.db.begin(event.tenant) as tx:
        await inbox.claim(tx, event)
        mail = Mail(
            id=ids.new(),
            organization=event.tenant,
            kind=MailKind.INVITATION,
            subject=invitation,
            version=int(event.time.timestamp() * 1000),
            due_at=tx.now,
        )
        await _send(tx, mail)


async def _tell_guest(app: App, tx: Transaction, change: BookingChange) -> None:
    """A mail about the change. A hold leaves its guest time to pay on the page before one asks for it."""
    if change.status is not BookingStatus.HELD:
        for overtaken in await mail_store.cancel_mails(tx, change.booking, MailKind.PAYMENT_REQUESTED):
            await timers.cancel(tx, SEND_MAIL, str(overtaken))
    kind = mail_of_change(change)
    if kind is MailKind.BOOKING_CANCELLED and await mail_store.has_mail(tx, change.booking, kind):
        # Told again by booking, because money came after it and is due now.
        kind = MailKind.LATE_PAYMENT_REFUNDED if change.money_back else None
    if kind is None:
        return
    delay = app.payment_request_delay if kind is MailKind.PAYMENT_REQUESTED else timedelta()
    await _send(tx, replace(_about(tx, change, kind), due_at=tx.now + delay))


def _mail(tx: Transaction, kind: MailKind, subject: UUID, *, version: int) -> Mail:
    """A mail of the organization, or of none, that is due now."""
    return Mail(ids.new(), tx.organization, kind, subject, version, due_at=tx.now)


def _about(tx: Transaction, change: BookingChange, kind: MailKind, *, version: int | None = None) -> Mail:
    """The same about a booking that changed; the version is the booking's own unless said otherwise."""
    mail = _mail(tx, kind, change.booking, version=change.version if version is None else version)
    return replace(mail, booking=change.booking, starts_at=change.starts_at)


async def _send(tx: Transaction, mail: Mail) -> bool:
    """Writes a mail down and times it. False when there is one of its kind, subject and version."""
    added = await mail_store.insert_mail(tx, mail)
    if added:
        await timers.schedule(tx, SEND_MAIL, str(mail.id), mail.due_at)
    return added


async def _send_once_an_hour(tx: Transaction, event: Event, entry: UUID) -> None:
    """Mails about an entry in the hour of the event, or in the next when that has its mail.

    However often somebody changes their wish or joins with another's address, no mail box is flooded.
    The hour is the mail's version. What is put off tells by then how the entry stands, so one is enough.
    """
    hour = hour_of(event.time)
    if not await _send(tx, _mail(tx, MailKind.WAITLIST_JOINED, entry, version=hour)):
        later = _mail(tx, MailKind.WAITLIST_JOINED, entry, version=hour + 1)
        await _send(tx, replace(later, due_at=max(tx.now, hour_begins(hour + 1))))


async def _remind(tx: Transaction, change: BookingChange) -> None:
    """Puts the reminder of the booking's newest version in the place of any earlier one."""
    await mail_store.cancel_mails(tx, change.booking, MailKind.BOOKING_REMINDER)
    due_at = reminder_due(change, tx.now)
    if due_at is None:
        await timers.cancel(tx, BOOKING_REMINDER, str(change.booking))
        return
    mail = replace(_about(tx, change, MailKind.BOOKING_REMINDER), due_at=due_at)
    if await mail_store.insert_mail(tx, mail):
        await timers.schedule(tx, BOOKING_REMINDER, str(change.booking), due_at, {MAIL: str(mail.id)})


async def _announce(tx: Transaction, event: Event, told: PartnerEvent) -> None:
    """One delivery for each endpoint that listens. Each has its own timer: none waits for another."""
    body = events.body(told)
    for endpoint in await endpoint_store.list_listening(tx, told.type):
        delivery = ids.new()
        added = await delivery_store.insert_delivery(
            tx, delivery, endpoint=endpoint, event=event.id, event_type=told.type, body=body
        )
        if added:
            await timers.schedule(tx, DELIVER_WEBHOOK, str(delivery), tx.now)
