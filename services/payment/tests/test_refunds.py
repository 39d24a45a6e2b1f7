"""Refunds on a real database, at both stand-ins and at one that fails: exactly one, whatever goes wrong."""

import asyncio
from dataclasses import replace

import pytest

from comptoir.payment.v1 import events_pb2
from payment.clients.stripe_api import StripeProvider
from payment.domain.payments import Payment, PaymentStatus
from payment.domain.provider import RefundAnswer
from payment.domain.refunds import Refund, RefundState
from payment.store import payments, refunds
from payment.timers import TIMERS
from payment.usecases.refunds import CLOSE_DEPOSIT, ISSUE_REFUND, owe_refund
from servicekit import ids
from servicekit.errors import Busy, Unavailable
from servicekit.money import Money
from servicekit.timers import Timer
from testkit import outbox, timers

from .conftest import DEPOSIT, Till, reference, stripe_settings
from .stripe_stand_in import Fault, StandIn

issue_refund = TIMERS[ISSUE_REFUND]


class Killed(Exception):
    """What a test puts in the place of kill -9."""


class DiesAfterRefund(StripeProvider):
    """Gives the money back, and does not live to say so."""

    async def give_back(self, reference: str, refund: Refund) -> RefundAnswer:
        await super().give_back(reference, refund)
        raise Killed


async def owe(till: Till, payment: Payment, amount: Money = DEPOSIT) -> Timer:
    async with till.app.db.begin(till.organization) as tx:
        locked = await payments.lock_payment(tx, till.organization, payment.id)
        await owe_refund(tx, locked, amount, "booking cancelled")
    [timer] = await timers.scheduled(till.app.db, ISSUE_REFUND)
    return timer


async def refunded_events(till: Till) -> list[int]:
    said = await outbox.published(till.app.db)
    return [event.refunded.amount for event in said if isinstance(event, events_pb2.PaymentRefunded)]


async def free_the_lease(till: Till, timer: Timer) -> None:
    """As if the lease had run out, or there were none."""
    async with till.app.db.begin(till.organization) as tx:
        await refunds.release_refund(tx, till.organization, (await till.refunds())[0].id)


async def test_money_goes_back_and_is_told(till: Till) -> None:
    payment = await till.paid()
    await issue_refund(till.app, await owe(till, payment))
    assert await till.guest.refunds(reference(payment)) == [7000]
    assert (await till.payment(payment)).status is PaymentStatus.REFUNDED
    [refund] = await till.refunds()
    assert refund.state is RefundState.SUCCEEDED
    assert await timers.scheduled(till.app.db, ISSUE_REFUND) == []
    [_, event] = await outbox.published(till.app.db)
    assert isinstance(event, events_pb2.PaymentRefunded)
    assert event.booking_id == ids.show("bkg", payment.booking_id)
    assert (event.refunded.amount, event.refunded.currency) == (7000, "EUR")


async def test_a_part_goes_back_and_the_rest_stays(till: Till) -> None:
    payment = await till.paid()
    await issue_refund(till.app, await owe(till, payment, Money(2500, "EUR")))
    after = await till.payment(payment)
    assert (after.status, after.refunded) == (PaymentStatus.SUCCEEDED, Money(2500, "EUR"))
    assert await till.guest.refunds(reference(payment)) == [2500]


async def test_a_refund_is_owed_once_per_payment(till: Till) -> None:
    payment = await till.paid()
    first = await owe(till, payment)
    again = await owe(till, payment, Money(100, "EUR"))
    assert again.id == first.id
    assert [refund.amount for refund in await till.refunds()] == [DEPOSIT]


async def test_many_timers_at_once_give_back_once(till: Till) -> None:
    payment = await till.paid()
    timer = await owe(till, payment)
    ended = await asyncio.gather(*(issue_refund(till.app, timer) for _ in range(5)), return_exceptions=True)
    assert ended.count(None) >= 1
    assert all(each is None or isinstance(each, Busy) for each in ended)
    assert await till.guest.refunds(reference(payment)) == [7000]
    assert await refunded_events(till) == [7000]


