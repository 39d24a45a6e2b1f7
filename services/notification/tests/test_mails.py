"""From event to mail box: written down once, asked about when it is sent, marked before and after."""

import asyncio
import base64
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import icalendar
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from comptoir.auth.v1 import account_pb2
from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import booking_pb2
from comptoir.booking.v1.events_pb2 import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingMoved,
)
from comptoir.support.v1 import events_pb2 as support_events
from comptoir.support.v1 import ticket_pb2
from notification.clients.smtp import MailServer
from notification.domain.mails import MailKind, MailStatus
from notification.settings import SmtpSettings
from notification.store import mails as store
from notification.tables import METADATA
from notification.usecases.facts import BOOKING_REMINDER, SEND_MAIL
from servicekit import ids, timers
from servicekit.errors import AppError, Kind, Unavailable
from testkit.events import event_of
from testkit.timers import scheduled

from .conftest import Desk, MailSink, Owners


def _ambiguous() -> float:
    return REGISTRY.get_sample_value("comptoir_mails_ambiguous_total") or 0.0


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
    await desk.run_due()
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


async def test_a_mail_put_off_by_the_server_comes_again(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    sink.fault("451")
    await desk.fire(SEND_MAIL)
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.SCHEDULED, 1)
    (timer,) = await scheduled(desk.app.db, SEND_MAIL)
    assert timer.due_at > datetime.now(UTC)
    sink.fault("off")
    before = _ambiguous()
    await desk.fire(SEND_MAIL)
    assert len(sink.received(desk.email)) == 1
    assert _ambiguous() == before


async def test_a_mail_refused_for_good_is_not_tried_again(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    sink.fault("550")
    await desk.fire(SEND_MAIL)
    mail, _ = await desk.mails()
    assert mail.status is MailStatus.FAILED
    assert await scheduled(desk.app.db, SEND_MAIL) == []


async def test_a_server_that_is_down_costs_nothing_but_time(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    down = SmtpSettings(host="127.0.0.1", port=1, timeout_seconds=1)
    await replace(desk, app=replace(desk.app, mail_server=MailServer(down))).fire(SEND_MAIL)
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.SCHEDULED, 1)
    await desk.fire(SEND_MAIL)
    assert len(sink.received(desk.email)) == 1


async def test_a_crash_between_posting_and_marking_is_counted_and_recognisable(
    desk: Desk, sink: MailSink
) -> None:
    await desk.happens(BookingConfirmed)
    await desk.fire(SEND_MAIL)
    mail, _ = await desk.mails()
    async with desk.app.db.begin(desk.organization) as tx:  # as if it died before it marked `sent`
        await store.save_mail(tx, replace(mail, status=MailStatus.SENDING, sent_at=None))
        await timers.schedule(tx, SEND_MAIL, str(mail.id), tx.now)
    before = _ambiguous()
    await desk.fire(SEND_MAIL)
    first, second = sink.received(desk.email)
    assert first["headers"]["Message-ID"] == second["headers"]["Message-ID"]
    assert _ambiguous() == before + 1
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.SENT, 2)


async def test_when_the_owner_of_the_data_is_away_the_timer_comes_again(desk: Desk, owners: Owners) -> None:
    await desk.happens(BookingConfirmed)
    owners.refusal = Unavailable
    with pytest.raises(AppError) as raised:
        await desk.fire(SEND_MAIL)
    assert raised.value.kind is Kind.UNAVAILABLE
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.SCHEDULED, 0)
    assert len(await scheduled(desk.app.db, SEND_MAIL)) == 1


async def test_a_booking_that_is_gone_is_not_written_about(desk: Desk, owners: Owners) -> None:
    await desk.happens(BookingConfirmed)
    owners.bookings.clear()
    await desk.fire(SEND_MAIL)
    assert (MailKind.BOOKING_CONFIRMED, MailStatus.CANCELLED) in await desk.kinds()


async def test_a_connection_that_breaks_in_the_content_is_ambiguous(desk: Desk) -> None:
    async def hang_up_in_the_content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 fine\r\n")
        writer.write(b"354 go on\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up_in_the_content, "127.0.0.1", 0)
    broken = SmtpSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], timeout_seconds=2)
    await desk.happens(BookingConfirmed)
    await replace(desk, app=replace(desk.app, mail_server=MailServer(broken))).fire(SEND_MAIL)
    server.close()
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.SENDING, 1)
    before = _ambiguous()
    await desk.fire(SEND_MAIL)
    assert _ambiguous() == before + 1
    mail, _ = await desk.mails()
    assert mail.status is MailStatus.SENT


async def test_an_address_no_mail_can_go_to_fails_at_once(desk: Desk) -> None:
    desk.email = "été@example.org"
    await desk.happens(BookingConfirmed)
    await desk.fire(SEND_MAIL)
    assert (MailKind.BOOKING_CONFIRMED, MailStatus.FAILED) in await desk.kinds()


async def test_a_mail_that_is_put_off_for_a_day_is_given_up(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingConfirmed)
    sink.fault("451")
    for _ in range(11):
        await desk.fire(SEND_MAIL)
    mail, _ = await desk.mails()
    assert (mail.status, mail.attempts) == (MailStatus.FAILED, 11)
    assert await scheduled(desk.app.db, SEND_MAIL) == []


async def test_nothing_about_the_guest_is_stored(desk: Desk) -> None:
    desk.guest_name = "Camille Unmistakable"
    await desk.listens("https://not-yet.invalid/hook")
    await desk.happens(BookingConfirmed)
    await desk.fire(SEND_MAIL)
    rows = []
    async with desk.app.db.begin_platform(reason="look into the database in a test") as tx:
        for table in METADATA.tables.values():
            rows += [repr(row) for row in await tx.execute(sa.select(table))]
    assert len(rows) > 5
    assert not [row for row in rows if "Unmistakable" in row or desk.email in row or "token-" in row]
