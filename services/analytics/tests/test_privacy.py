"""Analytics' part in requests about persons: its facts are of nobody, and it tells them to whom they lead."""

import json
from datetime import timedelta

import pytest

from analytics.consumer import HANDLERS
from comptoir.analytics.v1 import events_pb2
from comptoir.booking.v1 import events_pb2 as booking_events
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit import outbox
from testkit.events import event_of
from testkit.privacy import PrivacyOffice

from .conftest import Counter, House, at, paid


async def handle(counter: Counter, event: Event) -> None:
    await HANDLERS[type(event.message)](counter.app, event)


async def test_the_receipt_says_that_no_row_of_any_table_of_facts_was_of_a_person(
    counter: Counter, house: House
) -> None:
    about = booking_events.PersonalDataErased(
        request_id=ids.show("prq", ids.new()), booking_ids=[ids.show("bkg", ids.new())]
    )
    event = event_of(about, house.organization)
    await handle(counter, event)
    with pytest.raises(AlreadyHandled):
        await handle(counter, event)
    (receipt,) = await outbox.published(counter.app.db)
    assert isinstance(receipt, events_pb2.PersonalDataErased)
    assert receipt.request_id == about.request_id
    assert {each.table: each.rows for each in receipt.erased} == {
        "booking_facts": 0, "payment_facts": 0, "refund_facts": 0,
    }  # fmt: skip


async def test_an_export_has_the_facts_about_the_bookings_and_no_others(
    counter: Counter, house: House, privacy_office: PrivacyOffice
) -> None:
    mine, other = ids.new(), ids.new()
    start = at("2026-03-02T19:00")
    for booking in (mine, other):
        told = house.booking(
            booking_events.BookingConfirmed, booking, version=1, start=start, end=start + timedelta(hours=2)
        )
        await handle(counter, event_of(told, house.organization))
        await handle(counter, event_of(paid(ids.new(), booking, 500), house.organization))
    about = booking_events.PersonalDataExported(
        request_id=ids.show("prq", ids.new()), booking_ids=[ids.show("bkg", mine)]
    )
    await handle(counter, event_of(about, house.organization))
    part = json.loads(privacy_office.parts[about.request_id, "analytics"])
    assert {name: [each["booking_id"] for each in rows] for name, rows in part.items()} == {
        "booking_facts": [str(mine)], "payment_facts": [str(mine)], "refund_facts": [],
    }  # fmt: skip


async def test_of_an_account_there_is_no_fact(counter: Counter, privacy_office: PrivacyOffice) -> None:
    about = {"request_id": ids.show("prq", ids.new()), "user_id": ids.show("usr", ids.new())}
    await handle(counter, event_of(booking_events.PersonalDataExported(**about), None))
    await handle(counter, event_of(booking_events.PersonalDataErased(**about), None))
    assert [json.loads(part) for part in privacy_office.parts.values()] == [{}]
    assert len(await outbox.published(counter.app.db)) == 1
