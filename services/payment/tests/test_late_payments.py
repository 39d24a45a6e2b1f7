"""Every order of money, closing and what booking says: told once, given back once and only if it is due."""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from google.protobuf.message import Message

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from payment.consumer import HANDLERS
from payment.domain.payments import Payment
from payment.usecases.provider_events import HANDLE_PROVIDER_EVENT
from payment.usecases.refunds import CLOSE_DEPOSIT, ISSUE_REFUND
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit import outbox
from testkit.events import event_of

from .conftest import DEPOSIT, Till, reference, webhook

EUR = values_pb2.Money(amount=DEPOSIT.amount, currency=DEPOSIT.currency)
STEPS = ("closed", "due", "close timer", "webhook")


class Late:
    """A deposit whose booking ends, step by step in any order; each step twice."""

    def __init__(self, till: Till, payment: Payment, kind: type[Message]) -> None:
        self._till = till
        self._payment = payment
        self._events = {"closed": self._event(kind, None), "due": self._event(kind, EUR)}

    async def take(self, step: str) -> None:
        steps: Mapping[str, Callable[[], Awaitable[object]]] = {
            "closed": lambda: self._hear("closed"),
            "due": lambda: self._hear("due"),
            "close timer": lambda: self._till.run_due(CLOSE_DEPOSIT),
            "webhook": self._webhook,
            "refund timer": lambda: self._till.run_due(ISSUE_REFUND),
        }
        for _ in range(2):
            await steps[step]()
        await steps["refund timer"]()

    def _event(self, kind: type[Message], due: values_pb2.Money | None) -> Event:
        booking = events_pb2.BookingSnapshot(
            booking_id=ids.show("bkg", self._payment.booking_id), deposit=EUR
        )
        return event_of(kind(booking=booking, refund_due=due), self._till.organization)

    async def _hear(self, name: str) -> None:
        event = self._events[name]
        try:
            await HANDLERS[type(event.message)](self._till.app, event)
        except AlreadyHandled:
            return

    async def _webhook(self) -> None:
        await self._till.receive(webhook("payment_intent.succeeded", reference(self._payment)))
        await self._till.run_due(HANDLE_PROVIDER_EVENT)


async def told(till: Till) -> list[str]:
    return sorted(type(event).__name__ for event in await outbox.published(till.app.db))


def orders(steps: Sequence[str]) -> list[tuple[str, ...]]:
    return list(itertools.permutations(steps))


@pytest.mark.parametrize("order", orders(STEPS), ids="-".join)
async def test_a_paid_deposit_is_told_once_and_what_is_due_goes_back_once(
    failing_till: Till, order: tuple[str, ...]
) -> None:
    payment = await failing_till.offer()
    await failing_till.guest.pay(reference(payment))
    late = Late(failing_till, payment, events_pb2.BookingCancelled)
    for step in order:
        await late.take(step)
    assert await failing_till.guest.refunds(reference(payment)) == [DEPOSIT.amount]
    assert await told(failing_till) == ["PaymentRefunded", "PaymentSucceeded"]


@pytest.mark.parametrize("kind", [events_pb2.BookingCancelled, events_pb2.BookingExpired])
@pytest.mark.parametrize("order", orders([step for step in STEPS if step != "due"]), ids="-".join)
async def test_a_paid_deposit_of_which_nothing_is_due_stays(
    failing_till: Till, order: tuple[str, ...], kind: type[Message]
) -> None:
    payment = await failing_till.offer()
    await failing_till.guest.pay(reference(payment))
    late = Late(failing_till, payment, kind)
    for step in order:
        await late.take(step)
    assert await failing_till.guest.refunds(reference(payment)) == []
    assert await told(failing_till) == ["PaymentSucceeded"]


@pytest.mark.parametrize("order", orders([step for step in STEPS if step != "due"]), ids="-".join)
async def test_an_unpaid_deposit_is_closed_and_nobody_is_told_of_money(
    failing_till: Till, order: tuple[str, ...]
) -> None:
    payment = await failing_till.offer()
    late = Late(failing_till, payment, events_pb2.BookingExpired)
    for step in (*order, "close timer"):
        await late.take(step)
    assert await failing_till.guest.state(reference(payment)) == "canceled"
    assert not await failing_till.guest.pay(reference(payment))
    assert await told(failing_till) == []
