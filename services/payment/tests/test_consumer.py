"""Closed bookings as booking tells of them: once, twice, in any order."""

import asyncio

import pytest
from google.protobuf.message import Message

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events_pb2
from payment.consumer import HANDLERS
from payment.domain.errors import BookingUnreadable, RefundExceedsPayment
from payment.domain.payments import Payment, PaymentStatus
from payment.usecases import deposits
from payment.usecases.deposits import CLOSE_INTENT
from payment.usecases.refunds import CLOSE_DEPOSIT, ISSUE_REFUND
from servicekit import ids
from servicekit.errors import Unavailable
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.money import Money
from testkit import outbox, timers
from testkit.events import event_of

from .conftest import DEPOSIT, Till, reference
from .stripe_stand_in import StandIn

CLOSED = [events_pb2.BookingCancelled, events_pb2.BookingExpired]


def closed(kind: type[Message], till: Till, booking: str, refund_due: int | None = None) -> Event:
    due = None if refund_due is None else values_pb2.Money(amount=refund_due, currency="EUR")
    deposit = values_pb2.Money(amount=DEPOSIT.amount, currency=DEPOSIT.currency)
    snapshot = events_pb2.BookingSnapshot(booking_id=booking, deposit=deposit)
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


@pytest.mark.parametrize("kind", CLOSED)
async def test_money_that_came_too_late_stays_until_booking_says_that_it_is_due(
    till: Till, kind: type[Message]
) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    await handle(till, closed(kind, till, of(payment)))
    await finish(till)
    assert await said(till) == ["PaymentSucceeded"]  # booking may still confirm
    assert await till.guest.refunds(reference(payment)) == []
    await handle(till, closed(kind, till, of(payment), 7000))
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [7000]
    assert await said(till) == ["PaymentSucceeded", "PaymentRefunded"]


async def test_what_is_due_of_money_we_have_not_heard_of_goes_back_when_it_is_there(till: Till) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    await handle(till, closed(events_pb2.BookingExpired, till, of(payment), 2500))
    await till.run_due(ISSUE_REFUND)
    assert await till.guest.refunds(reference(payment)) == []
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [2500]
    assert await said(till) == ["PaymentSucceeded", "PaymentRefunded"]


async def test_a_payment_known_before_its_deposit_is_closed_is_told_once_and_stays(till: Till) -> None:
    payment = await till.offer()
    await handle(till, closed(events_pb2.BookingExpired, till, of(payment)))
    await till.guest.pay(reference(payment))
    assert await till.run_due("reconcile_deposit") == 1  # learns of the payment first
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == []
    assert await said(till) == ["PaymentSucceeded"]


@pytest.mark.parametrize("kind", CLOSED)
async def test_a_deposit_that_is_asked_for_after_its_bookings_end_cannot_be_paid(
    till: Till, kind: type[Message]
) -> None:
    booking_id = ids.new()
    await handle(till, closed(kind, till, ids.show("bkg", booking_id)))
    offered = await deposits.create_deposit(
        till.app, till.organization, booking_id, amount=DEPOSIT, description="Dinner for 7"
    )
    assert (offered.payment.status, offered.client_secret) == (PaymentStatus.CANCELLED, "")
    assert offered.payment.provider_reference is None
    assert await timers.scheduled(till.app.db) == []


async def test_a_deposit_and_the_end_of_its_booking_at_once_leave_nothing_to_pay(till: Till) -> None:
    for _ in range(6):
        booking_id = ids.new()
        await asyncio.gather(
            till.offer(booking_id),
            handle(till, closed(events_pb2.BookingCancelled, till, ids.show("bkg", booking_id))),
        )
        await till.run_due(CLOSE_DEPOSIT)
        await till.run_due(CLOSE_INTENT)
        payment = await till.offer(booking_id)
        assert payment.status is PaymentStatus.CANCELLED
        if payment.provider_reference:
            assert await till.guest.state(payment.provider_reference) == "canceled"


