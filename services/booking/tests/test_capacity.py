"""Capacity on a real database: what is offered, chosen and stranded as resources, visits and rules change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, CancelledBy, Wish
from booking.domain.floor import Channel
from booking.domain.offerings import Filling, Offering
from booking.domain.operations import Need, Operation
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import NoTableForParty, Refusal, SlotPaced, SlotTaken
from booking.domain.turns import Turns, TurnTime, WeekdayTurns
from booking.domain.venues import (
    Adjacency,
    CombinationNotFound,
    Resource,
    ResourceInUse,
    ResourceKind,
    ResourceNotFound,
)
from booking.tables import ALLOCATIONS
from booking.usecases import (
    assignments,
    availability,
    blocks,
    bookings,
    changes,
    floor,
    hours,
    pacing,
    venues,
    walk_ins,
)
from booking.usecases.blocks import Blocking
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from booking.usecases.floor import Furnishing, Joining, VisitChange
from booking.usecases.pacing import Limits
from booking.usecases.walk_ins import WalkIn
from servicekit import ids
from servicekit.errors import InvalidRequest
from servicekit.identity import Caller
from testkit.callers import anonymous, member

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())
HALF_HOUR = 1800


async def search(house: House, party_size: int, **how: Any) -> dict[int, Refusal | None]:
    """What becomes of each start, in half hours after 19:00."""
    found = await availability.search_availability(
        house.app, house.ref, house.day(), party_size=party_size, offering_id=house.offering.id, **how
    )
    return {(slot.start - house.start()) // HALF_HOUR: slot.refusal for slot in found.slots}


async def book(house: House, wish: Wish, caller: Caller | None = None) -> Made:
    return await bookings.create_booking(house.app, house.ref, wish, caller=caller or anonymous())


async def furnish(house: House, name: str, **changes: Any) -> Sequence[UUID]:
    """Changes a table; answers the bookings that are stranded."""
    table = house.tables[name]
    furnishing = Furnishing(
        name=table.name,
        min_party=table.min_party,
        max_party=table.max_party,
        area_id=table.area_id,
        attributes=sorted(table.attributes),
        priority=table.priority,
        online=table.online,
        in_service=table.in_service,
    )
    changed = await floor.update_resource(
        house.app, house.organization, house.ref, table.id, replace(furnishing, **changes)
    )
    return changed.stranded


def visit(offering: Offering, **changes: Any) -> VisitChange:
    """What a visit consists of now, with some of it changed."""
    change = VisitChange(offering.turn_times, offering.weekday_turns, offering.operations, offering.filling)
    return replace(change, **changes)


async def change_visit(house: House, **changes: Any) -> House:
    changed = await floor.update_visit(
        house.app, house.organization, house.ref, house.offering.id, visit(house.offering, **changes)
    )
    return replace(house, offering=changed.made)


async def add(house: House, name: str, kind: ResourceKind, *attributes: str) -> Resource:
    return await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name=name,
        kind=kind,
        min_party=1,
        max_party=1,
        area_id=None,
        attributes=attributes,
    )


async def occupied_by(house: House, booking_id: UUID) -> list[tuple[str, int, int]]:
    """Who does what when for a booking, in minutes after 19:00."""
    query = sa.select(ALLOCATIONS).where(ALLOCATIONS.c.booking_id == booking_id)
    listed = await venues.list_resources(house.app, house.organization, house.ref)
    names = {each.id: each.name for each in listed}
    async with house.app.db.begin(house.organization) as tx:
        rows = (await tx.execute(query)).all()
    return sorted(
        (
            names[row.resource_id],
            (int(row.start_at.timestamp()) - house.start()) // 60,
            (int(row.end_at.timestamp()) - house.start()) // 60,
        )
        for row in rows
    )


def seated(house: House, made: Made) -> set[str]:
    return {name for name, table in house.tables.items() if table.id in made.booking.resource_ids}


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
    (listed,) = await venues.list_combinations(app, house.organization, house.ref)
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
    assert set((await search(house, 2, attributes=["window"])).values()) == {Refusal.NO_TABLE_FOR_PARTY}
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


async def set_times(house: House, offering: Offering) -> None:
    await hours.update_times(
        house.app,
        house.organization,
        house.ref,
        offering.id,
        hours.Times(
            offering.slot_minutes,
            offering.min_notice_minutes,
            offering.max_advance_days,
            offering.buffer_before_minutes,
            offering.buffer_after_minutes,
            None,
            None,
        ),
    )


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


async def test_pacing_counts_starts_and_a_quota_online_is_part_of_the_total(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 5) for n in range(9)), joined=())
    rule = await pacing.create_rule(app, house.organization, house.ref, Limits(None, 30, 8, None, 4, None))
    by_staff = member(house.organization, "owner")
    await house.book(2)
    await house.book(2, house.start(19, 15))
    found = await search(house, 2)
    assert (found[0], found[1]) == (Refusal.PACING, None)
    with pytest.raises(SlotPaced):
        await house.book(2)
    await house.book(4, caller=by_staff)
    with pytest.raises(SlotPaced):
        await house.book(1, caller=by_staff)
    excepted = replace(house.wish(1), override=Override.of([Rule.PACING], "regulars"))
    await book(house, excepted, by_staff)
    elsewhere = (await house.book(2, house.start(20))).booking
    with pytest.raises(SlotPaced):
        await changes.move_booking(
            app, house.organization, elsewhere.id, Move(house.start(19, 15)), actor=STAFF
        )
    await changes.move_booking(app, house.organization, elsewhere.id, Move(house.start(20, 15)), actor=STAFF)
    with pytest.raises(SlotPaced):
        await changes.move_booking(app, house.organization, elsewhere.id, Move(party_size=5), actor=STAFF)
    await pacing.delete_rule(app, house.organization, house.ref, rule.id)
    assert await pacing.list_rules(app, house.organization, house.ref) == []
    await house.book(2)


async def test_a_rule_of_an_offering_limits_only_that(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 4) for n in range(5)), joined=())
    other = await house.offer(house.offering.terms)
    rule = await pacing.create_rule(
        app, house.organization, house.ref, Limits(house.offering.id, 15, None, 1, None, None)
    )
    await house.book(2)
    await other.book(2)
    with pytest.raises(SlotPaced):
        await house.book(2)
    await other.book(2)
    await pacing.update_rule(
        app, house.organization, house.ref, rule.id, Limits(None, 15, None, 4, None, None)
    )
    await house.book(2)
    with pytest.raises(SlotPaced):
        await other.book(2)


async def test_walk_ins_are_not_paced_but_count(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 4), ("T2", 1, 4)), joined=())
    await pacing.create_rule(app, house.organization, house.ref, Limits(None, 1440, 2, None, None, None))
    for _ in range(2):
        await walk_ins.seat_walk_in(app, house.organization, house.ref, WalkIn(house.wish(2)), actor=STAFF)


async def test_rules_that_say_nothing_or_contradict_themselves_are_refused(house: House) -> None:
    for limits in (
        Limits(None, 15, None, None, None, None),
        Limits(None, 15, 4, None, 5, None),
        Limits(None, 15, None, 2, None, 3),
    ):
        with pytest.raises(InvalidRequest):
            await pacing.create_rule(house.app, house.organization, house.ref, limits)


async def test_nobody_is_moved_while_there_is_room(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    await house.book(2, house.start(19))
    large = await house.book(2, house.start(19))
    assert seated(house, large) == {"Four"}
    await house.book(2, house.start(20, 30))
    before = await house.told()
    four = await house.book(4, house.start(20, 30))
    assert seated(house, four) == {"Four"}
    assert len(await house.told()) == len(before) + 1
    assert await house.double_bookings() == 0


async def test_who_is_to_come_makes_room_and_that_is_recorded(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    early = await house.book(2, house.start(19))
    mover = await house.book(2, house.start(19, 30))
    assert (seated(house, early), seated(house, mover)) == ({"Two"}, {"Four"})
    await changes.cancel_booking(app, house.organization, early.booking.id, by=CancelledBy.VENUE, actor=STAFF)
    assert (await search(house, 4))[1] is None
    four = await house.book(4, house.start(19, 30))
    assert seated(house, four) == {"Four"}
    moved = await house.read(mover.booking.id)
    assert moved.resource_ids == (house.tables["Two"].id,)
    assert moved.version == 2
    assert await house.seats_of(moved.id) == {"Two"}
    assert (await house.history(moved.id))[-1] == ("reseated", "engine")
    assert (await house.told())[-2:] == ["Reseated", "Confirmed"]
    assert await house.double_bookings() == 0


async def test_nobody_moves_who_is_pinned_excepted_or_there_or_where_the_venue_does_not_want_it(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    excepted = replace(house.wish(2), override=Override.of([Rule.NOTICE], "regulars"))
    by_staff = member(house.organization, "owner")
    for days, pinned, waived, reseating in (
        (7, False, False, True),
        (8, True, False, True),
        (9, False, True, True),
        (10, False, False, False),
    ):
        await venues.update_venue(app, house.organization, house.ref, reseating=reseating)
        start = house.start(days=days)
        other = await house.book(2, start)
        sits = await book(house, replace(excepted if waived else house.wish(2), start=start), by_staff)
        assert seated(house, sits) == {"Four"}
        if pinned:
            await pin(house, sits)
        await changes.cancel_booking(
            app, house.organization, other.booking.id, by=CancelledBy.VENUE, actor=STAFF
        )
        if days == 7:
            await house.book(4, start)
        else:
            with pytest.raises(SlotTaken):
                await house.book(4, start)
            assert (await house.read(sits.booking.id)).resource_ids == (house.tables["Four"].id,)


async def pin(house: House, made: Made) -> None:
    await assignments.pin(house.app, house.organization, made.booking.id, pinned=True, actor=STAFF)


async def test_a_hold_that_is_moved_runs_out_like_before(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Six", 6, 6), ("Eight", 6, 8)), joined=())
    first = await house.book(6)
    held = await house.book(6)
    assert seated(house, held) == {"Eight"}
    await house.run_out(first)
    eight = await house.book(8)
    assert seated(house, eight) == {"Eight"}
    query = sa.select(ALLOCATIONS.c.expires_at).where(ALLOCATIONS.c.booking_id == held.booking.id)
    async with app.db.begin(house.organization) as tx:
        assert (await tx.execute(query)).scalar_one() == held.booking.hold_expires_at
    assert (await house.read(first.booking.id)).status.value == "expired"


async def test_nobody_is_moved_into_a_block_nor_out_of_one_for_nothing(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    gone, sits = await house.book(2), await house.book(2)
    assert seated(house, sits) == {"Four"}
    blocking = Blocking(
        (house.tables["Two"].id,), None, house.start(18), house.start(23), "Paint", strand=True
    )
    await blocks.create_block(app, house.organization, house.ref, blocking, actor=STAFF)
    await changes.cancel_booking(app, house.organization, gone.booking.id, by=CancelledBy.VENUE, actor=STAFF)
    with pytest.raises(SlotTaken):
        await house.book(4)
    assert (await search(house, 4))[0] is Refusal.FULLY_BOOKED


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


async def test_capacity_that_shrinks_names_the_bookings_it_strands(house: House) -> None:
    small, large = (await house.book(2)).booking, (await house.book(10)).booking
    assert await furnish(house, "T1", in_service=False) == [small.id]
    assert await furnish(house, "T1", max_party=1) == [small.id]
    assert await furnish(house, "T1") == []
    changed = await floor.delete_combination(
        house.app, house.organization, house.ref, house.combinations["T3+T4"].id
    )
    assert changed.stranded == []  # staff may seat ten at tables for four and six
    assert await furnish(house, "T4", max_party=4) == [large.id]
    with pytest.raises(CombinationNotFound):
        await floor.delete_combination(
            house.app, house.organization, house.ref, house.combinations["T3+T4"].id
        )


async def test_a_resource_that_somebody_counts_on_stays(house: House) -> None:
    made = await house.book(2)
    for name, counted in (("T1", "booking_ids"), ("T3", "combination_ids")):
        with pytest.raises(ResourceInUse) as refused:
            await floor.delete_resource(house.app, house.organization, house.ref, house.tables[name].id)
        assert refused.value.metadata[counted]
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.VENUE, actor=STAFF
    )
    await floor.delete_resource(house.app, house.organization, house.ref, house.tables["T1"].id)
    with pytest.raises(ResourceNotFound):
        await floor.delete_resource(house.app, house.organization, house.ref, house.tables["T1"].id)
    listed = await venues.list_resources(house.app, house.organization, house.ref)
    assert {each.name for each in listed} == {"T2", "T3", "T4"}


async def test_what_contradicts_itself_is_refused(house: House) -> None:
    need = Need(role="same")
    for operations in (
        (Operation("Nothing", ()),),
        (Operation("One", (need,)), Operation("Two", (replace(need, quantity=2),))),
    ):
        with pytest.raises(InvalidRequest):
            await change_visit(house, operations=operations)
    with pytest.raises(InvalidRequest):
        await change_visit(house, turn_times=(TurnTime(4, 60), TurnTime(4, 90)))
    with pytest.raises(InvalidRequest):
        await change_visit(house, weekday_turns=(WeekdayTurns((1,), house.offering.turn_times),) * 2)
    twice = (Operation("Half a day and more", (Need(),), Turns((TurnTime(9, 721),))),) * 2
    with pytest.raises(InvalidRequest):
        await change_visit(house, operations=twice)
