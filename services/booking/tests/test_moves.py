"""Moves that make room, what they cost, and answers that are given twice."""

import random
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.consumer import on_payment_succeeded
from booking.domain.bookings import Booking, CancelledBy, Status
from booking.domain.offerings import DepositRule, DepositWouldGrow
from booking.domain.refusals import SlotTaken
from booking.domain.terms import RequestRule, Terms
from booking.tables import BOOKINGS
from booking.usecases import assignments, changes, links, requests, venues
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from booking.usecases.requests import Answer
from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids
from servicekit.money import Money
from testkit import outbox
from testkit.events import event_of

from .conftest import House, Payments, open_house
from .rooms import HALF_HOUR, STAFF, search, seated, set_times

TWO_AND_FOUR = (("Two", 1, 2), ("Four", 1, 4))


async def cancel(house: House, made: Made) -> None:
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.VENUE, actor=STAFF
    )


async def move(house: House, booking: Booking, to: Move) -> Booking:
    return await changes.move_booking(house.app, house.organization, booking.id, to, actor=STAFF)


async def full_but_for_others(house: House) -> Made:
    """Two sit at Four at 19:30, and Two is free again: four more fit in once they move."""
    early = await house.book(2, house.start(19))
    sits = await house.book(2, house.start(19, 30))
    assert (seated(house, early), seated(house, sits)) == ({"Two"}, {"Four"})
    await cancel(house, early)
    return sits


