"""Capacity that shrinks, on a real database: what it strands, and what cannot go."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.domain.bookings import CancelledBy
from booking.domain.stranded import Stranding
from booking.domain.venues import (
    CombinationNotFound,
    ResourceInUse,
    ResourceNotFound,
)
from booking.store.stranded import Scope, list_commitments
from booking.tables import BOOKINGS
from booking.usecases import assignments, changes, floor, stranded, venues
from booking.usecases.assignments import Assignment
from servicekit import ids
from testkit.paging import WHOLE

from .conftest import House
from .rooms import STAFF, book, furnish


async def test_capacity_that_shrinks_names_the_bookings_it_strands(house: House) -> None:
    small, large = (await house.book(2)).booking, (await house.book(10)).booking
    assert await furnish(house, "T1", in_service=False) == [small.id]
    assert await furnish(house, "T1", max_party=1) == [small.id]
    assert await furnish(house, "T1") == []
    changed = await floor.delete_combination(
        house.app, house.organization, house.ref, house.combinations["T3+T4"].id
    )
    assert changed.stranded == [large.id]  # the engine would not join them any more
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
    listed = (await venues.list_resources(house.app, house.organization, house.ref, WHOLE))[0]
    assert {each.name for each in listed} == {"T2", "T3", "T4"}


async def reasons(house: House) -> dict[UUID, Stranding]:
    day = house.day(7)
    _, found, _ = await stranded.list_stranded(house.app, house.organization, house.ref, day, day, page=WHOLE)
    return {each.commitment.booking_id: each.reason for each in found}


async def test_who_sits_at_a_combination_that_goes_is_stranded_unless_staff_chose_the_tables(
    house: House,
) -> None:
    large = (await house.book(10)).booking
    small = (await house.book(2)).booking
    assert await reasons(house) == {}
    joined = house.combinations["T3+T4"]
    gone = await floor.delete_combination(house.app, house.organization, house.ref, joined.id)
    assert gone.stranded == [large.id]
    assert await reasons(house) == {large.id: Stranding.NOT_JOINED}
    for pinned in (True, False):
        keep = Assignment(large.resource_ids, pinned=pinned)
        await assignments.assign(house.app, house.organization, large.id, keep, actor=STAFF)
        assert await reasons(house) == {}, "staff know that these are joined by hand"
    assert small.id != large.id


async def test_a_table_that_loses_what_a_guest_asked_for_strands_that_guest(house: House) -> None:
    await furnish(house, "T1", attributes=["window"])
    asked = replace(house.wish(2), attributes=frozenset({"window"}))
    made = (await book(house, asked)).booking
    assert made.resource_ids == (house.tables["T1"].id,)
    assert await furnish(house, "T2", attributes=["quiet"]) == []
    assert await furnish(house, "T1", attributes=["quiet"]) == [made.id]
    assert await reasons(house) == {made.id: Stranding.NOT_AS_ASKED}
    assert await furnish(house, "T1", attributes=["quiet", "window"]) == []


async def test_only_bookings_that_a_change_can_touch_are_looked_at(house: House) -> None:
    elsewhere = (await house.book(6)).booking
    async with house.app.db.begin(house.organization) as tx:
        scope = Scope(house.day(0), house.day(30), resource_ids=elsewhere.resource_ids)
        (chunk,) = [each async for each in list_commitments(tx, house.venue_id, scope)]
        other = replace(scope, resource_ids=(house.tables["T1"].id,))
        assert not [each async for each in list_commitments(tx, house.venue_id, other)]
    assert [each.booking_id for each in chunk] == [elsewhere.id]


async def test_hundreds_of_bookings_are_gone_through_in_parts_and_none_is_left_out(house: House) -> None:
    first = (await house.book(2)).booking
    await copies(house, first.id, 1_234)
    others, asking = 0, True

    async def somebody_else() -> None:
        nonlocal others
        while asking:
            others += 1
            await asyncio.sleep(0)

    async with house.app.db.begin(house.organization) as tx:
        scope = Scope(house.day(0), house.day(3000))
        chunks = [each async for each in list_commitments(tx, house.venue_id, scope)]
        assert [len(each) for each in chunks] == [500, 500, 235]
        assert len({each.booking_id for chunk in chunks for each in chunk}) == 1_235
        assert await stranded.find_stranded(tx, house.venue_id, scope) == []
    plan = house.app.plans.get(house.venue_id)
    assert plan is not None
    beside = asyncio.create_task(somebody_else())
    assert await stranded.judge(plan, chunks[0], []) == []
    asking = False
    await beside
    assert others >= 500 // 50


async def copies(house: House, booking_id: UUID, number: int) -> None:
    """As many bookings like one, some at the same start, none at a table: only read here."""
    query = sa.select(BOOKINGS).where(BOOKINGS.c.id == booking_id)
    async with house.app.db.begin(house.organization) as tx:
        row = dict((await tx.execute(query)).mappings().one())
        rows = []
        for each in range(number):
            later = timedelta(days=7 * (each // 5))
            moved = {key: row[key] + later for key in ("start_at", "end_at", "service_date")}
            rows.append(row | moved | {"id": ids.new(), "resource_ids": []})
        await tx.execute(sa.insert(BOOKINGS), rows)
