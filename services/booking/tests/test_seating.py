"""Seating on a real database: which tables a party is given, and which start it is shown."""

from dataclasses import replace

import pytest

from booking.app import App
from booking.domain.floor import Channel
from booking.domain.offerings import Filling
from booking.domain.refusals import NoTableAsAsked, NoTableForParty, Refusal, SlotPaced, SlotTaken
from booking.domain.turns import TurnTime
from booking.domain.venues import (
    Adjacency,
)
from booking.usecases import (
    floor,
    pacing,
    venues,
)
from booking.usecases.floor import Joining
from booking.usecases.pacing import Limits
from testkit.callers import member
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house
from .rooms import HALF_HOUR, book, change_visit, furnish, search, seated


async def test_a_single_table_is_taken_before_two_that_are_joined(app: App, payments: Payments) -> None:
    house = await open_house(
        app, payments, tables=(("A", 5, 6), ("B", 1, 3), ("C", 1, 3)), joined=(("B", "C", 4, 6),)
    )
    assert seated(house, await house.book(6)) == {"A"}
    assert seated(house, await house.book(6)) == {"B", "C"}


async def test_priority_decides_between_tables_of_one_size(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("A", 1, 2), ("B", 1, 2), ("C", 1, 4)), joined=())
    await furnish(house, "A", priority=5)
    assert [seated(house, await house.book(2)) for _ in range(3)] == [{"B"}, {"A"}, {"C"}]


async def test_neighbours_in_a_row_are_joined_as_far_as_it_takes(app: App, payments: Payments) -> None:
    tables = tuple((name, 1, 2) for name in ("T3", "T4", "T5", "T6"))
    house = await open_house(app, payments, tables=tables, joined=())
    house = await change_visit(house, turn_times=(TurnTime(20, 90),))
    await venues.add_combination(
        app,
        house.organization,
        house.ref,
        name="Window row",
        resource_ids=[house.tables[name].id for name in ("T3", "T4", "T5", "T6")],
        min_party=0,
        max_party=0,
        adjacency=Adjacency(max_joined=3, seats_lost_per_joint=0),
    )
    assert set((await search(house, 7)).values()) == {Refusal.NO_TABLE_FOR_PARTY}
    six = await house.book(6)
    assert seated(house, six) == {"T3", "T4", "T5"}
    assert seated(house, await house.book(1)) == {"T6"}
    (listed,) = (await venues.list_combinations(app, house.organization, house.ref, WHOLE))[0]
    assert listed.adjacency == Adjacency(3, 0, 0)
    assert listed.resource_ids == tuple(house.tables[name].id for name in ("T3", "T4", "T5", "T6"))


async def test_neighbours_are_not_joined_over_a_table_that_is_out_of_service(house: House) -> None:
    row = Joining("Row", [house.tables[name].id for name in ("T1", "T2", "T3")], 0, 0, Adjacency(3))
    changed = await floor.update_combination(
        house.app, house.organization, house.ref, house.combinations["T3+T4"].id, row
    )
    assert not changed.stranded
    assert (await search(house, 5))[0] is None
    await furnish(house, "T2", in_service=False)
    await furnish(house, "T4", in_service=False)
    assert (await search(house, 5))[0] is Refusal.NO_TABLE_FOR_PARTY


async def test_a_guest_gets_what_they_require_or_nothing(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2), ("T3", 1, 4)), joined=())
    terrace = await venues.add_area(app, house.organization, house.ref, name="Terrace")
    await furnish(house, "T3", area_id=terrace.id, attributes=["accessible"])
    assert set((await search(house, 2, attributes=["window"])).values()) == {Refusal.NO_TABLE_AS_ASKED}
    assert set((await search(house, 5, attributes=["window"])).values()) == {Refusal.NO_TABLE_FOR_PARTY}
    with pytest.raises(NoTableAsAsked):
        await book(house, replace(house.wish(2), attributes=frozenset({"window"})))
    with pytest.raises(NoTableForParty):
        await book(house, replace(house.wish(5), attributes=frozenset({"window"})))
    outside = replace(house.wish(2), area_id=terrace.id)
    accessible = replace(house.wish(2), attributes=frozenset({"accessible"}))
    made = await book(house, accessible)
    assert seated(house, made) == {"T3"}
    assert made.booking.attributes == {"accessible"}
    assert (await house.read(made.booking.id)).attributes == {"accessible"}
    with pytest.raises(SlotTaken):
        await book(house, outside)
    assert seated(house, await house.book(2)) == {"T1"}


async def test_some_tables_are_for_staff_and_guests_leave_few_seats_empty(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 4), ("T2", 1, 8)), joined=())
    await furnish(house, "T1", online=False)
    house = await change_visit(house, filling=Filling(max_empty_seats=2))
    by_staff = member(house.organization, "owner")
    assert set((await search(house, 2)).values()) == {Refusal.NO_TABLE_FOR_PARTY}
    assert (await search(house, 2, caller=by_staff))[0] is None
    assert (await search(house, 6))[0] is None
    with pytest.raises(NoTableForParty):
        await house.book(2)
    first, second = [await house.book(2, caller=by_staff) for _ in range(2)]
    assert [seated(house, each) for each in (first, second)] == [{"T1"}, {"T2"}]
    assert first.booking.channel is Channel.STAFF


async def test_the_last_seats_are_filled_with_small_parties(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 8),), joined=())
    house = await change_visit(house, filling=Filling(1, last_fill_minutes=14 * 1440))
    assert (await search(house, 2))[0] is None
    house = await change_visit(house, filling=Filling(1, last_fill_minutes=60))
    assert (await search(house, 2))[0] is Refusal.FULLY_BOOKED
    house = await change_visit(house, filling=Filling(1))
    assert (await search(house, 2))[0] is Refusal.NO_TABLE_FOR_PARTY


async def test_a_shown_start_that_is_booked_at_once_is_had(app: App, payments: Payments) -> None:
    house = await open_house(
        app,
        payments,
        tables=(("A", 1, 2), ("B", 1, 2), ("C", 1, 4), ("D", 3, 6)),
        joined=(("A", "B", 3, 4), ("B", "C", 5, 6)),
    )
    await pacing.create_rule(app, house.organization, house.ref, Limits(None, 60, 12, None, None, None))
    for party in (2, 4, 2, 5, 1, 3, 2, 6, 4, 2, 2, 3):
        shown = [
            house.start() + number * HALF_HOUR
            for number, refusal in (await search(house, party)).items()
            if refusal is None
        ]
        if not shown:
            with pytest.raises((SlotTaken, SlotPaced)):
                await house.book(party)
            continue
        await house.book(party, shown[party % len(shown)])
    assert await house.double_bookings() == 0
