"""Pacing on a real database: how many may begin at once, and whom that does not stop."""

from dataclasses import replace

import pytest

from booking.app import App
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import Refusal, SlotPaced
from booking.domain.texts import Inconsistent
from booking.usecases import (
    changes,
    pacing,
    walk_ins,
)
from booking.usecases.changes import Move
from booking.usecases.pacing import Limits
from booking.usecases.walk_ins import WalkIn
from testkit.callers import member

from .conftest import House, Payments, open_house
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
        with pytest.raises(Inconsistent):
            await pacing.create_rule(house.app, house.organization, house.ref, limits)
