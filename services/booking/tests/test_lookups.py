"""Calendars and batches on a real database: they say what searches say and bookings get."""

from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from booking.domain.refusals import Refusal
from booking.store.days import Plans
from booking.usecases import (
    availability,
    lookups,
    overviews,
    pacing,
    venues,
)
from booking.usecases.lookups import Question
from booking.usecases.pacing import Limits
from servicekit.errors import AppError
from testkit.callers import anonymous, member

from .conftest import PARIS, House
from .outlook import MONTH, Counting, add_table, calendar, close, fill, fresh, sell_out, slots
from .rooms import furnish


@pytest.mark.parametrize("party_size", [2, 5, 30])
async def test_a_calendar_counts_what_each_day_shows(house: House, party_size: int) -> None:
    await fill(house, seed=party_size, most=60)
    await close(house, 5)
    for told in await calendar(house, party_size=party_size):
        shown = await slots(house, told.service_date, party_size=party_size)
        bookable = [each.start for each in shown if each.refusal is None]
        assert (told.bookable, told.first_start) == (len(bookable), min(bookable, default=None))
        assert told.refusal in ({each.refusal for each in shown} if not bookable else {None})
        assert told.open == (told.service_date != house.day(5))
    closed = next(each for each in await calendar(house) if each.service_date == house.day(5))
    assert (closed.refusal, closed.notes) == (Refusal.CLOSED, ("Ball",))


async def test_a_month_is_read_by_one_statement_and_by_one_small_one_again(house: House) -> None:
    db = Counting(house.app.db)
    counting = fresh(house, db)
    asked = []
    for days in (MONTH - 1, MONTH - 1, MONTH):
        before = db.statements
        told = await calendar(counting, days=days)
        asked.append(db.statements - before)
        assert len(told) == days
    assert asked == [1, 1, 2]  # the versions, and then the days that are not known
    await house.book(2, house.start(days=3))
    again = await calendar(counting)
    assert db.statements == 4 + 2
    assert again == await calendar(fresh(house))


async def test_days_of_a_month_that_are_full_take_one_statement_more(house: House) -> None:
    """Whether somebody who is booked could move is asked of these days only, and of all at once."""
    await sell_out(house, days=3)
    await sell_out(house, days=9)
    db = Counting(house.app.db)
    told = await calendar(fresh(house, db), party_size=3)
    assert db.statements == 2
    for each in told:
        shown = await slots(house, each.service_date, party_size=3)
        assert each.bookable == sum(slot.refusal is None for slot in shown)


async def test_only_the_days_that_changed_are_read_again(house: House) -> None:
    db = Counting(house.app.db)
    counting = fresh(house, db)
    for days in (3, 20):
        await house.book(2, house.start(days=days))
    await calendar(counting)
    assert db.allocations == 2
    await house.book(2, house.start(days=30))
    told = await calendar(counting)
    assert db.allocations == 2 + 1
    assert told == await calendar(fresh(house))


async def test_a_remembered_calendar_follows_what_others_book(house: House) -> None:
    before = await calendar(house)
    await fresh(house).book(6)
    after = await calendar(house)
    changed = [one.service_date for one, other in zip(before, after, strict=True) if one != other]
    assert not changed  # a table for two is still there at every start
    elsewhere = fresh(house)
    await sell_out(elsewhere)
    changed = [
        one.service_date for one, other in zip(before, await calendar(house), strict=True) if one != other
    ]
    assert changed == [house.day()]


@pytest.mark.parametrize(("first", "last"), [(1, 0), (0, 62)])
async def test_a_calendar_ends_after_it_begins_and_within_two_months(
    house: House, first: int, last: int
) -> None:
    with pytest.raises(AppError) as caught:
        await overviews.get_calendar(
            house.app, house.ref, house.day(first), house.day(last), party_size=2, offering_id=None
        )
    assert (caught.value.reason, caught.value.violations[0].pointer) == ("INCONSISTENT_REQUEST", "/to")


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