async def test_a_guest_who_moves_finds_the_room_that_others_make(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    sits = await full_but_for_others(house)
    four = await house.book(4, house.start(days=8))
    assert (await search(house, 4))[1] is None
    moved = await links.move_managed_booking(house.app, four.manage_token, Move(house.start(19, 30)))
    assert moved.resource_ids == (house.tables["Four"].id,)
    assert await house.seats_of(sits.booking.id) == {"Two"}
    assert (await house.history(sits.booking.id))[-1] == ("reseated", "engine")
    assert (await house.told())[-2:] == ["Reseated", "Moved"]
    assert await house.double_bookings() == 0


async def test_whoever_makes_room_may_have_the_seats_of_who_grows(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    grows, other = await house.book(2), await house.book(2)
    assert (seated(house, grows), seated(house, other)) == ({"Two"}, {"Four"})
    await move(house, grows.booking, Move(party_size=4))
    assert await house.seats_of(grows.booking.id) == {"Four"}
    assert await house.seats_of(other.booking.id) == {"Two"}
    assert await house.double_bookings() == 0


async def test_nobody_makes_room_for_a_pinned_booking_nor_where_the_venue_does_not_want_it(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    sits = await full_but_for_others(house)
    four = (await house.book(4, house.start(days=8))).booking
    pin = app, house.organization, four.id
    await assignments.pin(*pin, pinned=True, actor=STAFF)
    with pytest.raises(SlotTaken):
        await move(house, four, Move(house.start(19, 30)))
    await assignments.pin(*pin, pinned=False, actor=STAFF)
    await venues.update_venue(app, house.organization, house.ref, reseating=False)
    with pytest.raises(SlotTaken):
        await move(house, four, Move(house.start(19, 30)))
    assert (await house.read(sits.booking.id)).version == 1


async def test_a_request_that_is_confirmed_finds_the_room_that_others_make(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    asking = await house.offer(Terms(requests=RequestRule(3)))
    sits = await full_but_for_others(house)
    asked = (await asking.book(4, house.start(19, 30))).booking
    assert asked.status is Status.REQUESTED
    confirmed = await requests.confirm_request(app, house.organization, asked.id, Answer(), actor=STAFF)
    assert confirmed.resource_ids == (house.tables["Four"].id,)
    assert await house.seats_of(sits.booking.id) == {"Two"}


async def test_a_start_that_a_search_shows_can_be_moved_to(app: App, payments: Payments) -> None:
    """On random floors with random guests; some of these moves take others that make room."""
    for seed in range(4):
        chance = random.Random(seed)  # noqa: S311  # no secret
        tables = tuple((f"T{number}", 1, chance.choice((2, 2, 4, 5))) for number in range(4))
        house = await open_house(app, payments, tables=(*tables, ("T9", 1, 5)), joined=(("T0", "T1", 3, 5),))
        made = []
        for _ in range(9):
            with suppress(SlotTaken):
                start = house.start() + chance.randrange(7) * HALF_HOUR
                made.append(await house.book(chance.choice((1, 2, 2, 3)), start))
        for gone in chance.sample(made, len(made) // 3):
            await cancel(house, gone)
        mover = (await house.book(party := chance.choice((3, 4, 5)), house.start(days=8))).booking
        for number, refusal in (await search(house, party)).items():
            if refusal is None and number % 2 == seed % 2:
                await move(house, mover, Move(house.start() + number * HALF_HOUR))
                mover = await move(house, mover, Move(house.start(days=8)))
        assert await house.double_bookings() == 0
    told = [each for each in await house.told() if each == "Reseated"]
    assert told


async def age(house: House, made: Made, **columns: object) -> None:
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == made.booking.id).values(**columns))


async def paid_and_near(house: House, hours: float) -> Made:
    """A party of six that has paid, and comes in so many hours. Cancelling is free until 24 before."""
    made, start = await house.book(6), datetime.now(UTC) + timedelta(hours=hours)
    times = {"start_at": start, "end_at": start + timedelta(hours=2)}
    now = datetime.now(UTC)
    await age(house, made, status="confirmed", hold_expires_at=None, deposit_paid_at=now, **times)
    return made


async def test_a_guest_who_moves_too_late_cannot_cancel_for_nothing_afterwards(house: House) -> None:
    made = await paid_and_near(house, 23)
    before = await links.get_managed_booking(house.app, made.manage_token)
    moved = await links.move_managed_booking(house.app, made.manage_token, Move(house.start(days=9)))
    after = await links.get_managed_booking(house.app, made.manage_token)
    assert (after.fee_if_cancelled, after.free_until) == (Money(6000, "EUR"), before.free_until)
    await links.move_managed_booking(house.app, made.manage_token, Move(house.start(days=10)))
    assert moved.kept_free_until == before.free_until
    await links.cancel_managed_booking(house.app, made.manage_token)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingCancelled)
    assert not event.HasField("refund_due")


async def test_a_guest_who_moves_in_time_cancels_in_time_of_the_new_start(house: House) -> None:
    made = await paid_and_near(house, 25)
    moved = await links.move_managed_booking(house.app, made.manage_token, Move(house.start(days=9)))
    assert moved.free_until == moved.start - timedelta(hours=24)


async def test_what_staff_move_is_free_to_cancel_anew(house: House) -> None:
    made = await paid_and_near(house, 23)
    await links.move_managed_booking(house.app, made.manage_token, Move(house.start(days=9)))
    moved = await move(house, made.booking, Move(house.start(days=10)))
    assert moved.free_until == moved.start - timedelta(hours=24)
    assert (await house.read(made.booking.id)).free_until == moved.free_until


async def test_a_guest_does_not_grow_into_a_deposit_that_nobody_asked_for(house: House) -> None:
    small, large = await house.book(2), await house.book(6, house.start(days=8))
    for made, party, owed, missing in ((small, 6, "6000", "6000"), (large, 8, "8000", "2000")):
        with pytest.raises(DepositWouldGrow) as refused:
            await links.move_managed_booking(house.app, made.manage_token, Move(party_size=party))
        assert refused.value.metadata == {"deposit": owed, "missing": missing, "currency": "EUR"}
        assert await house.read(made.booking.id) == made.booking
    for party in (5, 6):  # what was asked for once is enough
        grown = await links.move_managed_booking(house.app, large.manage_token, Move(party_size=party))
    assert (grown.party_size, grown.deposit) == (6, Money(6000, "EUR"))
    assert (await move(house, small.booking, Move(party_size=6))).deposit is None


async def test_a_confirmation_that_is_repeated_after_the_guest_paid_answers_the_same(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(6)), deposit=DepositRule(6, Money(1000, "EUR"), 24))
    asked = (await asking.book(6)).booking
    confirm = house.app, house.organization, asked.id, Answer()
    assert (await requests.confirm_request(*confirm, actor=STAFF)).status is Status.HELD
    message = payment_events.PaymentSucceeded(
        payment_id=ids.show("pay", ids.new()),
        booking_id=ids.show("bkg", asked.id),
        amount=values_pb2.Money(amount=6000, currency="EUR"),
    )
    await on_payment_succeeded(house.app, event_of(message, house.organization))
    paid = await house.read(asked.id)
    assert paid.status is Status.CONFIRMED
    assert await requests.confirm_request(*confirm, actor=STAFF) == paid
    assert len(await house.history(asked.id)) == 3


async def test_two_that_would_meet_since_buffers_grew_are_not_swapped_and_told_why(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    early, late = (await house.book(2)).booking, (await house.book(2, house.start(20, 30))).booking
    await set_times(house, replace(house.offering, buffer_after_minutes=15))
    with pytest.raises(SlotTaken):
        await assignments.swap(app, house.organization, (early.id, 0), (late.id, 0), actor=STAFF)
    assert (await house.read(early.id)).version == 1
