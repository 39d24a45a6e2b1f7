"""Batches and alternatives on a real database: they say what searches say and bookings get."""

from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from booking.app import App
from booking.domain.refusals import Refusal
from booking.store.days import Plans
from booking.usecases import (
    alternatives,
    availability,
    lookups,
    pacing,
    venues,
)
from booking.usecases.lookups import Question
from booking.usecases.pacing import Limits
from servicekit import ids
from servicekit.errors import AppError
from testkit.callers import anonymous, member

from .asking import Counting, add_table, branch, calendar, close, fill, fresh, sell_out, slots, wish_for
from .conftest import PARIS, House, Payments, open_house
from .line import cancel
from .rooms import furnish


async def test_a_batch_says_what_the_search_of_each_day_says_by_one_statement(house: House) -> None:
    await sell_out(house, days=3)
    await fill(house, seed=2, most=60)
    await close(house, 5)
    await pacing.create_rule(house.app, house.organization, house.ref, Limits(None, 60, None, 2, None, None))
    random = Random(7)  # noqa: S311  # questions that are always the same
    questions = [
        Question(
            house.offering.id,
            house.start(18, days=random.randint(0, 12))
            + 900 * random.randint(0, 20)
            + random.choice([0, 0, 0, 60]),
            random.choice([2, 4, 7, 30]),
        )
        for _ in range(100)
    ]
    db = Counting(house.app.db)
    counting = fresh(house, db)
    await availability.search_availability(
        counting.app, house.ref, house.day(90), party_size=2, offering_id=None
    )
    db.statements = 0
    told = await lookups.look_up(counting.app, house.ref, questions)
    assert db.statements == 1
    for question, verdict in zip(questions, told, strict=True):
        day = datetime.fromtimestamp(question.start, PARIS).date()
        shown = {each.start: each for each in await slots(house, day, party_size=question.party_size)}
        if question.start in shown:
            slot = shown[question.start]
            assert verdict.slot == slot
            assert verdict.refusal is slot.refusal
        else:
            now = datetime.now(PARIS).timestamp()
            assert verdict.refusal is (Refusal.NOTICE if question.start < now else Refusal.CLOSED)
    assert {each.refusal for each in told} >= {
        None,
        Refusal.CLOSED,
        Refusal.NO_TABLE_FOR_PARTY,
        Refusal.PACING,
        Refusal.FULLY_BOOKED,
    }


async def test_a_batch_begins_with_a_process_that_knows_nothing_and_follows_a_change(house: House) -> None:
    app = replace(fresh(house).app, plans=Plans())
    question = Question(house.offering.id, house.start(), 30)
    (told,) = await lookups.look_up(app, house.ref, [question])
    assert told.refusal is Refusal.NO_TABLE_FOR_PARTY
    await add_table(house, "Hall", most=80)
    staying = replace(question, party_size=10)
    assert [each.refusal for each in await lookups.look_up(app, house.ref, [question, staying])] == [
        Refusal.NO_TABLE_FOR_PARTY,  # no turn time goes beyond ten
        None,
    ]


async def test_a_batch_knows_hours_that_another_process_has_changed(house: House) -> None:
    other = replace(fresh(house).app, plans=Plans())
    noon = Question(house.offering.id, house.start(12), 2)
    (told,) = await lookups.look_up(other, house.ref, [noon])
    assert told.refusal is Refusal.CLOSED
    await venues.add_shift(
        house.app,
        house.organization,
        house.ref,
        offering_id=house.offering.id,
        weekdays=range(1, 8),
        opens="12:00",
        last_start="13:00",
        closes="15:00",
    )
    (told,) = await lookups.look_up(other, house.ref, [noon])
    assert told.refusal is None


async def test_staff_look_up_what_they_may_book_themselves(house: House) -> None:
    for name in house.tables:
        await furnish(house, name, online=False)
    question = Question(house.offering.id, house.start(), 2)
    staff = member(house.organization)
    (guest,) = await lookups.look_up(house.app, house.ref, [question], caller=anonymous())
    (own,) = await lookups.look_up(house.app, house.ref, [question], caller=staff)
    assert (guest.refusal, own.refusal) == (Refusal.NO_TABLE_FOR_PARTY, None)


async def test_the_starts_of_a_batch_lie_within_two_months(house: House) -> None:
    near, far = house.start(days=1), house.start(days=64)
    questions = [Question(house.offering.id, each, 2) for each in (near, far)]
    with pytest.raises(AppError) as caught:
        await lookups.look_up(house.app, house.ref, questions)
    assert caught.value.violations[0].pointer == "/items"


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
    assert told.wish.refusal is Refusal.NO_TABLE_AS_ASKED
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
