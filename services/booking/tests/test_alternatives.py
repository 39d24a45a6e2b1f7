"""What is near a start that cannot be booked, on a real database: it can be had, and nothing nearer can."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from booking.app import App
from booking.domain.refusals import Refusal
from booking.domain.terms import Terms
from booking.usecases import (
    alternatives,
    venues,
)
from booking.usecases.alternatives import Alternatives
from booking.usecases.lookups import Question
from servicekit import ids

from .conftest import PARIS, House, Payments, open_house
from .line import cancel
from .outlook import Counting, add_table, calendar, close, fresh, sell_out, slots


async def wish_for(
    house: House, hour: int = 19, minute: int = 0, *, days: int = 7, party_size: int = 2, **how: Any
) -> Alternatives:
    question = Question(house.offering.id, house.start(hour, minute, days=days), party_size)
    return await alternatives.find_alternatives(house.app, house.ref, question, **how)


async def branch(house: House, name: str) -> House:
    """Another venue of the same organization."""
    venue = await venues.create_venue(
        house.app,
        house.organization,
        name=name,
        slug=f"branch-{ids.new().hex[-12:]}",
        time_zone="Europe/Paris",
        currency="EUR",
        address="",
    )
    made = replace(house, venue_id=venue.id)
    for table in ("T1", "T2", "T3"):
        await add_table(made, table, most=2)
    return await made.offer(Terms())


async def test_what_is_near_a_sold_out_start_can_be_booked_and_nothing_nearer_can(house: House) -> None:
    await sell_out(house)
    for days in (5, 6, 8):
        await sell_out(house, days=days)
    await close(house, 9)
    told = await wish_for(house, 20)
    assert told.wish.refusal is Refusal.FULLY_BOOKED
    start = house.start(20)
    free = [each.start for each in await slots(house, house.day()) if each.refusal is None]
    nearest = sorted(free, key=lambda each: (abs(each - start), each))
    assert [each.start for each in told.times] == nearest[:6]
    dates = [datetime.fromtimestamp(each.start, PARIS) for each in told.dates]
    assert [(each.date() - house.day()).days for each in dates] == [-3, 3, -4, 4, -5, 5]
    assert {(each.hour, each.minute) for each in dates} == {(20, 0)}
    for each in (*told.times, *told.dates):
        made = await house.book(2, each.start)
        assert made.booking.start == datetime.fromtimestamp(each.start, PARIS)
        await cancel(house, made.booking)


async def test_other_dates_have_the_time_within_the_tolerance(house: House) -> None:
    for days in (6, 8):
        await sell_out(house, days=days)
    exact = await wish_for(house, 20, tolerance_minutes=0)
    near = await wish_for(house, 20, tolerance_minutes=90)
    shown = [datetime.fromtimestamp(each.start, PARIS) for each in exact.dates]
    assert [(each.date() - house.day()).days for each in shown][:2] == [-2, 2]
    hours = [datetime.fromtimestamp(each.start, PARIS) for each in near.dates[:2]]
    assert [(each.date() - house.day()).days for each in hours] == [-1, 1]
    assert all(each.hour != 20 for each in hours)


async def test_other_venues_of_the_organization_are_told_by_name(
    house: House, app: App, payments: Payments
) -> None:
    await sell_out(house)
    stranger = await open_house(app, payments)
    branches = [await branch(house, name) for name in ("Zur Post", "Adler", "Mitte")]
    await sell_out(branches[2], hour=19)  # until 20:30
    told = await wish_for(house, 20, tolerance_minutes=0)
    assert [each.venue.name for each in told.elsewhere] == ["Adler", "Zur Post"]
    told = await wish_for(house, 20, tolerance_minutes=30)
    assert [each.venue.name for each in told.elsewhere] == ["Adler", "Mitte", "Zur Post"]
    assert [(each.slot.start - house.start(20)) // 60 for each in told.elsewhere] == [0, 30, 0]
    assert stranger.venue_id not in {each.venue.id for each in told.elsewhere}
    by_id = {each.venue_id: each for each in branches}
    for each in told.elsewhere:
        there = replace(by_id[each.venue.id], offering=each.slot.offering)
        assert (await there.book(2, each.slot.start)).booking.venue_id == each.venue.id


async def test_an_area_is_asked_for_at_its_own_venue_only(house: House) -> None:
    await branch(house, "Adler")
    question = Question(house.offering.id, house.start(20), 2, area_id=ids.new())
    told = await alternatives.find_alternatives(house.app, house.ref, question)
    assert told.wish.refusal is Refusal.NO_TABLE_FOR_PARTY
    assert [each.venue.name for each in told.elsewhere] == ["Adler"]


async def test_a_wish_that_can_be_booked_is_said_to_be_and_is_not_its_own_alternative(house: House) -> None:
    told = await wish_for(house, 20)
    assert told.wish.refusal is None
    assert house.start(20) not in {each.start for each in (*told.times, *told.dates)}
    assert not told.elsewhere  # it is the only venue


async def test_a_time_between_two_starts_is_closed_and_has_both_beside_it(house: House) -> None:
    told = await wish_for(house, 20, 5)
    assert told.wish.refusal is Refusal.CLOSED
    assert [(each.start - house.start(20)) // 60 for each in told.times[:3]] == [0, 15, -15]


async def test_alternatives_ask_a_bounded_number_of_statements(house: House) -> None:
    for number in range(12):
        await branch(house, f"Branch {number:02}")
    db = Counting(house.app.db)
    counting = fresh(house, db)
    await calendar(house)  # so that the process knows the venue's plan
    told = await wish_for(counting, 20)
    assert (len(told.elsewhere), db.statements) == (5, 1 + 1 + 5)
    db.statements = 0
    told = await wish_for(counting, 12)  # when nobody is open
    assert (len(told.elsewhere), db.statements) == (0, 1 + 1 + 10)
