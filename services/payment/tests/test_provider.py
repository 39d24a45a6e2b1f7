"""The adapter's contract, on localstripe and on the stand-in, and what only the stand-in can do to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import stripe
from pydantic import SecretStr

from payment.clients.minor_units import to_stripe
from payment.clients.stripe_api import StripeProvider
from payment.domain.errors import ProviderRefused, StripeEventInvalid, StripeSignatureInvalid
from payment.domain.payments import Payment
from payment.domain.provider import GivenBack, IntentStatus
from payment.domain.refunds import Refund
from servicekit import deadline, ids
from servicekit.errors import DeadlineExceeded, Unavailable
from servicekit.money import Money

from .conftest import DEPOSIT, SECRET, Guest, stripe_settings, webhook
from .stripe_stand_in import DECLINED_CARD, Fault, StandIn


def due(amount: Money = DEPOSIT) -> Payment:
    return Payment.due(
        ids.new(),
        ids.new(),
        organization_id=ids.new(),
        amount=amount,
        description="Dinner for 7",
        provider="stripe",
        now=datetime.now(UTC),
    )


def owed(payment: Payment, amount: Money = DEPOSIT) -> Refund:
    return payment.owe(ids.new(), amount, cause="test", reason="a test")


@pytest.fixture
async def provider(stripe_url: str) -> AsyncIterator[StripeProvider]:
    made = StripeProvider(stripe_settings(stripe_url, timeout_seconds=5))
    yield made
    await made.close()


@pytest.fixture
async def patient(stand_in: StandIn) -> AsyncIterator[StripeProvider]:
    made = StripeProvider(stripe_settings(stand_in.url, timeout_seconds=30))
    yield made
    await made.close()


@pytest.fixture
async def impatient(stand_in: StandIn) -> AsyncIterator[StripeProvider]:
    made = StripeProvider(stripe_settings(stand_in.url, timeout_seconds=0.3))
    yield made
    await made.close()


async def test_an_intent_is_open_until_the_guest_pays_it(provider: StripeProvider, stripe_url: str) -> None:
    made = await provider.make_intent(due())
    assert made.status is IntentStatus.OPEN
    assert made.client_secret.startswith(made.reference)
    assert await Guest(stripe_url).pay(made.reference)
    found = await provider.find_intent(made.reference)
    assert found.status is IntentStatus.SUCCEEDED
    assert found.client_secret == made.client_secret
    assert (await provider.close_intent(made.reference)).status is IntentStatus.SUCCEEDED


async def test_a_closed_intent_cannot_be_paid_and_closing_it_again_is_harmless(
    provider: StripeProvider, stripe_url: str
) -> None:
    made = await provider.make_intent(due())
    assert (await provider.close_intent(made.reference)).status is IntentStatus.CANCELLED
    assert not await Guest(stripe_url).pay(made.reference)
    assert (await provider.close_intent(made.reference)).status is IntentStatus.CANCELLED


async def test_a_refund_is_made_once_however_often_it_is_asked_for(
    provider: StripeProvider, stripe_url: str
) -> None:
    payment = due()
    intent = await provider.make_intent(payment)
    await Guest(stripe_url).pay(intent.reference)
    refund, other = owed(payment, Money(2000, "EUR")), owed(payment, Money(500, "EUR"))
    first = await provider.give_back(intent.reference, refund)
    assert first.status is GivenBack.SUCCEEDED
    assert await provider.give_back(intent.reference, refund) == first
    assert (await provider.give_back(intent.reference, other)).reference != first.reference
    assert sorted(await Guest(stripe_url).refunds(intent.reference)) == [500, 2000]


async def test_an_unknown_intent_is_refused(provider: StripeProvider) -> None:
    with pytest.raises(ProviderRefused):
        await provider.find_intent("pi_000404")


async def test_asking_twice_for_one_deposit_makes_one_intent(
    impatient: StripeProvider, stand_in: StandIn
) -> None:
    payment = due()
    assert await impatient.make_intent(payment) == await impatient.make_intent(payment)
    assert len(stand_in.intents) == 1
    assert stand_in.intents["pi_000000"]["metadata"] == {
        "payment_id": ids.show("pay", payment.id),
        "booking_id": ids.show("bkg", payment.booking_id),
        "organization_id": ids.show("org", payment.organization_id),
        "description": "Dinner for 7",
    }


async def test_one_key_covers_all_retries_of_a_call(stand_in: StandIn) -> None:
    provider = StripeProvider(stripe_settings(stand_in.url, timeout_seconds=0.3, network_retries=2))
    stand_in.fail("POST /v1/payment_intents", Fault.UNHEARD, Fault.BROKEN)
    made = await provider.make_intent(due())
    await provider.close()
    assert stand_in.requests == ["POST /v1/payment_intents"] * 3
    assert list(stand_in.intents) == [made.reference]


async def test_a_decline_leaves_the_intent_open_for_another_card(
    impatient: StripeProvider, stand_in: StandIn
) -> None:
    intent = await impatient.make_intent(due())
    guest = Guest(stand_in.url)
    assert not await guest.pay(intent.reference, DECLINED_CARD)
    assert (await impatient.find_intent(intent.reference)).status is IntentStatus.OPEN
    assert await guest.pay(intent.reference)
    assert (await impatient.find_intent(intent.reference)).status is IntentStatus.SUCCEEDED


async def test_an_intent_paid_while_it_is_being_closed_is_paid(
    patient: StripeProvider, stand_in: StandIn
) -> None:
    intent = await patient.make_intent(due())
    looked = stand_in.hold("GET /v1/payment_intents/{id}")
    # What the first look finds is computed here, before the guest pays; the cancellation comes after it.
    guest = Guest(stand_in.url)

    async with asyncio.TaskGroup() as group:
        closing = group.create_task(patient.close_intent(intent.reference))
        await looked.arrived.wait()
        assert await guest.pay(intent.reference)
        looked.opened.set()
    assert closing.result().status is IntentStatus.SUCCEEDED
    assert "POST /v1/payment_intents/{id}/cancel" in stand_in.requests


@pytest.mark.parametrize("fault", list(Fault))
async def test_no_answer_is_unavailable_and_asking_again_works(
    impatient: StripeProvider, stand_in: StandIn, fault: Fault
) -> None:
    payment = due()
    stand_in.fail("POST /v1/payment_intents", fault)
    with pytest.raises(Unavailable):
        await impatient.make_intent(payment)
    made = await impatient.make_intent(payment)
    assert list(stand_in.intents) == [made.reference]


@pytest.mark.parametrize("live", [True, False])
async def test_a_live_account_takes_no_money_for_a_sandbox(stand_in: StandIn, *, live: bool) -> None:
    key = SecretStr(f"{'sk_live' if live else 'sk_test'}_of_the_payment_suite")
    provider = StripeProvider(stripe_settings(stand_in.url).model_copy(update={"api_key": key}))
    sandboxed = replace(due(), organization_id=ids.new_sandbox())
    if live:
        with pytest.raises(ProviderRefused):
            await provider.make_intent(sandboxed)
        assert stand_in.requests == []
    else:
        assert await provider.make_intent(sandboxed)
    assert await provider.make_intent(due())
    await provider.close()


async def test_a_provider_that_is_down_is_unavailable() -> None:
    provider = StripeProvider(stripe_settings("http://127.0.0.1:9"))
    with pytest.raises(Unavailable):
        await provider.find_intent("pi_1")
    await provider.close()


async def test_the_callers_deadline_ends_the_wait(stand_in: StandIn) -> None:
    provider = StripeProvider(stripe_settings(stand_in.url, timeout_seconds=20))
    stand_in.fail("GET /v1/payment_intents/{id}", Fault.UNREACHED)
    deadline.start(0.2)
    with pytest.raises(DeadlineExceeded):
        await provider.find_intent("pi_1")
    deadline.start(None)
    await provider.close()


async def test_an_amount_the_provider_does_not_take_is_refused(impatient: StripeProvider) -> None:
    with pytest.raises(ProviderRefused):
        await impatient.make_intent(due(Money(10, "EUR")))


@pytest.mark.parametrize(
    ("money", "expected"),
    [
        (Money(7000, "EUR"), 7000),
        (Money(7000, "JPY"), 7000),
        (Money(7000, "ISK"), 700_000),
        (Money(7000, "UGX"), 700_000),
        (Money(7120, "KWD"), 7120),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(money: Money, expected: int) -> None:
    assert to_stripe(money) == expected


@pytest.mark.parametrize("money", [Money(7125, "KWD"), Money(100, "MGA")])
def test_amounts_that_stripe_cannot_take_exactly_are_refused(money: Money) -> None:
    with pytest.raises(ProviderRefused):
        to_stripe(money)


def read(payload: bytes, header: str) -> None:
    StripeProvider(stripe_settings("http://127.0.0.1:9")).read_event(payload, header)


def signed(payload: bytes, secret: str = SECRET, at: float | None = None) -> str:
    when = None if at is None else int(at)
    return str(stripe.WebhookSignature.generate_signature_header(payload.decode("latin-1"), secret, when))


GOOD = webhook("payment_intent.succeeded", "pi_1")


@pytest.mark.parametrize(
    ("payload", "header"),
    [
        (GOOD, signed(GOOD, "whsec_of_somebody_else_entirely")),
        (GOOD + b" ", signed(GOOD)),
        (GOOD, signed(GOOD, at=time.time() - 301)),
        (GOOD, signed(GOOD).replace("v1=", "v0=")),
        (GOOD, "t=now,v1=abc"),
        (GOOD, "t=1,v1=é"),
        (GOOD, "nonsense"),
        (b"\xff\xfe", "t=1,v1=abc"),
    ],
    ids=["other secret", "changed", "old", "other scheme", "no time", "no ascii", "nonsense", "no text"],
)
def test_a_forged_changed_or_old_webhook_is_refused(payload: bytes, header: str) -> None:
    with pytest.raises(StripeSignatureInvalid):
        read(payload, header)


def test_a_signature_that_is_being_rotated_is_accepted() -> None:
    old, new = signed(GOOD, "whsec_the_secret_before_the_rotation"), signed(GOOD)
    both = f"{old},{new.split(',')[1]}"
    provider = StripeProvider(stripe_settings("http://127.0.0.1:9"))
    event = provider.read_event(GOOD, both)
    assert (event.id, event.type, event.reference) == ("evt_1", "payment_intent.succeeded", "pi_1")


@pytest.mark.parametrize("body", ["[]", "{}", "7", '{"data": {"object": 3}}', "not json", '{"data": []}'])
def test_a_signed_body_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(StripeEventInvalid):
        read(body.encode(), signed(body.encode()))


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"id": "ch_1", "object": "charge", "payment_intent": "pi_7"}, "pi_7"),
        ({"id": "cus_1", "object": "customer"}, None),
        ({"id": "ch_1", "object": "charge", "payment_intent": {"id": "pi_7"}}, None),
    ],
)
def test_an_event_speaks_of_an_intent_or_of_none(about: dict[str, object], expected: str | None) -> None:
    payload = json.dumps({"id": "evt_2", "type": "x", "data": {"object": about}}).encode()
    provider = StripeProvider(stripe_settings("http://127.0.0.1:9"))
    assert provider.read_event(payload, signed(payload)).reference == expected


async def test_a_refund_may_take_its_time_and_may_fail(impatient: StripeProvider, stand_in: StandIn) -> None:
    payment = due()
    intent = await impatient.make_intent(payment)
    await Guest(stand_in.url).pay(intent.reference)
    stand_in.refunds_start_as = "pending"
    refund = owed(payment)
    first = await impatient.give_back(intent.reference, refund)
    assert first.status is GivenBack.PENDING
    stand_in.refunds[first.reference]["status"] = "failed"
    assert await impatient.give_back(intent.reference, refund) == replace(first, status=GivenBack.FAILED)
