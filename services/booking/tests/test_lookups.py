"""Calendars, batches and alternatives on a real database: they say what searches say and bookings get."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from booking.app import App
from booking.domain.availability import Slot
from booking.domain.closures import Closure
from booking.domain.overviews import Overview
from booking.domain.refusals import Refusal, SlotTaken
from booking.domain.terms import Terms
from booking.domain.venues import ResourceKind
from booking.store.days import Plans
from booking.store.searches import Searches
from booking.usecases import (
    alternatives,
    availability,
    closures,
    lookups,
    overviews,
    pacing,
    venues,
)
from booking.usecases.alternatives import Alternatives
from booking.usecases.lookups import Question
from booking.usecases.pacing import Limits
from servicekit import ids
from servicekit.errors import AppError
from testkit.callers import anonymous, member

from .conftest import PARIS, House, Payments, open_house
from .line import cancel
from .rooms import furnish

MONTH = 42


@dataclass
class Counting:
    """A database that counts what it is asked."""

    inner: Any
    statements: int = 0
    allocations: int = 0
    """Rows of what is taken that came as an answer."""

    @asynccontextmanager
    async def driver(self) -> AsyncIterator["Counting"]:
        """A connection that counts, too."""
        async with self.inner.driver() as connection:
            self._connection = connection
            yield self

    async def fetchrow(self, *arguments: Any) -> Any:
        """One statement."""
        self.statements += 1
        row = await self._connection.fetchrow(*arguments)
        self.allocations += len(row.get("resource_ids") or ())
        return row

    @asynccontextmanager
    async def begin(self, organization: Any) -> AsyncIterator[Any]:
        """A transaction counts once."""
        self.statements += 1
        async with self.inner.begin(organization) as tx:
            yield tx

    @asynccontextmanager
    async def begin_platform(self, *, reason: str) -> AsyncIterator[Any]:
        """Not counted: whose a venue is comes from a cache as a rule."""
        async with self.inner.begin_platform(reason=reason) as tx:
            yield tx


def fresh(house: House, db: Any = None) -> House:
    """The same house as a process sees it that remembers no answer."""
    app = replace(house.app, searches=Searches(), overviews=Searches(), db=db or house.app.db)
    return replace(house, app=app)


async def calendar(house: House, *, days: int = MONTH, party_size: int = 2) -> list[Overview]:
    return await overviews.get_calendar(
        house.app,
        house.ref,
        house.day(0),
        house.day(0) + timedelta(days=days - 1),
        party_size=party_size,
        offering_id=None,
    )


async def slots(house: House, day: date, *, party_size: int = 2, **how: Any) -> list[Slot]:
    found = await availability.search_availability(
        fresh(house).app, house.ref, day, party_size=party_size, offering_id=None, **how
    )
    return found.slots


async def fill(house: House, *, seed: int, most: int) -> None:
    """Guests of all sizes on many days, as far as there is room."""
    random = Random(seed)  # noqa: S311  # a demand that is always the same
    for _ in range(most):
        start = house.start(19, days=random.randint(1, 12)) + 900 * random.randint(0, 12)
        with suppress(SlotTaken):
            await house.book(random.choice([1, 2, 2, 3, 4, 5]), start)


async def close(house: House, days: int) -> None:
    day = house.day(days)
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=day,
        last=day,
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="Ball",
    )
    await closures.create_closure(house.app, house.organization, house.ref, closure)


async def wish_for(
    house: House, hour: int = 19, minute: int = 0, *, days: int = 7, party_size: int = 2, **how: Any
) -> Alternatives:
    question = Question(house.offering.id, house.start(hour, minute, days=days), party_size)
    return await alternatives.find_alternatives(house.app, house.ref, question, **how)


async def sell_out(house: House, *, hour: int = 20, days: int = 7) -> None:
    """Books the three tables that take two, for an hour and a half."""
    for _ in range(3):
        await house.book(2, house.start(hour, days=days))


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


async def add_table(house: House, name: str, *, most: int) -> None:
    await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name=name,
        kind=ResourceKind.TABLE,
        min_party=1,
        max_party=most,
        area_id=None,
    )


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
