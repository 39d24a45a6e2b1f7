"""Guests and staff at once, on three processes: whoever wins, nothing is sold twice or left half done."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform

from .arena import Arena, open_arena
from .conftest import new_owner
from .held_days import fight

MADE, DONE, TAKEN = (201, ""), (200, ""), (409, "SLOT_TAKEN")
EVENINGS = range(4)
"""Several, all at once: each is a fight of its own."""

_Open = Callable[..., Arena]


@pytest.fixture(scope="module")
def staff(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture
def arena(http: httpx.AsyncClient, staff: Owner, platform: Platform) -> _Open:
    """Opens a house with the given tables and combinations."""

    def opened(*tables: tuple[str, int, int], joined: Sequence[tuple[str, str, int, int]] = ()) -> Arena:
        return open_arena(http, staff, platform, tables=tables, joined=joined)

    return opened


async def test_stays_that_overlap_without_being_the_same_fight_for_the_table(arena: _Open) -> None:
    house = arena(("T1", 1, 2))
    await house.open_evening()
    starts = [house.at(19, minute) for minute in (0, 15, 30, 45)]
    assert await fight(house, [house.book(2, start) for start in starts * 10]) == {MADE: 1, TAKEN: 39}
    await house.assert_sound()


async def test_a_long_stay_and_those_within_it_fight_for_the_table(arena: _Open) -> None:
    house = arena(("T1", 1, 4))
    for days in EVENINGS:
        await house.open_evening(days=days)
        wishes = [(4, house.at(19, days=days)), (2, house.at(20, 15, days=days))] * 6
        assert await fight(house, [house.book(*wish) for wish in wishes]) == {MADE: 1, TAKEN: 11}
    await house.assert_sound()


async def test_two_combinations_with_one_table_in_common_never_share_it(arena: _Open) -> None:
    """Who comes as three needs B and C, who comes as four C and D."""
    house = arena(("B", 1, 2), ("C", 1, 2), ("D", 1, 2), joined=(("B", "C", 3, 3), ("C", "D", 4, 4)))
    for days in EVENINGS:
        await house.open_evening(days=days)
        wishes = [(3, house.at(19, days=days)), (4, house.at(19, 15, days=days))] * 6
        assert await fight(house, [house.book(*wish) for wish in wishes]) == {MADE: 1, TAKEN: 11}
    await house.assert_sound()


async def test_any_of_ten_tables_is_given_to_exactly_ten_of_a_hundred(arena: _Open) -> None:
    house = arena(*((f"T{number}", 1, 2) for number in range(10)))
    await house.open_evening()
    starts = [house.at(19, minute) for minute in (0, 15, 30, 45)]
    wishes = [house.book(2, start) for start in starts * 25]
    assert await fight(house, wishes) == {MADE: 10, TAKEN: 90}
    await house.assert_sound()


async def test_what_staff_drag_a_booking_to_is_not_sold_meanwhile(arena: _Open) -> None:
    house = arena(("T1", 1, 2), ("T2", 3, 4))
    for days in EVENINGS:
        start = house.at(days=days)
        small = (await house.booked(2, start))["id"]
        drag = house.act(small, "assign", resource_ids=[house.tables["T2"]], pinned=True)
        wishes = [house.book(4, house.at(19, 15, days=days)) for _ in range(5)]
        counted = await fight(house, [drag, *wishes] if days % 2 else [*wishes, drag])
        assert counted in ({DONE: 1, TAKEN: 5}, {TAKEN: 5, MADE: 1})
    await house.assert_sound()


async def test_who_is_pinned_while_others_want_the_table_stays_or_was_moved_before(arena: _Open) -> None:
    house = arena(("Two", 1, 2), ("Four", 1, 4))
    for days in EVENINGS:
        start = house.at(days=days)
        other, sits = (await house.booked(2, start))["id"], await house.booked(2, start)
        assert sits["resource_ids"] == [house.tables["Four"]]
        (await house.act(other, "cancel")).raise_for_status()
        pin, wishes = house.act(sits["id"], "pin"), [house.book(4, start) for _ in range(5)]
        counted = await fight(house, [pin, *wishes] if days % 2 else [*wishes, pin])
        now = await house.see(sits["id"])
        moved = now["resource_ids"] == [house.tables["Two"]]
        history = (await house.staff("GET", f"bookings/{sits['id']}/history")).json()["items"]
        assert [each["kind"] for each in history] == ["confirmed", *["reseated"] * moved, "pinned"]
        assert counted == Counter({DONE: 1, MADE: int(moved), TAKEN: 5 - moved}) + Counter()
    await house.assert_sound()


async def test_a_booking_that_moves_and_others_that_are_made_fight_for_the_table(arena: _Open) -> None:
    house = arena(("T1", 1, 2))
    for days in EVENINGS:
        early, late = house.at(18, days=days), house.at(21, days=days)
        booked = await house.booked(2, early)
        move = house.act(booked["id"], "move", start=late)
        wishes = [house.book(2, late) for _ in range(5)]
        counted = await fight(house, [move, *wishes] if days % 2 else [*wishes, move])
        assert counted in ({DONE: 1, TAKEN: 5}, {TAKEN: 5, MADE: 1})
        where = (await house.see(booked["id"]))["start"]
        assert where == (late if DONE in counted else early)
    await house.assert_sound()


async def test_swaps_of_the_same_bookings_in_every_order_do_not_block_each_other(arena: _Open) -> None:
    house = arena(*((f"T{number}", 1, 2) for number in range(4)))
    starts = [house.at(days=days) for days in (0, 0, 1, 1)]
    made = [(await house.booked(2, start))["id"] for start in starts]
    swaps = [house.act(one, "swap", other_booking_id=other) for one, other in permutations(made, 2)]
    counted = await fight(house, swaps)
    assert counted[DONE] > 0
    assert counted.keys() <= {DONE, TAKEN}  # never BUSY, which a deadlock would be
    await house.assert_sound()
