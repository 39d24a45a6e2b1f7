"""Visits on a real database: how long they are, what they consist of, and what they need."""

from dataclasses import replace
from datetime import timedelta

import pytest

from booking.app import App
from booking.domain.operations import Need, Operation
from booking.domain.refusals import NoTableForParty, Refusal, SlotTaken
from booking.domain.texts import Inconsistent
from booking.domain.turns import Turns, TurnTime, TurnTimesNotRising, WeekdayTurns
from booking.domain.venues import (
    ResourceKind,
)
from booking.usecases import (
    blocks,
    changes,
    stranded,
    venues,
)
from booking.usecases.blocks import Blocking
from booking.usecases.changes import Move
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house
from .rooms import STAFF, add, change_visit, occupied_by, search, set_times


async def test_a_weekday_has_turn_times_of_its_own(house: House) -> None:
    weekday = house.day().isoweekday()
    short = WeekdayTurns((weekday,), (TurnTime(2, 45),))
    house = await change_visit(house, weekday_turns=(short,))
    booking = (await house.book(2)).booking
    assert booking.end - booking.start == timedelta(minutes=45)
    with pytest.raises(NoTableForParty):
        await house.book(4)
    later = (await house.book(4, house.start(days=8))).booking
    assert later.end - later.start == timedelta(minutes=120)


async def test_buffers_keep_two_visits_apart_by_both(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    offering = replace(house.offering, buffer_before_minutes=15, buffer_after_minutes=15)
    await set_times(house, offering)
    made = await house.book(2, house.start(19, 0))
    assert await occupied_by(house, made.booking.id) == [("T1", -15, 105)]
    assert made.booking.end - made.booking.start == timedelta(minutes=90)
    with pytest.raises(SlotTaken):
        await house.book(2, house.start(20, 45))
    await house.book(2, house.start(21, 0))


@pytest.fixture
async def garage(app: App, payments: Payments) -> House:
    """Two lifts and two mechanics, of whom one can do gearboxes. A visit: repair, then a test drive."""
    house = await open_house(app, payments, tables=(("Waiting room", 1, 8),), joined=())
    for name in ("Lift 1", "Lift 2"):
        await add(house, name, ResourceKind.BAY, "lift")
    await add(house, "Anna", ResourceKind.PERSON, "gearbox")
    await add(house, "Bert", ResourceKind.PERSON)
    lift = Need(kind=ResourceKind.BAY, attributes=frozenset({"lift"}))
    mechanic = Need(kind=ResourceKind.PERSON, attributes=frozenset({"gearbox"}), role="mechanic")
    drive = Need(kind=ResourceKind.PERSON, role="mechanic")
    return await change_visit(
        house,
        operations=(
            Operation("Repair", (lift, mechanic), Turns((TurnTime(8, 60),))),
            Operation("Test drive", (drive,), Turns((TurnTime(8, 30),))),
        ),
    )


async def test_a_visit_of_two_operations_has_lift_and_mechanic_as_long_as_each_is_needed(
    garage: House,
) -> None:
    made = await garage.book(1)
    assert await occupied_by(garage, made.booking.id) == [("Anna", 0, 90), ("Lift 1", 0, 60)]
    assert made.booking.end - made.booking.start == timedelta(minutes=90)
    found = await search(garage, 1)
    assert [found[number] for number in range(4)] == [*[Refusal.FULLY_BOOKED] * 3, None]
    with pytest.raises(SlotTaken):
        await garage.book(1, garage.start(20))
    other = await garage.book(1, garage.start(20, 30))
    assert await occupied_by(garage, other.booking.id) == [("Anna", 90, 180), ("Lift 1", 90, 150)]
    moved = await changes.move_booking(
        garage.app, garage.organization, other.booking.id, Move(garage.start(21)), actor=STAFF
    )
    assert await occupied_by(garage, moved.id) == [("Anna", 120, 210), ("Lift 1", 120, 180)]


async def test_two_mechanics_at_once_are_two_people(garage: House) -> None:
    both = Operation(
        "Engine swap",
        (Need(kind=ResourceKind.PERSON, attributes=frozenset({"gearbox"})), Need(kind=ResourceKind.PERSON)),
    )
    house = await change_visit(garage, operations=(both,))
    made = await house.book(1)
    assert [name for name, *_ in await occupied_by(house, made.booking.id)] == ["Anna", "Bert"]
    three = replace(both, needs=(Need(kind=ResourceKind.PERSON, quantity=3),))
    house = await change_visit(garage, operations=(three,))
    assert set((await search(house, 1)).values()) == {Refusal.NO_TABLE_FOR_PARTY}


async def test_what_contradicts_itself_is_refused(house: House) -> None:
    need = Need(role="same")
    for operations in (
        (Operation("Nothing", ()),),
        (Operation("One", (need,)), Operation("Two", (replace(need, quantity=2),))),
    ):
        with pytest.raises(Inconsistent):
            await change_visit(house, operations=operations)
    with pytest.raises(TurnTimesNotRising):
        await change_visit(house, turn_times=(TurnTime(4, 60), TurnTime(4, 90)))
    with pytest.raises(Inconsistent):
        await change_visit(house, weekday_turns=(WeekdayTurns((1,), house.offering.turn_times),) * 2)
    twice = (Operation("Half a day and more", (Need(),), Turns((TurnTime(9, 721),))),) * 2
    with pytest.raises(Inconsistent):
        await change_visit(house, operations=twice)


async def test_a_block_strands_only_whom_it_takes_something_from_while_they_have_it(garage: House) -> None:
    """The lift is free again when the test drive begins."""
    made = (await garage.book(1)).booking
    named = {
        each.name: each.id
        for each in (await venues.list_resources(garage.app, garage.organization, garage.ref, WHOLE))[0]
    }
    for hours, way in (((20, 21), []), ((19, 21), [made.id])):
        start, end = (garage.start(hour) for hour in hours)
        blocking = Blocking((named["Lift 1"],), None, start, end, "", strand=True)
        blocked = await blocks.create_block(
            garage.app, garage.organization, garage.ref, blocking, actor=STAFF
        )
        _, found, _ = await stranded.list_stranded(
            garage.app, garage.organization, garage.ref, garage.day(), garage.day(), page=WHOLE
        )
        assert list(blocked.stranded) == way
        assert [each.commitment.booking_id for each in found] == way


async def test_a_block_in_the_buffer_of_a_visit_strands_it(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    await set_times(house, replace(house.offering, buffer_after_minutes=30))
    made = (await house.book(2)).booking
    blocking = Blocking((), None, house.start(20, 45), house.start(21), "", strand=True)
    blocked = await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=STAFF)
    _, found, _ = await stranded.list_stranded(
        house.app, house.organization, house.ref, house.day(), house.day(), page=WHOLE
    )
    assert list(blocked.stranded) == [each.commitment.booking_id for each in found] == [made.id]
