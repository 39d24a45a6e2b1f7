"""From event to mail box: written down once, asked about when it is sent, marked before and after."""

import base64
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import icalendar
import pytest

from comptoir.auth.v1 import account_pb2
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import booking_pb2
from comptoir.booking.v1.events_pb2 import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingLinkRequested,
    BookingMoved,
)
from comptoir.support.v1 import events_pb2 as support_events
from comptoir.support.v1 import ticket_pb2
from notification.domain.mails import MailKind, MailStatus
from notification.store import mails as store
from notification.usecases.facts import BOOKING_REMINDER, SEND_MAIL
from servicekit import ids
from testkit.events import event_of
from testkit.timers import scheduled

from .conftest import Desk, MailSink
from .owners import Owners


async def test_a_confirmed_booking_is_mailed_with_link_and_invitation(desk: Desk, sink: MailSink) -> None:
    desk.language = "fr"
    await desk.happens(BookingConfirmed)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("Confirmé : Chez Paulette")
    assert "https://book.example/manage/token-1" in mail["text"]
    assert 'href="https://book.example/manage/token-1"' in mail["html"]
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    (stored, reminder) = await desk.mails()
    assert mail["headers"]["Message-ID"] == f"<{ids.show('ntf', stored.id)}@book.example>"
    assert (stored.status, stored.attempts) == (MailStatus.SENT, 1)
    assert stored.sent_at is not None
    assert reminder.kind is MailKind.BOOKING_REMINDER
    invitation, file = mail["attachments"]
    assert (invitation["content_type"], file["filename"]) == ("text/calendar", "invite.ics")
    parsed = icalendar.Calendar.from_ical(base64.b64decode(invitation["content"]))
    assert parsed["METHOD"] == "REQUEST"
    assert await scheduled(desk.app.db, SEND_MAIL) == []


