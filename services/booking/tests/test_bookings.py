"""Making bookings on a real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import BookingNotFound, Status
from booking.domain.offerings import (
    OfferingNotFound,
)
from booking.domain.refusals import (
    NoTableForParty,
    Refusal,
    SlotClosed,
    SlotTaken,
    SlotTooFarAhead,
    SlotTooSoon,
)
from booking.domain.venues import (
    ResourceKind,
    VenueNotFound,
    VenueRef,
)
from booking.tables import BOOKINGS, GUESTS
from booking.usecases import bookings, venues
from booking.usecases.availability import search_availability
from comptoir.booking.v1 import events_pb2
from servicekit import ids, paging
from servicekit.errors import AppError, IdempotencyKeyReused, Unavailable
from testkit import outbox
from testkit import timers as scheduled_timers
from testkit.callers import member

from .conftest import House, Payments, open_house


async def test_two_people_are_confirmed_at_once(house: House) -> None:
    made = await house.book(2)
    assert made.booking.status is Status.CONFIRMED
    assert made.booking.resource_ids == (house.tables["T1"].id,)
    assert made.payment is None
    assert made.booking.end - made.booking.start == timedelta(minutes=90)
    assert await bookings.get_booking(house.app, house.organization, made.booking.id) == made.booking
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingConfirmed)
    assert event.booking.booking_id == ids.show("bkg", made.booking.id)
    assert event.booking.start.epoch_seconds == house.start()
    assert await house.history(made.booking.id) == [("confirmed", "guest")]
    (timer,) = await scheduled_timers.scheduled(house.app.db, "no_show")
    assert (timer.kind, timer.due_at) == ("no_show", made.booking.start + timedelta(minutes=30))


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
    (timer,) = await scheduled_timers.scheduled(house.app.db, "hold_expiry")
    assert timer.kind == "hold_expiry"
    assert timer.due_at == made.booking.hold_expires_at + timedelta(seconds=2)


async def test_holds_follow_the_clock_of_the_database(house: House) -> None:
    made = await house.book(7)
    async with house.app.db.begin(house.organization) as tx:
        assert timedelta() <= tx.now - made.booking.created_at < timedelta(seconds=5)


async def test_a_member_who_books_stands_in_the_history(house: House) -> None:
    own = await house.book(caller=member(house.organization))
    foreign = await house.book(caller=member(ids.new()))
    assert await house.history(own.booking.id) == [("confirmed", "member")]
    assert await house.history(foreign.booking.id) == [("confirmed", "guest")]


async def test_a_search_tells_what_is_free_and_why_the_rest_is_not(house: House) -> None:
    await house.book(4, house.start(20))
    await house.book(4, house.start(20))
    found = await search_availability(house.app, house.ref, house.day(), party_size=4, offering_id=None)
    assert [slot.refusal for slot in found.slots] == [Refusal.FULLY_BOOKED] * 12 + [None]
    assert datetime.fromtimestamp(found.slots[-1].start, found.zone).hour == 22


async def test_every_start_that_is_shown_can_be_booked_and_no_other(house: House) -> None:
    await house.book(2, house.start(20))
    await house.book(2, house.start(20, 30))
    found = await search_availability(house.app, house.ref, house.day(), party_size=6, offering_id=None)
    for slot in found.slots:
        fresh = await search_availability(
            house.app, house.ref, house.day(), party_size=6, offering_id=house.offering.id
        )
        shown = next(each for each in fresh.slots if each.start == slot.start)
        if shown.refusal is None:
            await house.book(6, slot.start)
        else:
            with pytest.raises(SlotTaken):
                await house.book(6, slot.start)


async def test_an_expired_hold_is_free_at_once_and_whoever_comes_writes_it_down(house: House) -> None:
    held = await house.book(6)
    with pytest.raises(SlotTaken):
        await house.book(6)
    await house.run_out(held)
    found = await search_availability(house.app, house.ref, house.day(), party_size=6, offering_id=None)
    assert found.slots[0].refusal is None
    seen = await bookings.get_booking(house.app, house.organization, held.booking.id)
    assert (seen.status, seen.version) == (Status.EXPIRED, 1)
    assert (await house.book(6)).booking.resource_ids == held.booking.resource_ids
    seen = await bookings.get_booking(house.app, house.organization, held.booking.id)
    assert (seen.status, seen.version) == (Status.EXPIRED, 2)
    assert await house.history(held.booking.id) == [("held", "guest"), ("expired", "clock")]
    kinds = [type(event) for event in await outbox.published(house.app.db)][-3:]
    assert kinds == [events_pb2.BookingHeld, events_pb2.BookingExpired, events_pb2.BookingHeld]
    assert len(await scheduled_timers.scheduled(house.app.db, "hold_expiry")) == 2


@pytest.mark.parametrize(
    ("party", "when", "refusal"),
    [
        (2, {"hour": 18}, SlotClosed),
        (2, {"hour": 19, "minute": 7}, SlotClosed),
        (2, {"hour": 22, "minute": 15}, SlotClosed),
        (2, {"days": -1}, SlotTooSoon),
        (2, {"days": -1, "hour": 3}, SlotTooSoon),
        (2, {"days": 91}, SlotTooFarAhead),
        (11, {}, NoTableForParty),
        (1000, {}, NoTableForParty),
    ],
)
async def test_a_start_that_cannot_be_booked_has_its_own_reason(
    house: House, party: int, when: dict[str, int], refusal: type[AppError]
) -> None:
    with pytest.raises(refusal):
        await house.book(party, house.start(**when))
    assert await house.occupied() == []


@pytest.mark.parametrize(
    ("start", "refusal"), [(0, SlotTooSoon), (31_536_000, SlotTooSoon), (253_402_300_799, SlotTooFarAhead)]
)
async def test_the_ends_of_time_are_refused(house: House, start: int, refusal: type[AppError]) -> None:
    with pytest.raises(refusal):
        await house.book(2, start)


async def test_unknown_venues_and_offerings_are_not_found(house: House) -> None:
    unknown = replace(house, venue_id=ids.new())
    with pytest.raises(VenueNotFound):
        await unknown.book()
    with pytest.raises(OfferingNotFound):
        await replace(house, offering=replace(house.offering, id=ids.new())).book()
    with pytest.raises(VenueNotFound):
        await search_availability(
            house.app, VenueRef.by_slug("nowhere"), house.day(), party_size=2, offering_id=None
        )


async def test_the_same_key_answers_the_same_booking_even_when_the_house_is_full(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    first = await house.book(key="one")
    again = await house.book(key="one")
    assert again.booking == first.booking
    assert again.manage_token != first.manage_token
    with pytest.raises(IdempotencyKeyReused):
        await house.book(1, key="one")
    with pytest.raises(SlotTaken):
        await house.book(key="two")


async def test_when_payment_is_down_the_hold_stays_and_a_retry_finds_it(
    house: House, payments: Payments
) -> None:
    payments.down = True
    with pytest.raises(Unavailable):
        await house.book(6, key="six")
    payments.down = False
    made = await house.book(6, key="six")
    assert made.payment is not None
    assert payments.asked == [ids.show("bkg", made.booking.id)]
    assert len(await house.occupied()) == 1


async def test_a_retry_after_the_hold_ran_out_asks_for_no_money(house: House, payments: Payments) -> None:
    await house.run_out(await house.book(6, key="six"))
    again = await house.book(6, key="six")
    assert (again.booking.status, again.payment, len(payments.asked)) == (Status.EXPIRED, None, 1)


async def test_a_table_added_a_moment_ago_can_be_booked_by_every_process(house: House) -> None:
    other_process = replace(house.app, plans=type(house.app.plans)())
    with pytest.raises(NoTableForParty):
        await house.book(12, app=other_process)
    single = await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name="T9",
        kind=ResourceKind.ROOM,
        min_party=1,
        max_party=1,
        area_id=None,
    )
    made = await house.book(1, app=other_process)
    assert made.booking.resource_ids == (single.id,)


async def test_an_offering_added_a_moment_ago_is_no_stranger_to_a_process_with_an_older_plan(
    house: House,
) -> None:
    await house.book()
    lunch = await venues.add_offering(
        house.app,
        house.organization,
        house.ref,
        name="Lunch",
        turn_times=house.offering.turn_times,
        deposit=None,
        slot_minutes=30,
        min_notice_minutes=0,
        max_advance_days=30,
    )
    await venues.add_shift(
        house.app,
        house.organization,
        house.ref,
        offering_id=lunch.id,
        weekdays=range(1, 8),
        opens="12:00",
        last_start="13:30",
        closes="15:00",
    )
    made = await replace(house, offering=lunch).book(7, house.start(12))
    assert (made.booking.status, made.booking.deposit) == (Status.CONFIRMED, None)


async def test_a_start_after_midnight_belongs_to_the_evening_before(app: App, payments: Payments) -> None:
    house = await open_house(app, payments)
    night = await venues.add_offering(
        app,
        house.organization,
        house.ref,
        name="Night",
        turn_times=house.offering.turn_times,
        deposit=None,
        slot_minutes=30,
        min_notice_minutes=0,
        max_advance_days=30,
    )
    await venues.add_shift(
        app,
        house.organization,
        house.ref,
        offering_id=night.id,
        weekdays=range(1, 8),
        opens="23:00",
        last_start="01:30",
        closes="02:00",
    )
    made = await replace(house, offering=night).book(2, house.start(1, days=8))
    assert made.booking.service_date == house.day(7)
    evening = await bookings.list_bookings(
        app, house.organization, house.ref, day=house.day(7), page=paging.page(0, "", keys=2)
    )
    assert [each.id for each in evening[0]] == [made.booking.id]


async def test_a_service_day_is_listed_by_start_page_by_page(house: House) -> None:
    starts = [house.start(hour) for hour in (21, 19, 20, 19)]
    for start in starts:
        await house.book(2, start)
    await house.book(2, house.start(days=8))
    listed: list[int] = []
    token = ""
    for _ in range(4):
        page = paging.page(1, token, keys=2)
        found, token = await bookings.list_bookings(
            house.app, house.organization, house.ref, day=house.day(), page=page
        )
        listed += [int(each.start.timestamp()) for each in found]
    assert listed == sorted(starts)
    assert token == ""


async def test_what_a_guest_typed_in_stands_in_one_row_and_in_no_event(house: House) -> None:
    made = await house.book()
    assert made.booking.guest.email == "claire@example.org"
    assert made.booking.notes == "By the window\nif possible"
    async with house.app.db.begin(house.organization) as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(GUESTS))).scalar_one() == 1
    for event in await outbox.published(house.app.db):
        assert b"Claire" not in event.SerializeToString()
        assert b"claire@example.org" not in event.SerializeToString()
        assert made.manage_token.encode() not in event.SerializeToString()


async def test_another_tenants_booking_is_no_booking(house: House) -> None:
    made = await house.book()
    for organization, booking_id in ((ids.new(), made.booking.id), (house.organization, ids.new())):
        with pytest.raises(BookingNotFound):
            await bookings.get_booking(house.app, organization, booking_id)


async def test_a_booking_that_began_in_the_past_is_still_read(house: House) -> None:
    made = await house.book()
    begun = datetime.now(UTC) - timedelta(hours=1)
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(BOOKINGS).values(start_at=begun))
    seen = await bookings.get_booking(house.app, house.organization, made.booking.id)
    assert seen.status is Status.CONFIRMED
