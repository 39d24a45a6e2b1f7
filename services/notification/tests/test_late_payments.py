"""What guests hear of holds: no request they have met, no second goodbye, nothing a rescue contradicts."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from comptoir.booking.v1 import booking_pb2
from comptoir.booking.v1.events_pb2 import (
    BookingCancelled,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingMoved,
)
from comptoir.common.v1 import values_pb2
from notification.domain.mails import MailKind, MailStatus
from notification.usecases.facts import BOOKING_REMINDER, SEND_MAIL
from testkit.timers import scheduled

from .conftest import PAYMENT_REQUEST_DELAY, Desk, MailSink

DUE = values_pb2.Money(amount=7000, currency="EUR")


async def test_a_guest_has_two_minutes_to_pay_before_a_mail_asks_for_it(desk: Desk, sink: MailSink) -> None:
    before = datetime.now(UTC)
    await desk.happens(BookingHeld)
    (timer,) = await scheduled(desk.app.db, SEND_MAIL)
    assert before + PAYMENT_REQUEST_DELAY <= timer.due_at <= datetime.now(UTC) + PAYMENT_REQUEST_DELAY
    assert await desk.run_due() == 0
    assert sink.received(desk.email) == []
    await desk.fire(SEND_MAIL)
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("Please pay the deposit")


@pytest.mark.parametrize("end", [BookingConfirmed, BookingExpired, BookingCancelled])
async def test_nobody_is_asked_to_pay_for_what_is_paid_or_over(desk: Desk, sink: MailSink, end: type) -> None:
    await desk.happens(BookingHeld)
    await desk.happens(end)
    assert (MailKind.PAYMENT_REQUESTED, MailStatus.CANCELLED) in await desk.kinds()
    await desk.fire(SEND_MAIL)
    assert not any(mail["subject"].startswith("Please pay") for mail in sink.received(desk.email))
    assert await scheduled(desk.app.db, SEND_MAIL) == []


async def test_a_request_asks_booking_first_whatever_events_have_arrived(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingHeld)
    desk.change(BookingConfirmed)  # its event has not arrived yet
    await desk.fire(SEND_MAIL)
    assert sink.received(desk.email) == []
    assert await desk.kinds() == [(MailKind.PAYMENT_REQUESTED, MailStatus.CANCELLED)]


async def test_a_hold_that_is_moved_is_still_asked_for(desk: Desk, sink: MailSink) -> None:
    await desk.happens(BookingHeld)
    await desk.happens(
        BookingMoved, starts_at=desk.starts_at + timedelta(days=1), status=booking_pb2.BOOKING_STATUS_HELD
    )
    await desk.run_due()
    await desk.fire(SEND_MAIL)
    subjects = [mail["subject"].partition(":")[0] for mail in sink.received(desk.email)]
    assert subjects == ["New time", "Please pay the deposit"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_rescued_booking_is_confirmed_once_and_reminded_of_in_whatever_order_events_come(
    desk: Desk, sink: MailSink, order: tuple[int, ...]
) -> None:
    events = [desk.change(BookingHeld), desk.change(BookingExpired), desk.change(BookingConfirmed)]
    for place in order:
        assert await desk.deliver(events[place])
        assert not await desk.deliver(events[place])
        await desk.run_due()
    await desk.fire(SEND_MAIL)
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("Confirmed")
    (reminder,) = await scheduled(desk.app.db)
    assert (reminder.kind, reminder.due_at) == (BOOKING_REMINDER, desk.starts_at - timedelta(hours=24))
    await desk.fire(BOOKING_REMINDER)
    assert sink.received(desk.email)[-1]["subject"].startswith("See you soon")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_booking_that_is_paid_after_its_cancellation_is_called_off_once_and_the_refund_told(
    desk: Desk, sink: MailSink, order: tuple[int, ...]
) -> None:
    events = [
        desk.change(BookingHeld),
        desk.change(BookingCancelled),
        desk.change(BookingCancelled, refund_due=DUE),
    ]
    for place in order:
        assert await desk.deliver(events[place])
        assert not await desk.deliver(events[place])
        await desk.run_due()
    await desk.fire(SEND_MAIL)
    subjects = [mail["subject"].partition(":")[0] for mail in sink.received(desk.email)]
    in_order = order.index(1) < order.index(2)
    assert subjects == ["Cancelled", "Your money goes back"][: 2 if in_order else 1]
    assert await scheduled(desk.app.db) == []


async def test_a_hold_that_ran_out_and_was_paid_too_late_is_silent_but_for_the_money(
    desk: Desk, sink: MailSink
) -> None:
    for change in (
        desk.change(BookingHeld),
        desk.change(BookingExpired),
        desk.change(BookingExpired, refund_due=DUE),
    ):
        assert await desk.deliver(change)
    await desk.fire(SEND_MAIL)
    (mail,) = sink.received(desk.email)
    assert mail["subject"].startswith("Your money goes back")
    assert "€70.00" in mail["text"]
    assert await scheduled(desk.app.db) == []
