"""Making bookings on a real database."""

from datetime import datetime, timedelta

from booking.domain.availability import Refusal
from booking.domain.bookings import Status
from booking.usecases import bookings
from booking.usecases.availability import search_availability
from comptoir.booking.v1 import events_pb2
from testkit import outbox
from testkit import timers as scheduled_timers

from .conftest import House


async def test_two_people_are_confirmed_at_once(house: House) -> None:
    made = await house.book(2)
    assert made.booking.status is Status.CONFIRMED
    assert made.booking.resource_ids == (house.tables["T1"].id,)
    assert made.payment is None
    assert made.booking.end - made.booking.start == timedelta(minutes=90)
    assert await bookings.get_booking(house.app, house.organization, made.booking.id) == made.booking
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingConfirmed)
    assert await house.history(made.booking.id) == [("confirmed", "guest")]


async def test_seven_people_hold_a_combination_until_they_have_paid(house: House) -> None:
    made = await house.book(7)
    assert made.booking.status is Status.HELD
    assert made.booking.resource_ids == house.combinations["T3+T4"].resource_ids
    assert made.payment is not None
    assert (made.payment.amount.amount, made.payment.provider) == (7000, "stripe")
    assert made.booking.hold_expires_at == made.booking.created_at + timedelta(minutes=15)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingHeld)
    assert event.booking.deposit.amount == 7000
    (timer,) = await scheduled_timers.scheduled(house.app.db)
    assert timer.kind == "hold_expiry"
    assert timer.due_at > made.booking.hold_expires_at


async def test_a_search_tells_what_is_free_and_why_the_rest_is_not(house: House) -> None:
    await house.book(4, house.start(20))
    await house.book(4, house.start(20))
    found = await search_availability(house.app, house.ref, house.day(), party_size=4, offering_id=None)
    assert [slot.refusal for slot in found.slots] == [Refusal.FULLY_BOOKED] * 12 + [None]
    assert datetime.fromtimestamp(found.slots[-1].start, found.zone).hour == 22
