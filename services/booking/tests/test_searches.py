"""A kept answer to a search is used while nothing that it was made of has changed, and never after."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from booking.domain.availability import Found, Refusal
from booking.domain.bookings import Actor, ActorKind, CancelledBy
from booking.domain.venues import ResourceKind
from booking.store import days
from booking.store.days import Plans
from booking.store.searches import Searches
from booking.store.versions import Versions
from booking.usecases import availability, changes, venues
from booking.usecases.windows import window_of_day

from .conftest import House

Change = Callable[[House], Awaitable[object]]
SEVEN = Versions(7, {datetime(2027, 5, 1, tzinfo=UTC).date(): 3})


async def search(house: House, party_size: int = 2, days: int = 7) -> Found:
    return await availability.search_availability(
        house.app, house.ref, house.day(days), party_size=party_size, offering_id=None
    )


async def book_elsewhere(house: House) -> None:
    """In another process: it shares only the database."""
    await house.book(2, app=replace(house.app, searches=Searches()))


async def book_the_evening_before(house: House) -> None:
    await house.book(2, house.start(days=6))


async def add_a_table(house: House) -> None:
    await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name="T9",
        kind=ResourceKind.TABLE,
        min_party=1,
        max_party=2,
        area_id=None,
    )


async def test_the_same_search_is_answered_once(house: House) -> None:
    found = await search(house)
    assert await search(house) is found


@pytest.mark.parametrize("how", [{"party_size": 3}, {"days": 8}])
async def test_another_search_is_another_answer(house: House, how: dict[str, int]) -> None:
    found = await search(house)
    assert await search(house, **how) is not found


@pytest.mark.parametrize("change", [House.book, book_elsewhere, book_the_evening_before, add_a_table])
async def test_what_a_change_may_touch_is_searched_again(house: House, change: Change) -> None:
    found = await search(house)
    await change(house)
    assert await search(house) is not found


async def test_a_booking_is_seen_at_once_and_its_cancellation_too(house: House) -> None:
    async def taken() -> list[int]:
        return [slot.start for slot in (await search(house, 6)).slots if slot.refusal is Refusal.FULLY_BOOKED]

    assert not await taken()
    made = await house.book(6)
    assert house.start() in await taken()
    staff = Actor(ActorKind.MEMBER, made.booking.id)
    await changes.cancel_booking(
        house.app, house.organization, made.booking.id, by=CancelledBy.VENUE, actor=staff
    )
    assert not await taken()


async def test_what_is_read_has_its_own_plan_whatever_another_reader_keeps_meanwhile(house: House) -> None:
    """An answer that was long on its way keeps an older plan while a newer one is being asked about."""
    plans, window = Plans(), window_of_day(None, house.day())
    where = house.app.db, plans, house.organization, house.venue_id, window
    old = (await days.read_days(*where)).plan
    await add_a_table(house)
    new = (await days.read_days(*where)).plan
    reading = asyncio.create_task(days.read_days(*where))
    await asyncio.sleep(0)  # it has told which version it knows
    plans.put(house.venue_id, old)
    assert (await reading).plan is new
    assert (await days.read_days(*where)).plan.version == new.version


def test_an_answer_lasts_as_long_as_its_versions() -> None:
    kept: Searches[str] = Searches()
    kept.put("dinner", SEVEN, "full", made=1, read=time.monotonic())
    assert kept.get("dinner", SEVEN) == "full"
    assert kept.get("dinner", replace(SEVEN, venue=8)) is None
    assert kept.get("dinner", replace(SEVEN, days={})) is None
    assert kept.get("dinner", None) is None
    assert kept.get("lunch", SEVEN) is None


def test_an_answer_does_not_outlast_its_time() -> None:
    kept: Searches[str] = Searches(seconds=-1)
    kept.put("dinner", SEVEN, "full", made=1, read=time.monotonic())
    assert kept.get("dinner", SEVEN) is None
    old = kept.older("dinner", SEVEN)
    assert old is not None
    assert (old.answer, old.made) == ("full", 1)
    assert kept.older("dinner", replace(SEVEN, venue=8)) is None


def test_the_answer_asked_for_longest_ago_is_forgotten_first() -> None:
    kept: Searches[str] = Searches(most=2)
    kept.put("dinner", SEVEN, "full", made=1, read=time.monotonic())
    kept.put("lunch", SEVEN, "free", made=1, read=time.monotonic())
    kept.get("dinner", SEVEN)
    kept.put("brunch", SEVEN, "free", made=1, read=time.monotonic())
    assert [kept.has(each) for each in ("dinner", "lunch", "brunch")] == [True, False, True]
