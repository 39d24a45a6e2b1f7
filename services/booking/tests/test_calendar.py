"""The calendar of a venue on a real database: it counts what searches show, and reads little."""

import pytest

from booking.domain.refusals import Refusal
from booking.store.versions import forget
from booking.usecases import overviews
from servicekit.errors import AppError

from .asking import MONTH, Counting, calendar, close, fill, fresh, sell_out, slots
from .conftest import House


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
        forget(house.organization)  # what was read a tenth of a second ago
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