async def test_each_change_is_told_once_in_its_own_words(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingHeld)
    await desk.fire(SEND_MAIL)
    await desk.happens(BookingConfirmed)
    await desk.run_due()
    await desk.happens(BookingMoved, starts_at=desk.starts_at + timedelta(days=1))
    await desk.run_due()
    await desk.happens(BookingCancelled)
    await desk.run_due()
    subjects = [mail["subject"].partition(":")[0] for mail in sink.received(desk.email)]
    assert subjects == ["Please pay the deposit", "Confirmed", "New time", "Cancelled"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_repeated_and_out_of_order_events_end_like_ordered_ones(
    desk: Desk, order: tuple[int, ...]
) -> None:
    events = [
        desk.change(BookingHeld),
        desk.change(BookingConfirmed),
        desk.change(BookingCancelled),
    ]
    for place in order:
        assert await desk.deliver(events[place])
        assert not await desk.deliver(events[place])
    await desk.run_due()
    sent = [kind for kind, status in await desk.kinds() if status is MailStatus.SENT]
    assert sent == [MailKind.BOOKING_CANCELLED]
    assert await scheduled(desk.app.db) == []


async def test_a_guest_who_asks_gets_the_mail_again_once_a_minute(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    await desk.run_due()
    asked = BookingLinkRequested(booking=desk.snapshot())
    first = replace(event_of(asked, desk.organization), time=datetime(2027, 3, 1, 12, 0, 1, tzinfo=UTC))
    soon = replace(event_of(asked, desk.organization), time=first.time + timedelta(seconds=50))
    later = replace(event_of(asked, desk.organization), time=first.time + timedelta(seconds=70))
    for event in (first, first, soon, later):
        await desk.deliver(event)
        await desk.run_due()
    mails = sink.received(desk.email)
    assert len(mails) == 3
    assert len({mail["subject"] for mail in mails}) == 1
    assert [f"token-{number}" in mail["text"] for number, mail in enumerate(mails, start=1)] == [True] * 3


async def test_a_mail_that_is_asked_for_again_asks_first_whether_it_is_still_true(
    desk: Desk, sink: MailSink
) -> None:
    await desk.happens(BookingHeld)
    asked = event_of(BookingLinkRequested(booking=desk.snapshot()), desk.organization)
    await desk.happens(BookingCancelled)
    await desk.run_due()
    before = len(sink.received(desk.email))
    await desk.deliver(asked)
    await desk.run_due()
    assert len(sink.received(desk.email)) == before


async def test_an_older_event_does_not_bring_a_reminder_back(desk: Desk) -> None:
    confirmed = desk.change(BookingConfirmed)
    await desk.happens(BookingCancelled)
    await desk.deliver(confirmed)
    assert await scheduled(desk.app.db, BOOKING_REMINDER) == []
    assert [kind for kind, _ in await desk.kinds()] == [MailKind.BOOKING_CANCELLED]


async def test_the_reminder_is_sent_a_day_ahead_and_once(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    (timer,) = await scheduled(desk.app.db, BOOKING_REMINDER)
    assert timer.due_at == desk.starts_at - timedelta(hours=24)
    await desk.fire(BOOKING_REMINDER)
    await desk.fire(BOOKING_REMINDER)
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("See you soon")
    assert mail["attachments"] == []


@pytest.mark.parametrize("message", [BookingCancelled, BookingExpired])
async def test_the_reminder_dies_with_the_booking(desk: Desk, message: type) -> None:
    await desk.happens(BookingConfirmed)
    await desk.happens(message)
    assert await scheduled(desk.app.db, BOOKING_REMINDER) == []
    assert (MailKind.BOOKING_REMINDER, MailStatus.CANCELLED) in await desk.kinds()


async def test_the_reminder_moves_with_the_booking(desk: Desk) -> None:
    await desk.happens(BookingConfirmed)
    await desk.happens(BookingMoved, starts_at=desk.starts_at + timedelta(days=2))
    (timer,) = await scheduled(desk.app.db, BOOKING_REMINDER)
    assert timer.due_at == desk.starts_at - timedelta(hours=24)
    reminders = [status for kind, status in await desk.kinds() if kind is MailKind.BOOKING_REMINDER]
    assert reminders == [MailStatus.CANCELLED, MailStatus.SCHEDULED]


async def test_a_due_reminder_asks_first_and_keeps_quiet_about_what_changed(
    desk: Desk, sink: MailSink
) -> None:
    await desk.happens(BookingConfirmed)
    desk.change(BookingMoved, starts_at=desk.starts_at + timedelta(days=2))  # its event has not arrived yet
    await desk.fire(BOOKING_REMINDER)
    assert sink.received(desk.email) == []
    assert (MailKind.BOOKING_REMINDER, MailStatus.CANCELLED) in await desk.kinds()


@pytest.mark.parametrize(
    ("ahead", "before"),
    [
        (timedelta(hours=25), timedelta(hours=24)),
        (timedelta(hours=23), timedelta(hours=3)),
        (timedelta(hours=2), None),
    ],
)
async def test_a_late_booking_is_reminded_late_or_never(
    desk: Desk, ahead: timedelta, before: timedelta | None
) -> None:
    await desk.happens(BookingConfirmed, starts_at=datetime.now(UTC).replace(microsecond=0) + ahead)
    due = [timer.due_at for timer in await scheduled(desk.app.db, BOOKING_REMINDER)]
    assert due == ([desk.starts_at - before] if before else [])


async def test_a_held_booking_that_is_moved_gets_no_reminder_before_it_is_confirmed(desk: Desk) -> None:
    await desk.happens(BookingHeld)
    await desk.happens(
        BookingMoved, starts_at=desk.starts_at + timedelta(days=1), status=booking_pb2.BOOKING_STATUS_HELD
    )
    assert await scheduled(desk.app.db, BOOKING_REMINDER) == []
    await desk.happens(BookingConfirmed)
    assert len(await scheduled(desk.app.db, BOOKING_REMINDER)) == 1


async def test_an_answer_reaches_the_guest(desk: Desk, owners: Owners, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    await desk.run_due()
    message = ids.show("tms", ids.new())
    owners.messages[message] = ticket_pb2.DescribeMessageResponse(
        message=ticket_pb2.TicketMessage(id=message, text="Of course.\n<b>We have two.</b>"),
        booking_id=desk.reference,
        subject="High chair",
    )
    event = await desk.tell(
        support_events.TicketAnswered(
            ticket_id=ids.show("tkt", ids.new()), booking_id=desk.reference, message_id=message
        )
    )
    assert not await desk.deliver(event)
    await desk.run_due()
    mail = sink.received(desk.email)[-1]
    assert mail["subject"] == "Chez Paulette has answered: High chair"
    assert "> Of course." in mail["text"]
    assert "&lt;b&gt;We have two.&lt;/b&gt;" in mail["html"]


async def test_a_verification_mail_belongs_to_no_tenant(desk: Desk, owners: Owners, sink: MailSink) -> None:
    person = ids.show("usr", ids.new())
    owners.people[person] = account_pb2.IssueVerificationResponse(
        email=desk.email, display_name="Paulette", language="fr", token="a+b/c"
    )
    event = event_of(auth_events.VerificationRequested(user_id=person), None)
    assert await desk.deliver(event)
    assert not await desk.deliver(event)
    await desk.run_due()
    (mail,) = sink.received(desk.email)
    assert "https://book.example/verify-email?token=a%2Bb%2Fc" in mail["text"]
    (stored,) = await desk.mails()
    assert (stored.organization, stored.status) == (None, MailStatus.SENT)
    async with desk.app.db.begin(desk.organization) as tx:
        assert await store.get_mail(tx, stored.id) is None


async def test_nothing_is_sent_when_nothing_is_left_to_verify(desk: Desk) -> None:
    request = auth_events.VerificationRequested(user_id=ids.show("usr", ids.new()))
    await desk.deliver(event_of(request, None))
    await desk.run_due()
    assert await desk.kinds() == [(MailKind.EMAIL_VERIFICATION, MailStatus.CANCELLED)]