async def two_handlers(till: Till, stand_in: StandIn, payment: Payment, *, leased: bool) -> None:
    """The first one has looked for earlier refunds and found none when the second one begins."""
    timer = await owe(till, payment)
    looked = stand_in.hold("GET /v1/refunds")
    first = asyncio.create_task(issue_refund(till.app, timer))
    await looked.arrived.wait()
    if leased:
        with pytest.raises(Busy):
            await issue_refund(till.app, timer)
    else:
        await free_the_lease(till, timer)
        await issue_refund(till.app, timer)
    looked.opened.set()
    await first


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_second_handler_keeps_away_while_the_first_one_asks(
    failing_till: Till, stand_in: StandIn, *, idempotent: bool
) -> None:
    stand_in.idempotent = idempotent
    payment = await failing_till.paid()
    await two_handlers(failing_till, stand_in, payment, leased=True)
    assert len(stand_in.refunds) == 1
    assert await refunded_events(failing_till) == [7000]


@pytest.mark.parametrize(("idempotent", "given_back"), [(True, 1), (False, 2)])
async def test_control_without_the_lease_only_the_providers_keys_prevent_a_second_refund(
    failing_till: Till, stand_in: StandIn, *, idempotent: bool, given_back: int
) -> None:
    stand_in.idempotent = idempotent
    payment = await failing_till.paid()
    await two_handlers(failing_till, stand_in, payment, leased=False)
    assert len(stand_in.refunds) == given_back
    assert await refunded_events(failing_till) == [7000]


async def test_a_kill_between_the_providers_answer_and_our_commit_gives_back_once(
    till: Till, stripe_url: str
) -> None:
    payment = await till.paid()
    timer = await owe(till, payment)
    dying = DiesAfterRefund(stripe_settings(stripe_url, timeout_seconds=5))
    with pytest.raises(Killed):
        await issue_refund(replace(till.app, provider=dying), timer)
    await dying.close()
    assert await till.guest.refunds(reference(payment)) == [7000]
    with pytest.raises(Busy):
        await issue_refund(till.app, timer)  # until the lease of the dead process has run out
    await free_the_lease(till, timer)
    await issue_refund(till.app, timer)
    assert await till.guest.refunds(reference(payment)) == [7000]
    assert await refunded_events(till) == [7000]


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_refund_whose_answer_got_lost_is_made_once(
    failing_till: Till, stand_in: StandIn, fault: Fault
) -> None:
    payment = await failing_till.paid()
    timer = await owe(failing_till, payment)
    stand_in.fail("POST /v1/refunds", fault)
    with pytest.raises(Unavailable):
        await issue_refund(failing_till.app, timer)
    await issue_refund(failing_till.app, timer)
    assert len(stand_in.refunds) == 1
    assert (await failing_till.payment(payment)).status is PaymentStatus.REFUNDED


async def test_a_refund_that_takes_its_time_is_told_when_it_is_done(
    failing_till: Till, stand_in: StandIn
) -> None:
    payment = await failing_till.paid()
    await owe(failing_till, payment)
    stand_in.refunds_start_as = "pending"
    await failing_till.run_due(ISSUE_REFUND)
    assert await refunded_events(failing_till) == []
    stand_in.refunds["re_000000"]["status"] = "succeeded"
    await failing_till.run_due(ISSUE_REFUND)
    assert await refunded_events(failing_till) == [7000]
    assert len(stand_in.refunds) == 1


async def test_a_refund_that_failed_for_good_is_kept_and_tells_nobody(
    failing_till: Till, stand_in: StandIn
) -> None:
    payment = await failing_till.paid()
    await owe(failing_till, payment)
    stand_in.refunds_start_as = "failed"
    await failing_till.run_due(ISSUE_REFUND)
    [refund] = await failing_till.refunds()
    assert refund.state is RefundState.FAILED
    assert (await failing_till.payment(payment)).status is PaymentStatus.SUCCEEDED
    assert await refunded_events(failing_till) == []
    assert await timers.scheduled(failing_till.app.db, ISSUE_REFUND) == []


async def test_a_refund_that_is_over_is_not_asked_for_again(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.paid()
    timer = await owe(failing_till, payment)
    await issue_refund(failing_till.app, timer)
    asked = len(stand_in.requests)
    await issue_refund(failing_till.app, timer)
    assert len(stand_in.requests) == asked
    assert await timers.scheduled(failing_till.app.db, CLOSE_DEPOSIT) == []
