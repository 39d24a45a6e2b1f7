"""The rules alone: what a payment and a refund learn, in any order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment.domain.errors import DepositMismatch, RefundExceedsPayment
from payment.domain.payments import Payment, PaymentStatus, look_again_after
from payment.domain.provider import GivenBack, IntentStatus, RefundAnswer
from payment.domain.refunds import BOOKING_CLOSED, Refund, RefundState
from servicekit import ids
from servicekit.money import Money

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AMOUNT = Money(7000, "EUR")


def due() -> Payment:
    return Payment.due(
        ids.new(),
        ids.new(),
        organization_id=ids.new(),
        amount=AMOUNT,
        description="Dinner for 7",
        provider="stripe",
        now=NOW,
    )


def paid() -> Payment:
    return due().bind("pi_1").follow(IntentStatus.SUCCEEDED)


def owed(amount: int = 7000) -> Refund:
    return paid().owe(ids.new(), Money(amount, "EUR"), cause=BOOKING_CLOSED, reason="called off")


@given(st.lists(st.sampled_from(IntentStatus)))
def test_in_whatever_order_the_news_come_in_money_counts_most(
    news: list[IntentStatus],
) -> None:
    payment = due().bind("pi_1")
    for status in news:
        payment = payment.follow(status)
    if IntentStatus.SUCCEEDED in news:
        assert payment.status is PaymentStatus.SUCCEEDED
    elif IntentStatus.CANCELLED in news:
        assert payment.status is PaymentStatus.CANCELLED
    else:
        assert payment.status is PaymentStatus.PENDING


@pytest.mark.parametrize("status", list(IntentStatus))
def test_a_payment_that_was_given_back_stays_given_back(status: IntentStatus) -> None:
    refunded = paid().give_back(AMOUNT)
    assert refunded.follow(status) == refunded


def test_the_first_intent_counts() -> None:
    assert due().bind("pi_1").bind("pi_2").provider_reference == "pi_1"
    assert due().abandon().bind("pi_3").provider_reference is None


def test_only_a_deposit_without_an_intent_is_closed_without_asking() -> None:
    assert due().abandon().status is PaymentStatus.CANCELLED
    assert due().bind("pi_1").abandon().status is PaymentStatus.PENDING
    assert paid().abandon().status is PaymentStatus.SUCCEEDED


def test_a_deposit_is_given_up_before_the_provider_forgets_its_key() -> None:
    assert not due().is_abandoned(NOW + timedelta(hours=1))
    assert due().is_abandoned(NOW + timedelta(hours=23, seconds=1))
    assert not due().bind("pi_1").is_abandoned(NOW + timedelta(days=9))


@pytest.mark.parametrize("other", [Money(7001, "EUR"), Money(7000, "USD")])
def test_a_deposit_over_another_amount_is_another_deposit(other: Money) -> None:
    with pytest.raises(DepositMismatch):
        due().require_amount(other)


@given(st.lists(st.integers(min_value=1, max_value=7000)))
def test_never_more_goes_back_than_was_paid(amounts: list[int]) -> None:
    payment, given_back = paid(), 0
    for amount in amounts:
        if given_back + amount > AMOUNT.amount:
            with pytest.raises(RefundExceedsPayment):
                payment.give_back(Money(amount, "EUR"))
            continue
        payment, given_back = payment.give_back(Money(amount, "EUR")), given_back + amount
    assert payment.refunded == Money(given_back, "EUR")
    assert (payment.status is PaymentStatus.REFUNDED) == (given_back == AMOUNT.amount)


def test_nothing_goes_back_that_was_not_paid() -> None:
    with pytest.raises(RefundExceedsPayment):
        due().bind("pi_1").give_back(AMOUNT)


@pytest.mark.parametrize("amount", [Money(7001, "EUR"), Money(0, "EUR"), Money(-1, "EUR"), Money(10, "USD")])
def test_a_refund_of_more_or_nothing_or_in_another_currency_is_refused(amount: Money) -> None:
    with pytest.raises(RefundExceedsPayment):
        paid().owe(ids.new(), amount, cause=BOOKING_CLOSED, reason="called off")


@given(st.lists(st.sampled_from(GivenBack)))
def test_a_refund_ends_once_and_stays_as_it_ended(news: list[GivenBack]) -> None:
    refund = owed()
    for status in news:
        refund = refund.follow(RefundAnswer("re_1", status))
    decided = [status for status in news if status is not GivenBack.PENDING]
    expected = RefundState(decided[0].value) if decided else RefundState.DUE
    assert refund == replace(refund, state=expected, provider_reference="re_1" if news else None)


def test_looks_become_rarer_down_to_one_an_hour() -> None:
    waits = [look_again_after(attempts) for attempts in range(40)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(hours=1)
