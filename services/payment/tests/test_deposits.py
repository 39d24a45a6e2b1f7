"""Deposits on a real database, at both stand-ins and at one that fails: made once, settled for good."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from comptoir.payment.v1 import events_pb2
from payment.domain.errors import DepositMismatch, ProviderRefused
from payment.domain.payments import PaymentStatus
from payment.store import payments as store
from payment.tables import PAYMENTS
from payment.timers import TIMERS
from payment.usecases import deposits
from payment.usecases.deposits import CLOSE_INTENT, RECONCILE_DEPOSIT
from servicekit import ids
from servicekit.errors import Unavailable
from servicekit.money import Money
from testkit import outbox, timers

from .conftest import DEPOSIT, Till, reference
from .stripe_stand_in import DECLINED_CARD, Fault, StandIn


async def settle(till: Till, booking_id: UUID) -> PaymentStatus | None:
    return await deposits.settle_deposit(till.app, till.organization, booking_id)


async def test_a_deposit_is_made_once_and_told_again_with_its_secret(till: Till) -> None:
    booking_id = ids.new()
    offered = [
        await deposits.create_deposit(
            till.app, till.organization, booking_id, amount=DEPOSIT, description=text
        )
        for text in ("Dinner for 7", "Dîner pour 7")
    ]
    assert offered[0] == offered[1]
    assert offered[0].client_secret.startswith(reference(offered[0].payment))
    assert offered[0].payment.description == "Dinner for 7"
    assert "secret" not in repr(offered[0])
    assert len(await timers.scheduled(till.app.db, RECONCILE_DEPOSIT)) == 1


async def test_another_amount_for_the_same_booking_is_refused(till: Till) -> None:
    payment = await till.offer()
    with pytest.raises(DepositMismatch):
        await till.offer(payment.booking_id, Money(8000, "EUR"))


async def test_many_requests_at_once_offer_one_intent(till: Till) -> None:
    booking_id = ids.new()
    offered = await asyncio.gather(*(till.offer(booking_id) for _ in range(6)))
    assert len({(payment.id, reference(payment)) for payment in offered}) == 1


async def test_an_intent_whose_making_was_broken_off_is_not_made_again(
    failing_till: Till, stand_in: StandIn
) -> None:
    booking_id = ids.new()
    stand_in.fail("POST /v1/payment_intents", Fault.UNHEARD)
    with pytest.raises(Unavailable):
        await failing_till.offer(booking_id)
    payment = await failing_till.offer(booking_id)
    assert list(stand_in.intents) == [reference(payment)]


async def test_without_idempotency_keys_only_the_intent_on_record_is_ever_offered(
    failing_till: Till, stand_in: StandIn
) -> None:
    stand_in.idempotent = False
    booking_id = ids.new()
    first_answer = stand_in.hold("POST /v1/payment_intents")
    slow = asyncio.create_task(failing_till.offer(booking_id))
    await first_answer.arrived.wait()
    quick = await failing_till.offer(booking_id)
    first_answer.opened.set()
    assert reference(await slow) == reference(quick)
    assert len(stand_in.intents) == 2  # the control: without the record there would be two to pay
    assert await failing_till.run_due(CLOSE_INTENT) == 1
    states = {name: intent["status"] for name, intent in stand_in.intents.items()}
    assert states.pop(reference(quick)) == "requires_payment_method"
    assert list(states.values()) == ["canceled"]
    assert await timers.scheduled(failing_till.app.db, CLOSE_INTENT) == []


async def test_a_deposit_that_the_provider_refuses_offers_nothing(till: Till) -> None:
    booking_id = ids.new()
    with pytest.raises(ProviderRefused):
        await till.offer(booking_id, Money(100, "MGA"))
    assert await settle(till, booking_id) is PaymentStatus.CANCELLED
    assert await till.run_due(RECONCILE_DEPOSIT) == 1
    assert await timers.scheduled(till.app.db, RECONCILE_DEPOSIT) == []


async def test_an_unpaid_deposit_is_closed_at_the_provider_too(till: Till) -> None:
    payment = await till.offer()
    assert await settle(till, payment.booking_id) is PaymentStatus.CANCELLED
    assert await till.guest.state(reference(payment)) == "canceled"
    assert not await till.guest.pay(reference(payment))
    assert await settle(till, payment.booking_id) is PaymentStatus.CANCELLED
    again = await deposits.create_deposit(
        till.app, till.organization, payment.booking_id, amount=DEPOSIT, description=""
    )
    assert again.payment.status is PaymentStatus.CANCELLED
    assert again.client_secret == ""
    assert await outbox.published(till.app.db) == []


async def test_a_paid_deposit_is_settled_as_paid_and_told_once(till: Till) -> None:
    payment = await till.offer()
    assert await till.guest.pay(reference(payment))
    assert await settle(till, payment.booking_id) is PaymentStatus.SUCCEEDED
    assert await settle(till, payment.booking_id) is PaymentStatus.SUCCEEDED
    [event] = await outbox.published(till.app.db)
    assert isinstance(event, events_pb2.PaymentSucceeded)
    assert event.payment_id == ids.show("pay", payment.id)
    assert event.booking_id == ids.show("bkg", payment.booking_id)
    assert (event.amount.amount, event.amount.currency) == (7000, "EUR")


async def test_a_booking_without_a_deposit_has_nothing_to_settle(till: Till) -> None:
    assert await settle(till, ids.new()) is None


async def test_a_declined_card_is_not_a_payment(failing_till: Till) -> None:
    payment = await failing_till.offer()
    assert not await failing_till.guest.pay(reference(payment), DECLINED_CARD)
    assert await settle(failing_till, payment.booking_id) is PaymentStatus.CANCELLED


async def test_a_deposit_paid_while_being_settled_is_paid(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    looked = stand_in.hold("GET /v1/payment_intents/{id}")
    settling = asyncio.create_task(settle(failing_till, payment.booking_id))
    await looked.arrived.wait()
    assert await failing_till.guest.pay(reference(payment))
    looked.opened.set()
    assert await settling is PaymentStatus.SUCCEEDED


async def test_a_deposit_settled_while_it_is_being_made_cannot_be_paid(
    failing_till: Till, stand_in: StandIn
) -> None:
    booking_id = ids.new()
    made = stand_in.hold("POST /v1/payment_intents")
    offering = asyncio.create_task(
        deposits.create_deposit(
            failing_till.app, failing_till.organization, booking_id, amount=DEPOSIT, description=""
        )
    )
    await made.arrived.wait()
    assert await settle(failing_till, booking_id) is PaymentStatus.CANCELLED
    made.opened.set()
    offered = await offering
    assert (offered.payment.status, offered.client_secret) == (PaymentStatus.CANCELLED, "")
    stand_in.fail("POST /v1/payment_intents/{id}/cancel", Fault.UNREACHED)
    with pytest.raises(Unavailable):
        await failing_till.run_due(CLOSE_INTENT)
    assert await failing_till.run_due(CLOSE_INTENT) == 1
    assert [intent["status"] for intent in stand_in.intents.values()] == ["canceled"]
    assert await timers.scheduled(failing_till.app.db, CLOSE_INTENT) == []


async def test_an_intent_that_was_made_unheard_for_a_closed_deposit_is_closed_too(
    failing_till: Till, stand_in: StandIn
) -> None:
    booking_id = ids.new()
    stand_in.fail("POST /v1/payment_intents", Fault.UNHEARD)
    with pytest.raises(Unavailable):
        await failing_till.offer(booking_id)
    assert await settle(failing_till, booking_id) is PaymentStatus.CANCELLED
    stand_in.fail("POST /v1/payment_intents/{id}/cancel", Fault.BROKEN)
    with pytest.raises(Unavailable):
        await failing_till.run_due(RECONCILE_DEPOSIT)
    assert await failing_till.run_due(RECONCILE_DEPOSIT) == 1
    assert [intent["status"] for intent in stand_in.intents.values()] == ["canceled"]
    assert await timers.scheduled(failing_till.app.db, RECONCILE_DEPOSIT) == []


async def test_a_paid_intent_that_no_deposit_counts_on_is_left_and_reported(
    failing_till: Till, stand_in: StandIn
) -> None:
    payment = await failing_till.offer()
    await failing_till.guest.pay(reference(payment))
    with capture_logs() as logged:
        await deposits.close_intent(failing_till.app, reference(payment))
    assert [each["event"] for each in logged] == ["orphaned_intent_paid"]
    assert stand_in.intents[reference(payment)]["status"] == "succeeded"


async def test_an_intent_on_its_way_is_closed_later(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    stand_in.intents[reference(payment)]["status"] = "processing"
    with pytest.raises(Unavailable):
        await deposits.close_intent(failing_till.app, reference(payment))


async def test_settling_waits_for_a_payment_that_is_on_its_way(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    stand_in.intents[reference(payment)]["status"] = "processing"
    with pytest.raises(Unavailable):
        await settle(failing_till, payment.booking_id)
    stand_in.intents[reference(payment)]["status"] = "succeeded"
    assert await settle(failing_till, payment.booking_id) is PaymentStatus.SUCCEEDED


async def test_settling_twice_at_once_tells_of_the_payment_once(till: Till) -> None:
    payment = await till.offer()
    await till.guest.pay(reference(payment))
    statuses = await asyncio.gather(*(settle(till, payment.booking_id) for _ in range(5)))
    assert set(statuses) == {PaymentStatus.SUCCEEDED}
    assert len(await outbox.published(till.app.db)) == 1


async def test_a_payment_is_found_without_any_webhook(till: Till) -> None:
    payment = await till.offer()
    before = (await timers.scheduled(till.app.db, RECONCILE_DEPOSIT))[0].due_at
    await till.run_due(RECONCILE_DEPOSIT)
    [again] = await timers.scheduled(till.app.db, RECONCILE_DEPOSIT)
    assert again.due_at >= before
    await till.guest.pay(reference(payment))
    await till.run_due(RECONCILE_DEPOSIT)
    assert (await till.payment(payment)).status is PaymentStatus.SUCCEEDED
    assert await timers.scheduled(till.app.db, RECONCILE_DEPOSIT) == []
    assert len(await outbox.published(till.app.db)) == 1


async def test_reconciling_a_decided_deposit_asks_nobody(failing_till: Till, stand_in: StandIn) -> None:
    await failing_till.paid()
    asked = len(stand_in.requests)
    assert await failing_till.run_due(RECONCILE_DEPOSIT) == 1
    assert len(stand_in.requests) == asked
    assert await timers.scheduled(failing_till.app.db, RECONCILE_DEPOSIT) == []


async def test_a_deposit_without_an_intent_is_given_up_after_a_day(
    failing_till: Till, stand_in: StandIn
) -> None:
    stand_in.fail("POST /v1/payment_intents", Fault.BROKEN)
    booking_id = ids.new()
    with pytest.raises(Unavailable):
        await failing_till.offer(booking_id)
    await failing_till.run_due(RECONCILE_DEPOSIT)
    async with failing_till.app.db.begin(failing_till.organization) as tx:
        await tx.execute(update(PAYMENTS).values(created_at=PAYMENTS.c.created_at - timedelta(days=1)))
    await failing_till.run_due(RECONCILE_DEPOSIT)
    async with failing_till.app.db.begin(failing_till.organization) as tx:
        payment = await store.find_payment_of_booking(tx, failing_till.organization, booking_id)
    assert payment is not None
    assert payment.status is PaymentStatus.CANCELLED
    assert await timers.scheduled(failing_till.app.db, RECONCILE_DEPOSIT) == []


async def test_a_look_that_fails_is_taken_again(failing_till: Till, stand_in: StandIn) -> None:
    payment = await failing_till.offer()
    await failing_till.guest.pay(reference(payment))
    [timer] = await timers.scheduled(failing_till.app.db, RECONCILE_DEPOSIT)
    stand_in.fail("GET /v1/payment_intents/{id}", Fault.UNREACHED)
    with pytest.raises(Unavailable):
        await TIMERS[RECONCILE_DEPOSIT](failing_till.app, timer)
    await failing_till.run_due(RECONCILE_DEPOSIT)
    assert (await failing_till.payment(payment)).status is PaymentStatus.SUCCEEDED
