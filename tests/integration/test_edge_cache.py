"""Answers that the gateway keeps, on the whole platform: bookings are seen, what is not touched is kept."""

from datetime import date, timedelta

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from testkit import eventually

from .arena import Arena, open_arena
from .conftest import new_owner

HIT = "comptoir; hit"
_SEEN_SECONDS = 2.0
"""What search may be stale by (docs/decisions/0025)."""


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


async def test_a_booking_is_seen_at_once_and_another_day_goes_on_being_kept(
    house: Arena, owner: Owner
) -> None:
    start = house.at()
    day = date.fromisoformat(start[:10])
    other = day + timedelta(days=14)

    async def kept() -> bool:
        """Both days are kept, in one minute: nothing is kept past a whole one."""
        return [how(await search(house, each)) for each in (day, other)] == [HIT, HIT]

    async def seen() -> bool:
        return not bookable(await search(house, day), start)

    await eventually(kept)
    assert bookable(await search(house, day), start)
    await house.booked(2, start)
    await eventually(seen, timeout=_SEEN_SECONDS)
    await eventually(kept)
    assert not bookable(await search(house, day), start)

    staff = await search(house, day, headers=owner.api.headers)
    assert how(staff) == "comptoir; fwd=bypass"


async def test_a_cancellation_is_seen_too_and_a_day_that_it_does_not_touch_is_not_asked_for_again(
    house: Arena,
) -> None:
    start = house.at(days=1)
    day = date.fromisoformat(start[:10])
    other = day + timedelta(days=14)
    booking = (await house.booked(2, start))["id"]

    async def untouched() -> bool:
        """The booking called off in the same minute in which the other day was kept; else once more."""
        await search(house, other)
        return how(await search(house, other)) == HIT

    async def free() -> bool:
        return bookable(await search(house, day), start)

    await eventually(untouched)
    assert (await house.act(booking, "cancel")).status_code == 200
    await eventually(free, timeout=_SEEN_SECONDS)


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
