"""Pacing on a real database: how many may begin at once, and whom that does not stop."""

from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import PartyBeyondPace, Refusal, SlotPaced
from booking.domain.texts import Inconsistent
from booking.tables import BOOKINGS
from booking.usecases import (
    changes,
    pacing,
    walk_ins,
)
from booking.usecases.changes import Move
from booking.usecases.pacing import Limits
from booking.usecases.walk_ins import WalkIn
from testkit.callers import member
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house
from .line import Line, cancel
from .rooms import STAFF, book, search


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
    with pytest.raises(PartyBeyondPace):
        await changes.move_booking(app, house.organization, elsewhere.id, Move(party_size=5), actor=STAFF)
    await pacing.delete_rule(app, house.organization, house.ref, rule.made.id)
    assert (await pacing.list_rules(app, house.organization, house.ref, WHOLE))[0] == []
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
        app, house.organization, house.ref, rule.made.id, Limits(None, 15, None, 4, None, None)
    )
    await house.book(2)
    with pytest.raises(SlotPaced):
        await other.book(2)


@pytest.mark.parametrize(
    "limits", [Limits(None, 30, 4, None, None, None), Limits(None, 30, None, None, None, 0)]
)
async def test_what_no_rule_of_pacing_ever_lets_in_is_told_so_and_not_waited_for(
    house: House, limits: Limits
) -> None:
    await pacing.create_rule(house.app, house.organization, house.ref, limits)
    assert set((await search(house, 5)).values()) == {Refusal.PARTY_BEYOND_PACE}
    with pytest.raises(PartyBeyondPace):
        await house.book(5)
    with pytest.raises(PartyBeyondPace):
        await Line(house).wait("anna", 5)
    excepted = replace(house.wish(5), override=Override.of([Rule.PACING], "regulars"))
    made = await book(house, excepted, member(house.organization, "owner"))
    assert made.booking.overridden == {Rule.PACING}


async def test_who_is_let_in_later_or_in_another_size_waits(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 5) for n in range(3)), joined=())
    await pacing.create_rule(app, house.organization, house.ref, Limits(None, 30, 4, None, None, None))
    made = await house.book(2)
    assert (await search(house, 3))[0] is Refusal.PACING
    line = Line(house)
    await line.wait("anna", 3)
    with pytest.raises(PartyBeyondPace):
        await changes.move_booking(app, house.organization, made.booking.id, Move(party_size=5), actor=STAFF)
    await cancel(house, made.booking)
    await line.sweep()
    assert (await line.offered("anna")).party_size == 3


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
        with pytest.raises(Inconsistent):
            await pacing.create_rule(house.app, house.organization, house.ref, limits)


async def test_a_rule_names_who_is_over_its_limit_by_the_order_of_booking(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 5) for n in range(9)), joined=())
    by_staff = member(house.organization, "owner")
    first, large, third = [(await house.book(size)).booking.id for size in (2, 4, 2)]
    excepted = replace(house.wish(2), override=Override.of([Rule.PACING], "regulars"))
    await book(house, excepted, by_staff)
    beside = (await house.book(2, house.start(19, 30))).booking.id
    gone = (await house.book(3)).booking
    await cancel(house, gone)

    made = await pacing.create_rule(app, house.organization, house.ref, Limits(None, 30, 6, None, None, None))
    assert list(made.stranded) == [large]  # 2 by exception, and 2 and 2 who fit beside
    assert [(await house.read(each)).version for each in (first, large, third)] == [1, 1, 1]

    async def lower(limits: Limits) -> set[UUID]:
        changed = await pacing.update_rule(app, house.organization, house.ref, made.made.id, limits)
        return set(changed.stranded)

    assert await lower(Limits(None, 60, None, 2, None, None)) == {large, third, beside}
    assert await lower(Limits(None, 60, None, None, None, 3)) == {beside}
    assert await lower(Limits(None, 60, 12, None, None, None)) == set()
    other = (await house.offer(house.offering.terms)).offering
    assert await lower(Limits(other.id, 60, None, 1, None, None)) == set()


async def test_what_has_begun_counts_and_is_not_named(house: House) -> None:
    late = (await house.book(2)).booking
    sits = (await house.book(2)).booking
    for booking, minutes in ((late, -1), (sits, 1)):
        await house.begin(booking, minutes_ago=minutes)
        async with house.app.db.begin(house.organization) as tx:
            today = sa.update(BOOKINGS).values(service_date=tx.now.date())
            await tx.execute(today.where(BOOKINGS.c.id == booking.id))
    rule = Limits(None, 14_400, None, 1, None, None)  # whatever the hour
    made = await pacing.create_rule(house.app, house.organization, house.ref, rule)
    assert list(made.stranded) == [late.id]
