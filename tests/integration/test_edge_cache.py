"""Answers that the gateway keeps, on the whole platform: bookings are seen, what is not touched is kept."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from testkit import eventually

from .arena import Arena, open_arena
from .conftest import new_owner

HIT = "comptoir; hit"
_ONE_IS_TOUCHED = ["comptoir; fwd=stale; stored", HIT]
_SEEN_SECONDS = 2.0
"""What search may be stale by (docs/decisions/0025)."""
_KEPT_SECONDS = 9.0
"""Less than answers to searches are kept (`edge_seconds`); nothing is kept past a whole minute."""
_FAR_DAYS = 14
_HOURS = range(18, 23)


@pytest.fixture
def owner(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture
def house(http: httpx.AsyncClient, owner: Owner, platform: Platform) -> Arena:
    """A house with one table."""
    return open_arena(http, owner, platform, tables=(("T1", 1, 2),))


async def search(house: Arena, day: date, **options: dict[str, str]) -> httpx.Response:
    where = f"/v1/venues/{house.venue}/availability?date={day.isoformat()}&party_size=2"
    answer = await house.http.get(where, **options)
    assert answer.status_code == 200, answer.text
    return answer


def bookable(answer: httpx.Response, start: str) -> bool:
    return any(slot["start"] == start and slot["bookable"] for slot in answer.json()["slots"])


def how(answer: httpx.Response) -> str:
    return str(answer.headers["cache-status"])


@dataclass(frozen=True)
class Change:
    """Something that takes a start, or gives it free."""

    start: str
    happen: Callable[[], Awaitable[Any]]
    frees: bool = False

    @property
    def day(self) -> date:
        return date.fromisoformat(self.start[:10])


async def seen(house: Arena, change: Change) -> httpx.Response:
    """The first answer that shows what happened."""

    async def shown() -> httpx.Response:
        answer = await search(house, change.day)
        assert bookable(answer, change.start) is change.frees
        return answer

    return await eventually(shown, timeout=_SEEN_SECONDS)


async def kept(house: Arena, *days: date) -> bool:
    return [how(await search(house, day)) for day in days] == [HIT] * len(days)


async def looks_around(house: Arena, changes: Iterable[Change]) -> list[str]:
    """How a day that was kept is had once a change of it is seen, and then, at the first look, a far one.

    Of the second change on: with the first is seen what was told before. When what is kept may be too old
    anyway by then, the next change is tried, with another day beside it.
    """
    began = time.time()
    for number, change in enumerate(changes):
        other = change.day + timedelta(days=_FAR_DAYS + number)
        await eventually(partial(kept, house, change.day, other))
        assert bookable(await search(house, change.day), change.start) is not change.frees
        happened = time.time()
        await change.happen()
        answers = [await seen(house, change), await search(house, other)]
        ended = time.time()
        if number and ended - began < _KEPT_SECONDS and began // 60 == ended // 60:
            return [how(each) for each in answers]
        began = happened
    pytest.fail("nothing happened fast enough to tell what is kept")


async def test_a_booking_is_seen_at_once_and_another_day_goes_on_being_kept(
    house: Arena, owner: Owner
) -> None:
    starts = [house.at(hour) for hour in _HOURS]
    booked = [Change(start, partial(house.booked, 2, start)) for start in starts]
    assert await looks_around(house, booked) == _ONE_IS_TOUCHED

    staff = await search(house, booked[0].day, headers=owner.api.headers)
    assert how(staff) == "comptoir; fwd=bypass"


async def test_a_cancellation_is_seen_too_and_a_day_that_it_does_not_touch_is_not_asked_for_again(
    house: Arena,
) -> None:
    starts = [house.at(hour, days=1) for hour in _HOURS]
    bookings = [(await house.booked(2, start))["id"] for start in starts]
    cancelled = [
        Change(start, partial(house.act, booking, "cancel"), frees=True)
        for start, booking in zip(starts, bookings, strict=True)
    ]
    assert await looks_around(house, cancelled) == _ONE_IS_TOUCHED


async def test_while_the_follower_is_away_nothing_is_older_than_two_seconds(
    house: Arena, platform: Platform
) -> None:
    start = house.at(days=2)
    day = date.fromisoformat(start[:10])
    follower = platform.process("gateway-follow")
    follower.kill()
    try:
        await search(house, day)
        await house.booked(2, start)

        async def seen() -> bool:
            return not bookable(await search(house, day), start)

        await eventually(seen, timeout=_SEEN_SECONDS + 2)
    finally:
        follower.start()
