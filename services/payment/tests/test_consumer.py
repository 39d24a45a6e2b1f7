"""Closed bookings as booking tells of them: once, twice, in any order."""

import pytest
from google.protobuf.message import Message

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events_pb2
from payment.consumer import HANDLERS
from payment.domain.errors import BookingUnreadable, RefundExceedsPayment
from payment.domain.payments import Payment, PaymentStatus
from payment.usecases.refunds import CLOSE_DEPOSIT, ISSUE_REFUND
from servicekit import ids
from servicekit.errors import Unavailable
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit import outbox, timers
from testkit.events import event_of

from .conftest import Till, reference
from .stripe_stand_in import StandIn

CLOSED = [events_pb2.BookingCancelled, events_pb2.BookingExpired]


def closed(kind: type[Message], till: Till, booking: str, refund_due: int | None = None) -> Event:
    due = None if refund_due is None else values_pb2.Money(amount=refund_due, currency="EUR")
    snapshot = events_pb2.BookingSnapshot(booking_id=booking)
    return event_of(kind(booking=snapshot, refund_due=due), till.organization)


async def handle(till: Till, event: Event) -> None:
    await HANDLERS[type(event.message)](till.app, event)


async def finish(till: Till) -> None:
    await till.run_due(CLOSE_DEPOSIT)
    await till.run_due(ISSUE_REFUND)


def of(payment: Payment) -> str:
    return ids.show("bkg", payment.booking_id)


async def said(till: Till) -> list[str]:
    return [type(event).__name__ for event in await outbox.published(till.app.db)]


@pytest.mark.parametrize("kind", CLOSED)
async def test_what_is_due_goes_back_once_when_the_event_comes_twice(till: Till, kind: type[Message]) -> None:
    payment = await till.paid()
    event = closed(kind, till, of(payment), 7000)
    await handle(till, event)
    with pytest.raises(AlreadyHandled):
        await handle(till, event)
    await finish(till)
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [7000]
    assert await said(till) == ["PaymentSucceeded", "PaymentRefunded"]


@pytest.mark.parametrize("order", [CLOSED, CLOSED[::-1]])
async def test_two_events_about_one_booking_give_back_once(till: Till, order: list[type[Message]]) -> None:
    payment = await till.paid()
    for kind in order:
        await handle(till, closed(kind, till, of(payment), 7000))
        await finish(till)
    assert await till.guest.refunds(reference(payment)) == [7000]


async def test_nothing_goes_back_when_nothing_is_due(till: Till) -> None:
    payment = await till.paid()
    await handle(till, closed(events_pb2.BookingCancelled, till, of(payment)))
    await handle(till, closed(events_pb2.BookingCancelled, till, of(payment), 0))
    await finish(till)
    assert await till.refunds() == []
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("kind", CLOSED)
async def test_the_open_deposit_of_a_closed_booking_cannot_be_paid_any_more(
    till: Till, kind: type[Message]
) -> None:
    payment = await till.offer()
    await handle(till, closed(kind, till, of(payment)))
    await finish(till)
    assert (await till.payment(payment)).status is PaymentStatus.CANCELLED
    assert await till.guest.state(reference(payment)) == "canceled"
    assert await said(till) == []


@pytest.mark.parametrize(("due", "back"), [(None, 7000), (2500, 2500)])
async def test_a_payment_that_came_too_late_goes_back(till: Till, due: int | None, back: int) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    await handle(till, closed(events_pb2.BookingExpired, till, of(payment), due))
    await finish(till)
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [back]
    assert await said(till) == ["PaymentSucceeded", "PaymentRefunded"]


async def test_a_payment_known_before_its_booking_is_closed_still_goes_back(till: Till) -> None:
    payment = await till.offer()
    await handle(till, closed(events_pb2.BookingExpired, till, of(payment)))
    await till.guest.pay(reference(payment))
    [timer] = await timers.scheduled(till.app.db, "reconcile_deposit")
    assert await till.run_due("reconcile_deposit") == 1  # learns of the payment first
    assert timer.key == str(payment.id)
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [7000]


async def test_closing_waits_for_a_payment_that_is_on_its_way(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    stand_in.intents[reference(payment)]["status"] = "processing"
    await handle(failing_till, closed(events_pb2.BookingCancelled, failing_till, of(payment)))
    with pytest.raises(Unavailable):
        await failing_till.run_due(CLOSE_DEPOSIT)
    stand_in.intents[reference(payment)]["status"] = "succeeded"
    await finish(failing_till)
    assert (await failing_till.payment(payment)).status is PaymentStatus.REFUNDED


async def test_a_refund_of_money_that_never_came_is_not_made(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    await handle(failing_till, closed(events_pb2.BookingExpired, failing_till, of(payment)))
    await finish(failing_till)
    await handle(failing_till, closed(events_pb2.BookingCancelled, failing_till, of(payment), 7000))
    await finish(failing_till)
    assert stand_in.refunds == {}


@pytest.mark.parametrize("paid", [True, False])
async def test_a_booking_that_asks_for_more_than_was_paid_is_refused(till: Till, *, paid: bool) -> None:
    payment = await till.paid() if paid else await till.offer()
    event = closed(events_pb2.BookingCancelled, till, of(payment), 7001)
    for _ in range(2):
        with pytest.raises(RefundExceedsPayment):  # not "handled": the inbox was rolled back too
            await handle(till, event)
    assert await till.refunds() == []


async def test_a_booking_without_a_deposit_and_another_tenants_booking_change_nothing(till: Till) -> None:
    payment = await till.paid()
    await handle(till, closed(events_pb2.BookingCancelled, till, ids.show("bkg", ids.new())))
    message = events_pb2.BookingCancelled(
        booking=events_pb2.BookingSnapshot(booking_id=of(payment)),
        refund_due=values_pb2.Money(amount=7000, currency="EUR"),
    )
    await handle(till, event_of(message, ids.new()))
    await finish(till)
    assert await till.refunds() == []
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED


async def test_an_event_that_names_no_booking_is_refused(till: Till) -> None:
    with pytest.raises(BookingUnreadable):
        await handle(till, closed(events_pb2.BookingCancelled, till, "bkg_nonsense"))


def test_the_events_say_nothing_but_ids_and_amounts() -> None:
    for message in (payment_events_pb2.PaymentSucceeded, payment_events_pb2.PaymentRefunded):
        names = {field.name for field in message.DESCRIPTOR.fields}
        assert names <= {"payment_id", "booking_id", "amount", "refunded"}
