"""Handing mails to the mail server: marked before and after, tried again, given up, never doubled unseen."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from comptoir.booking.v1.events_pb2 import BookingCancelled, BookingConfirmed, BookingMoved
from notification.clients.smtp import MailServer
from notification.domain.mails import MailKind, MailStatus
from notification.settings import SmtpSettings
from notification.store import mails as store
from notification.tables import METADATA
from notification.usecases.facts import SEND_MAIL
from servicekit import timers
from servicekit.errors import AppError, Kind, Unavailable
from testkit.timers import scheduled

from .conftest import Desk, MailSink
from .owners import Owners


def _ambiguous() -> float:
    return REGISTRY.get_sample_value("comptoir_mails_ambiguous_total") or 0.0


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


async def test_a_guest_without_an_address_is_mailed_nothing(desk: Desk, sink: MailSink) -> None:
    desk.email, before = "", len(sink.received(""))
    for message in (BookingConfirmed, BookingMoved, BookingCancelled):
        await desk.happens(message)
        await desk.fire(SEND_MAIL)
    assert {status for _, status in await desk.kinds()} == {MailStatus.CANCELLED}
    assert await scheduled(desk.app.db, SEND_MAIL) == []
    assert len(sink.received("")) == before


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