async def test_closing_waits_for_a_payment_that_is_on_its_way(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    stand_in.intents[reference(payment)]["status"] = "processing"
    await handle(failing_till, closed(events_pb2.BookingCancelled, failing_till, of(payment)))
    with pytest.raises(Unavailable):
        await failing_till.run_due(CLOSE_DEPOSIT)
    stand_in.intents[reference(payment)]["status"] = "succeeded"
    await finish(failing_till)
    assert (await failing_till.payment(payment)).status is PaymentStatus.SUCCEEDED
    assert await said(failing_till) == ["PaymentSucceeded"]


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


def missed(till: Till, booking: str, fee: int | None) -> Event:
    kept = None if fee is None else values_pb2.Money(amount=fee, currency="EUR")
    snapshot = events_pb2.BookingSnapshot(booking_id=booking)
    return event_of(events_pb2.BookingNoShow(booking=snapshot, fee=kept), till.organization)


@pytest.mark.parametrize(("fee", "back"), [(7000, []), (2500, [4500]), (0, [7000])])
async def test_of_a_guest_who_did_not_come_the_fee_is_kept_and_the_rest_goes_back_once(
    till: Till, fee: int, back: list[int]
) -> None:
    payment = await till.paid()
    event = missed(till, of(payment), fee)
    await handle(till, event)
    with pytest.raises(AlreadyHandled):
        await handle(till, event)
    await handle(till, missed(till, of(payment), fee))
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == back
    kept = await till.payment(payment)
    assert kept.no_show_fee == Money(fee, "EUR")
    assert kept.refunded.amount == sum(back)


def came(kind: type[Message], till: Till, booking: str, fee_waived: int | None) -> Event:
    waived = None if fee_waived is None else values_pb2.Money(amount=fee_waived, currency="EUR")
    snapshot = events_pb2.BookingSnapshot(booking_id=booking)
    return event_of(kind(booking=snapshot, fee_waived=waived), till.organization)


CAME = [events_pb2.BookingArrived, events_pb2.BookingSeated]


@pytest.mark.parametrize("kind", CAME)
async def test_what_was_kept_goes_back_once_when_the_guest_comes_after_all(
    till: Till, kind: type[Message]
) -> None:
    payment = await till.paid()
    await handle(till, missed(till, of(payment), 2500))
    event = came(kind, till, of(payment), 2500)
    await handle(till, event)
    with pytest.raises(AlreadyHandled):
        await handle(till, event)
    for again in (came(kind, till, of(payment), 2500), missed(till, of(payment), 2500)):
        await handle(till, again)
    await finish(till)
    assert sorted(await till.guest.refunds(reference(payment))) == [2500, 4500]
    kept = await till.payment(payment)
    assert (kept.status, kept.no_show_fee) == (PaymentStatus.REFUNDED, Money(0, "EUR"))


@pytest.mark.parametrize("kind", CAME)
async def test_a_guest_who_comes_before_the_news_that_they_did_not_has_everything_back_once(
    till: Till, kind: type[Message]
) -> None:
    payment = await till.paid()
    await handle(till, came(kind, till, of(payment), 2500))
    await handle(till, missed(till, of(payment), 2500))
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == [7000]


@pytest.mark.parametrize("kind", CAME)
async def test_a_guest_who_was_never_missed_has_nothing_back(till: Till, kind: type[Message]) -> None:
    payment = await till.paid()
    await handle(till, came(kind, till, of(payment), None))
    await handle(till, came(kind, till, ids.show("bkg", ids.new()), 2500))
    await finish(till)
    assert await till.guest.refunds(reference(payment)) == []
    assert (await till.payment(payment)).no_show_fee is None


async def test_a_fee_is_kept_of_nothing_but_a_paid_deposit_and_never_more_than_it(till: Till) -> None:
    await handle(till, missed(till, ids.show("bkg", ids.new()), 2500))
    payment = await till.paid()
    with pytest.raises(RefundExceedsPayment):
        await handle(till, missed(till, of(payment), 7001))
    await handle(till, missed(till, of(payment), None))
    await finish(till)
    assert (await till.payment(payment)).no_show_fee is None
    assert await till.guest.refunds(reference(payment)) == []
