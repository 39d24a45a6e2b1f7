"""Payment's part in requests about persons: it knows none, gives its receipt, and tells what was paid."""

import json

import pytest

from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.payment.v1 import events_pb2, privacy_pb2, privacy_pb2_grpc
from payment.consumer import HANDLERS
from payment.servicer import servicers
from payment.usecases.refunds import owe_refund
from servicekit import ids
from servicekit.errors import AppError
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from servicekit.money import Money
from testkit import outbox
from testkit.callers import anonymous, member, service
from testkit.events import event_of
from testkit.plugin import StartEdge
from testkit.privacy import PrivacyOffice

from .conftest import Till

OPEN = privacy_pb2_grpc.OpenMoneyServiceStub


async def handle(till: Till, event: Event) -> None:
    await HANDLERS[type(event.message)](till.app, event)


async def test_an_erasure_keeps_every_amount_and_gives_its_receipt_once(till: Till) -> None:
    payment = await till.paid()
    about = booking_events.PersonalDataErased(
        request_id=ids.show("prq", ids.new()), booking_ids=[ids.show("bkg", payment.booking_id)]
    )
    event = event_of(about, till.organization)
    await handle(till, event)
    with pytest.raises(AlreadyHandled):
        await handle(till, event)
    (receipt,) = [
        each
        for each in await outbox.published(till.app.db)
        if isinstance(each, events_pb2.PersonalDataErased)
    ]
    assert receipt.request_id == about.request_id
    assert {each.table: each.rows for each in receipt.erased} == {"payments": 0, "refunds": 0}
    assert (await till.payment(payment)).amount == payment.amount


async def test_an_export_has_the_payments_for_the_bookings_and_no_others(
    till: Till, privacy_office: PrivacyOffice
) -> None:
    payment, other = await till.paid(), await till.paid()
    about = booking_events.PersonalDataExported(
        request_id=ids.show("prq", ids.new()), booking_ids=[ids.show("bkg", payment.booking_id)]
    )
    event = event_of(about, till.organization)
    await handle(till, event)
    with pytest.raises(AlreadyHandled):
        await handle(till, event)
    told = json.loads(privacy_office.parts[about.request_id, "payment"])
    assert [each["id"] for each in told["payments"]] == [str(payment.id)]
    assert str(other.id) not in str(told)


async def test_of_an_account_there_is_nothing(till: Till, privacy_office: PrivacyOffice) -> None:
    about = {"request_id": ids.show("prq", ids.new()), "user_id": ids.show("usr", ids.new())}
    await handle(till, event_of(booking_events.PersonalDataExported(**about), None))
    await handle(till, event_of(booking_events.PersonalDataErased(**about), None))
    assert [json.loads(part) for part in privacy_office.parts.values()] == [{}]
    receipts = await outbox.published(till.app.db)
    assert sum(isinstance(each, events_pb2.PersonalDataErased) for each in receipts) == 1


async def test_auth_is_told_of_money_that_is_on_its_way_and_nobody_else_is(
    till: Till, rpc_edge: StartEdge
) -> None:
    edge = await rpc_edge("payment", servicers(till.app))
    pending, paid, owing = await till.offer(), await till.paid(), await till.paid()
    async with till.app.db.begin(till.organization) as tx:
        await owe_refund(tx, owing, Money(100, "EUR"), "for a test")
    request = privacy_pb2.ListOpenPaymentsRequest(
        booking_ids=[ids.show("bkg", each.booking_id) for each in (pending, paid, owing)]
    )
    auth = service("auth", till.organization)
    found = await edge.call(OPEN, "ListOpenPayments", request, caller=auth)
    assert list(found.payment_ids) == [ids.show("pay", each.id) for each in (pending, owing)]
    elsewhere = await edge.call(OPEN, "ListOpenPayments", request, caller=service("auth", ids.new()))
    assert list(elsewhere.payment_ids) == []
    for caller in (service("booking", till.organization), member(till.organization), anonymous()):
        with pytest.raises(AppError) as refused:
            await edge.call(OPEN, "ListOpenPayments", request, caller=caller)
        assert refused.value.reason in {"PERMISSION_DENIED", "UNAUTHENTICATED"}
