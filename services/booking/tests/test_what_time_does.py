"""What time does to a booking: holds end by their start, the missed come after all, the door is now."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.consumer import on_payment_succeeded
from booking.domain.bookings import Booking, Status
from booking.domain.offerings import DepositRule
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import SlotTaken
from booking.domain.terms import RequestRule, Terms
from booking.tables import ALLOCATIONS
from booking.usecases import assignments, links, requests, venues, visits
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from booking.usecases.requests import Answer
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from servicekit.money import Money
from testkit import outbox, timers
from testkit.callers import member

from .conftest import House, Payments, open_house
from .rooms import STAFF, book, seated, set_times
from .test_moves import TWO_AND_FOUR, cancel
from .test_payments import paid
from .test_walk_ins import walk_in

SOON = timedelta(minutes=5)
DEPOSIT = DepositRule(1, Money(1000, "EUR"), 24)


async def ends(house: House, booking: Booking) -> set[datetime | None]:
    """When what a booking occupies runs out."""
    query = sa.select(ALLOCATIONS.c.expires_at).where(ALLOCATIONS.c.booking_id == booking.id)
    async with house.app.db.begin(house.organization) as tx:
        return set((await tx.execute(query)).scalars())


async def rings_at(house: House, booking: Booking) -> datetime:
    """When the timer of a hold rings."""
    found = await timers.scheduled(house.app.db, "hold_expiry")
    (timer,) = [each for each in found if each.key == str(booking.id)]
    return timer.due_at


async def test_a_hold_that_moves_to_an_earlier_start_ends_by_it(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(6, payment_hours=72)), deposit=DEPOSIT)
    asked = await asking.book(6)
    at = house.app, house.organization, asked.booking.id
    held = await requests.confirm_request(*at, Answer(), actor=STAFF)
    tomorrow = house.start(days=1)
    assert held.hold_expires_at is not None
    assert held.hold_expires_at > datetime.fromtimestamp(tomorrow, UTC)
    moved = await links.move_managed_booking(house.app, asked.manage_token, Move(tomorrow))
    assert (moved.status, moved.hold_expires_at) == (Status.HELD, moved.start)
    assert await ends(house, moved) == {moved.start}
    assert moved.start <= await rings_at(house, moved) < moved.start + SOON
    back = await links.move_managed_booking(house.app, asked.manage_token, Move(house.start(days=2)))
    assert (back.hold_expires_at, await ends(house, back)) == (moved.start, {moved.start})


async def test_a_hold_made_just_before_its_start_ends_by_it(house: House) -> None:
    paid_ahead = await house.offer(Terms(), deposit=DEPOSIT)
    patient = replace(house.app, hold_ttl=timedelta(days=30), offer_ttl=timedelta(days=30))
    made = (await paid_ahead.book(2, app=patient)).booking
    assert (made.status, made.hold_expires_at) == (Status.HELD, made.start)
    assert await ends(house, made) == {made.start}
    assert made.start <= await rings_at(house, made) < made.start + SOON
    late = made.start + timedelta(hours=9)
    offered = made.kept_until(late)
    accepted = offered.accept(pay_by=late, now=made.created_at)
    assert (offered.hold_expires_at, accepted.hold_expires_at) == (made.start, made.start)


async def missed(house: House) -> Made:
    """Ten people who paid 100 EUR ahead, of which half is kept, and did not come."""
    keeping = await house.offer(Terms(no_show_percent=50), deposit=DepositRule(6, Money(1000, "EUR"), 24))
    made = await keeping.book(10)
    await on_payment_succeeded(house.app, paid(keeping, made))
    await house.begin(made.booking, minutes_ago=40)
    await visits.miss(house.app, house.organization, made.booking.id, actor=STAFF)
    return made


@pytest.mark.parametrize("step", [visits.arrive, visits.seat])
async def test_what_was_kept_of_a_guest_goes_back_once_when_they_come_after_all(
    house: House, step: Callable[..., Awaitable[Booking]]
) -> None:
    made = await missed(house)
    at = house.app, house.organization, made.booking.id
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingNoShow)
    assert event.fee.amount == 5000
    await step(*at, actor=STAFF)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingArrived | events_pb2.BookingSeated)
    assert (event.fee_waived.amount, event.fee_waived.currency) == (5000, "EUR")


async def test_who_was_missed_and_came_is_not_charged_when_missed_again(house: House) -> None:
    made = await missed(house)
    at = house.app, house.organization, made.booking.id
    steps = ((visits.arrive, "fee_waived"), (visits.miss, ""), (visits.arrive, ""), (visits.seat, ""))
    for step, fee in steps:
        await step(*at, actor=STAFF)
        event = (await outbox.published(house.app.db))[-1]
        fees = {field.name for field, _ in event.ListFields()} & {"fee", "fee_waived"}
        assert fees == ({fee} if fee else set())


async def test_who_comes_in_time_has_nothing_waived(house: House) -> None:
    made = await house.book(2)
    await house.begin(made.booking, minutes_ago=1)
    await visits.arrive(house.app, house.organization, made.booking.id, actor=STAFF)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingArrived)
    assert not event.HasField("fee_waived")


async def test_who_asked_has_the_mail_about_it_again(house: House) -> None:
    asking = await house.offer(Terms(requests=RequestRule(2)))
    asked = await asking.book(2)
    await links.resend_managed_booking(house.app, asked.manage_token)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingLinkRequested)
    assert event.booking.booking_id == ids.show("bkg", asked.booking.id)


async def test_an_exception_that_is_none_of_size_ties_nobody_to_a_table(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    small = await house.book(2)
    but_for_size = set(Rule) - {Rule.PARTY_SIZE}
    wish = replace(house.wish(2), override=Override.of(but_for_size, "A regular"))
    sits = await book(house, wish, member(house.organization))
    assert seated(house, sits) == {"Four"}
    await cancel(house, small)
    await house.book(4)
    assert await house.seats_of(sits.booking.id) == {"Two"}


async def at_noon(app: App, payments: Payments) -> tuple[House, int]:
    """A house whose clocks show noon, open by day, and its next start."""
    house = await open_house(app, payments, tables=TWO_AND_FOUR, joined=())
    ahead = 12 - datetime.now(UTC).hour
    zone = f"Etc/GMT{-ahead:+d}" if ahead else "UTC"
    await venues.update_venue(app, house.organization, house.ref, time_zone=zone)
    offering = await venues.add_offering(
        app,
        house.organization,
        house.ref,
        name="Lunch",
        turn_times=house.offering.turn_times,
        deposit=None,
        slot_minutes=15,
        min_notice_minutes=0,
        max_advance_days=90,
    )
    await venues.add_shift(
        app,
        house.organization,
        house.ref,
        offering_id=offering.id,
        weekdays=range(1, 8),
        opens="10:00",
        last_start="16:00",
        closes="18:00",
    )
    quarter = int((datetime.now(UTC) + SOON).timestamp()) // 900 + 1
    return replace(house, offering=offering), quarter * 900


async def full_for_four(house: House, start: int) -> Made:
    """Two are to come to Four, and Two is free again."""
    small = await house.book(2, start)
    sits = await house.book(2, start)
    assert (seated(house, small), seated(house, sits)) == ({"Two"}, {"Four"})
    await cancel(house, small)
    return sits


async def test_a_party_at_the_door_finds_the_room_that_others_make(app: App, payments: Payments) -> None:
    house, start = await at_noon(app, payments)
    sits = await full_for_four(house, start)
    with pytest.raises(SlotTaken):
        await walk_in(house, 4, "Four")
    seats = await walk_in(house, 4)
    assert await house.seats_of(seats.id) == {"Four"}
    assert await house.seats_of(sits.booking.id) == {"Two"}
    assert (await house.history(sits.booking.id))[-1] == ("reseated", "engine")
    assert (await house.told())[-2:] == ["Reseated", "Seated"]
    assert await house.double_bookings() == 0
    with pytest.raises(SlotTaken):
        await walk_in(house, 4)


async def test_nobody_makes_room_at_the_door_who_is_pinned_or_where_the_venue_does_not_want_it(
    app: App, payments: Payments
) -> None:
    house, start = await at_noon(app, payments)
    sits = await full_for_four(house, start)
    pin = app, house.organization, sits.booking.id
    await assignments.pin(*pin, pinned=True, actor=STAFF)
    with pytest.raises(SlotTaken):
        await walk_in(house, 4)
    await assignments.pin(*pin, pinned=False, actor=STAFF)
    await venues.update_venue(app, house.organization, house.ref, reseating=False)
    with pytest.raises(SlotTaken):
        await walk_in(house, 4)
    assert await house.seats_of(sits.booking.id) == {"Four"}


async def test_what_lies_before_a_party_at_the_door_is_in_nobodys_way(app: App, payments: Payments) -> None:
    """The buffer before a visit that begins now is over: whoever sits down has no need of it."""
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    await set_times(house, replace(house.offering, buffer_before_minutes=30))
    gone = await house.book(2)
    await house.begin(gone.booking, minutes_ago=100)
    assert (await walk_in(house, 2)).status is Status.SEATED
