"""Notification's part in requests about persons: nothing is mailed any more, and it tells what was."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.notification.v1 import events_pb2
from notification.app import App
from notification.consumer import HANDLERS
from notification.domain.mails import Mail, MailKind, MailStatus
from notification.store import mails as store
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit import outbox
from testkit.events import event_of
from testkit.privacy import PrivacyOffice


async def handle(app: App, event: Event) -> None:
    await HANDLERS[type(event.message)](app, event)


async def note(app: App, organization: UUID, booking: UUID, *, kind: MailKind) -> UUID:
    """A mail about a booking."""
    now = datetime.now(UTC)
    mail = Mail(
        id=ids.new(),
        organization=organization,
        kind=kind,
        subject=booking,
        version=1,
        due_at=now + timedelta(days=1),
        booking=booking,
        starts_at=now + timedelta(days=2),
    )
    async with app.db.begin(organization) as tx:
        await store.insert_mail(tx, mail)
    return mail.id


async def status(app: App, organization: UUID, mail: UUID) -> MailStatus:
    async with app.db.begin(organization) as tx:
        found = await store.get_mail(tx, mail)
    assert found is not None
    return found.status


def told(kind: type, organization: UUID | None, *bookings: UUID, user: UUID | None = None) -> Event:
    """Booking has done its part."""
    about = kind(
        request_id=ids.show("prq", ids.new()),
        user_id=ids.show("usr", user) if user else "",
        booking_ids=[ids.show("bkg", each) for each in bookings],
    )
    return event_of(about, organization)


async def receipts(app: App) -> list[events_pb2.PersonalDataErased]:
    return [
        each for each in await outbox.published(app.db) if isinstance(each, events_pb2.PersonalDataErased)
    ]


async def test_what_waits_to_be_mailed_about_an_erased_guest_is_called_off(app: App) -> None:
    organization, booking, other = ids.new(), ids.new(), ids.new()
    theirs = await note(app, organization, booking, kind=MailKind.BOOKING_REMINDER)
    others = await note(app, organization, other, kind=MailKind.BOOKING_REMINDER)
    event = told(booking_events.PersonalDataErased, organization, booking)
    await handle(app, event)
    with pytest.raises(AlreadyHandled):
        await handle(app, event)
    assert await status(app, organization, theirs) is MailStatus.CANCELLED
    assert await status(app, organization, others) is MailStatus.SCHEDULED
    (receipt,) = await receipts(app)
    assert {each.table: each.rows for each in receipt.erased} == {
        "notifications": 1, "webhook_deliveries": 0,
    }  # fmt: skip


async def test_an_export_has_the_mails_about_the_bookings_and_no_others(
    app: App, privacy_office: PrivacyOffice
) -> None:
    organization, booking = ids.new(), ids.new()
    mine = await note(app, organization, booking, kind=MailKind.BOOKING_CONFIRMED)
    await note(app, organization, ids.new(), kind=MailKind.BOOKING_CONFIRMED)
    event = told(booking_events.PersonalDataExported, organization, booking)
    await handle(app, event)
    part = json.loads(privacy_office.parts[event.message.request_id, "notification"])
    assert [each["id"] for each in part["notifications"]] == [str(mine)]


async def test_of_an_account_there_is_nothing(app: App, privacy_office: PrivacyOffice) -> None:
    for kind in (booking_events.PersonalDataExported, booking_events.PersonalDataErased):
        await handle(app, told(kind, None, user=ids.new()))
    assert [json.loads(part) for part in privacy_office.parts.values()] == [{}]
    assert len(await receipts(app)) == 1
