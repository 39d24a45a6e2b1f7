"""Parties at the door: now, whatever the hours say, but never where somebody sits or comes soon."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, Booking, Guest, Status, Wish
from booking.domain.offerings import OfferingNotFound
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import NoTableForParty, SlotTaken
from booking.domain.venues import ResourceNotFound, VenueNotFound
from booking.usecases import visits, walk_ins
from booking.usecases.walk_ins import WalkIn
from comptoir.booking.v1 import events_pb2
from servicekit import idempotency, ids
from testkit import outbox, timers

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())


async def walk_in(house: House, party: int = 2, *names: str, minutes: int = 0, **wish: Any) -> Booking:
    said = Wish.of(
        wish.pop("guest", Guest.drop_in(ids.new())),
        **{
            "offering_id": house.offering.id,
            "start": 0,
            "party_size": party,
            "notes": "",
            "override": None,
            **wish,
        },
    )
    chosen = tuple(house.tables[name].id for name in names)
    return await walk_ins.seat_walk_in(
        house.app, house.organization, house.ref, WalkIn(said, chosen, minutes), actor=STAFF
    )


async def test_a_party_sits_down_now(house: House) -> None:
    made = await walk_in(house)
    assert (made.status, made.guest.name, made.guest.email, made.deposit) == (Status.SEATED, "", "", None)
    assert abs(made.start - datetime.now(UTC)) < timedelta(seconds=10)
    assert made.end - made.start == timedelta(minutes=90)
    assert made.visit.seated_at is not None
    assert await house.read(made.id) == made
    assert await house.seats_of(made.id) == {"T1"}
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingSeated)
    assert event.walk_in
    assert await house.history(made.id) == [("seated", "member")]
    assert await timers.scheduled(house.app.db, "no_show") == []
    assert await timers.scheduled(house.app.db, "hold_expiry") == []
    await visits.complete(house.app, house.organization, made.id, actor=STAFF)
    assert await house.occupied() == []


async def test_a_large_party_at_the_door_pays_no_deposit(house: House) -> None:
    made = await walk_in(house, 7)
    assert (made.status, made.deposit) == (Status.SEATED, None)
    assert await house.seats_of(made.id) == {"T3", "T4"}


async def test_staff_choose_the_table_and_for_how_long(house: House) -> None:
    made = await walk_in(house, 2, "T4", minutes=45)
    assert await house.seats_of(made.id) == {"T4"}
    assert made.end - made.start == timedelta(minutes=45)


async def test_whoever_comes_soon_keeps_the_table(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    await house.begin((await house.book(2)).booking, minutes_ago=-60)
    with pytest.raises(SlotTaken):
        await walk_in(house)
    assert (await walk_in(house, minutes=50)).status is Status.SEATED
    with pytest.raises(SlotTaken):
        await walk_in(house, minutes=10)


@pytest.mark.parametrize("minutes_ago", [-45, 100], ids=["before their time", "after it"])
async def test_nobody_is_sent_to_where_somebody_sits(app: App, payments: Payments, minutes_ago: int) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    sitting = (await house.book(2)).booking
    await house.begin(sitting)
    await visits.seat(house.app, house.organization, sitting.id, actor=STAFF)
    await house.begin(sitting, minutes_ago=minutes_ago)
    assert await house.seats_of(sitting.id) == {"T1"}
    assert await house.seats_of((await walk_in(house, minutes=20)).id) == {"T2"}
    with pytest.raises(SlotTaken):
        await walk_in(house, minutes=20)
    chosen = await walk_in(house, 2, "T1", minutes=20)
    assert await house.seats_of(chosen.id) == {"T1"}


@pytest.mark.parametrize("minutes_ago", [-60, 95], ids=["before their time", "after it"])
async def test_nobody_is_moved_to_where_somebody_sits(app: App, payments: Payments, minutes_ago: int) -> None:
    """T2 is free until the next guest comes, who could have the other table, if nobody were there."""
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    sitting, next_one = (await house.book(2)).booking, (await house.book(2)).booking
    await house.begin(sitting)
    await visits.seat(house.app, house.organization, sitting.id, actor=STAFF)
    await house.begin(sitting, minutes_ago=minutes_ago)
    await house.begin(next_one, minutes_ago=-10)
    with pytest.raises(SlotTaken):
        await walk_in(house, minutes=30)
    assert await house.seats_of(next_one.id) == {"T2"}


async def test_who_was_to_leave_hours_ago_has_left(app: App, payments: Payments) -> None:
    """Whether anybody said so or not."""
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    forgotten = (await house.book(2)).booking
    await house.begin(forgotten)
    await visits.seat(house.app, house.organization, forgotten.id, actor=STAFF)
    await house.begin(forgotten, minutes_ago=90 + 121)
    assert await house.seats_of((await walk_in(house)).id) == {"T1"}


async def test_who_was_missed_comes_back_to_a_table_where_nobody_sits(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2), ("T3", 1, 2)), joined=())
    stays, missed = (await house.book(2)).booking, (await house.book(2)).booking
    await house.begin(stays)
    await visits.seat(house.app, house.organization, stays.id, actor=STAFF)
    await house.begin(stays, minutes_ago=100)
    await house.begin(missed, minutes_ago=35)
    await visits.miss(house.app, house.organization, missed.id, actor=STAFF)
    await walk_in(house, 2, "T2", minutes=20)
    await visits.seat(house.app, house.organization, missed.id, actor=STAFF)
    assert await house.seats_of(missed.id) == {"T3"}


async def test_what_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NoTableForParty):
        await walk_in(house, 11)
    with pytest.raises(NoTableForParty):
        await walk_in(house, 5, "T1")
    squeezed = Override.of([Rule.PARTY_SIZE], "Regulars")
    assert await house.seats_of((await walk_in(house, 5, "T1", override=squeezed)).id) == {"T1"}
    with pytest.raises(OfferingNotFound):
        await walk_in(house, offering_id=ids.new())
    stranger = Wish.of(
        Guest.drop_in(ids.new()), offering_id=house.offering.id, start=0, party_size=2, notes=""
    )
    with pytest.raises(VenueNotFound):
        await walk_ins.seat_walk_in(house.app, ids.new(), house.ref, WalkIn(stranger), actor=STAFF)
    with pytest.raises(ResourceNotFound):
        await walk_ins.seat_walk_in(
            house.app, house.organization, house.ref, WalkIn(stranger, (ids.new(),)), actor=STAFF
        )


async def test_a_repeated_key_seats_once(house: House) -> None:
    idempotency.bind(idempotency.Key("one", b"same"))
    first, again = await walk_in(house), await walk_in(house)
    idempotency.bind(None)
    assert again.id == first.id
    assert len(await house.occupied()) == 1


async def test_two_hosts_seat_two_parties_at_one_table_at_once_and_one_of_them_does(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    answers = await asyncio.gather(*(walk_in(house) for _ in range(6)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in answers) == ["Booking"] + ["SlotTaken"] * 5
    assert await house.double_bookings() == 0
