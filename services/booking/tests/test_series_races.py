"""Series against each other and everybody else, on a real database: no deadlock, no double booking."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import date, time
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, CancelledBy
from booking.domain.series import Scope
from booking.store import days as day_store
from booking.usecases import changes, series, series_changes
from booking.usecases.changes import Move
from booking.usecases.series import View
from booking.usecases.series_changes import Part, Revision
from servicekit.errors import Busy

from .conftest import House, Payments, open_house
from .series import STAFF, repeat, rows, states

GUEST = Actor(ActorKind.GUEST)
DAILY, SECOND = "FREQ=DAILY;COUNT=8", "FREQ=DAILY;INTERVAL=2;COUNT=6"


@pytest.fixture
async def single(app: App, payments: Payments) -> House:
    """One table for two."""
    return await open_house(app, payments, tables=(("T1", 1, 2),), joined=())


async def outcomes(attempts: list[Any]) -> Counter[str]:
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


async def patiently(act: Callable[[], Awaitable[Any]]) -> Any:
    """What comes of it when whoever is told that too many try, tries again."""
    while True:
        with contextlib.suppress(Busy):
            return await act()


async def settle(house: House, view: View, part: Part, **revision: Any) -> View:
    where = house.app, house.organization, view.series.id, part
    return await series_changes.change_series(*where, Revision(**revision), actor=STAFF)


async def call_off(house: House, view: View, part: Part) -> View:
    return await series_changes.cancel_series(
        house.app, house.organization, view.series.id, part, actor=STAFF
    )


async def test_of_series_that_cross_at_one_table_each_day_goes_to_one(single: House) -> None:
    made = await asyncio.gather(
        repeat(single, DAILY, skip=True, days=7),
        repeat(single, SECOND, skip=True, days=6),
        repeat(single, DAILY, skip=True, days=3),
        repeat(single, SECOND, skip=True, days=5),
        return_exceptions=True,
    )
    views = [each for each in made if isinstance(each, View)]
    assert {type(each).__name__ for each in made} <= {"View", "SeriesConflicts"}  # never Busy
    won = Counter(each.date for view in views for each in view.occurrences if each.booking)
    wanted = {single.day(each) for each in range(3, 17)}
    assert won == dict.fromkeys(wanted, 1)
    assert await single.double_bookings() == 0
    assert len(await single.occupied()) == len(wanted)


async def test_of_the_same_series_wanted_at_once_one_is_had_and_the_others_leave_nothing(
    single: House,
) -> None:
    before = Counter(await rows(single))
    counted = await outcomes([repeat(single, DAILY) for _ in range(4)])
    assert counted == {"View": 1, "SeriesConflicts": 3}
    of_each = ("bookings", "allocations", "manage_tokens", "booking_changes", "timers")
    assert Counter(await rows(single)) - before == {
        "series": 1,
        "guests": 9,
        "outbox": 9,
        **dict.fromkeys(of_each, 8),
    }


async def test_a_series_and_guests_who_book_its_days_never_get_the_same_table(single: House) -> None:
    counted = await outcomes(
        [
            repeat(single, DAILY, skip=True),
            *(single.book(2, single.start(days=days)) for days in range(7, 15)),
            *(single.book(2, single.start(20, days=days)) for days in range(14, 6, -1)),
        ]
    )
    assert set(counted) <= {"View", "SeriesConflicts", "Made", "SlotTaken"}
    assert len(await single.occupied()) == 8
    assert await single.double_bookings() == 0


async def test_a_series_is_moved_while_its_bookings_and_those_of_another_one_move(house: House) -> None:
    one, other = await repeat(house, DAILY), await repeat(house, DAILY)
    bookings = [each.booking for view in (one, other) for each in view.occurrences if each.booking]
    following = Part(Scope.THIS_AND_FOLLOWING, house.day(10))
    where = house.app, house.organization

    def move(booking: UUID) -> Awaitable[Any]:
        return changes.move_booking(*where, booking, Move(house.start(22, days=14)), actor=STAFF)

    def cancel(booking: UUID) -> Awaitable[Any]:
        return changes.cancel_booking(*where, booking, by=CancelledBy.GUEST, actor=GUEST)

    counted = await outcomes(
        [
            patiently(lambda: settle(house, one, Part(Scope.ALL), at=time(20), skip=True)),
            patiently(lambda: settle(house, other, following, at=time(21), skip=True)),
            *(patiently(partial(move, each.id)) for each in reversed(bookings[::5])),
            patiently(lambda: cancel(bookings[3].id)),
        ]
    )
    assert set(counted) <= {"View", "Booking", "SlotTaken", "SeriesConflicts"}
    assert counted["View"] == 2
    assert await house.double_bookings() == 0
    live = [each.id for each in bookings if (await house.read(each.id)).live]
    assert len(await house.occupied()) == len(live) == 15


async def test_a_series_that_is_split_and_called_off_at_once_ends_as_one_of_both_says(house: House) -> None:
    made = await repeat(house)
    follow = Part(Scope.THIS_AND_FOLLOWING, house.day(14), expected_version=1)
    counted = await outcomes(
        [settle(house, made, follow, at=time(20)), *(call_off(house, made, follow) for _ in range(3))]
    )
    assert counted == {"View": 1, "VersionMismatch": 3}
    left = await series.get_series(house.app, house.organization, made.series.id)
    assert states(left) in (["booked"], ["booked", "cancelled", "cancelled", "cancelled"])


async def test_control_days_locked_in_the_order_of_the_call_wait_for_each_other(house: House) -> None:
    both_have_one = asyncio.Barrier(2)

    async def lock(first: date, second: date) -> None:
        async with house.app.db.begin(house.organization) as tx:
            await day_store.lock_days(tx, house.venue_id, {first})
            await both_have_one.wait()
            await day_store.lock_days(tx, house.venue_id, {second})

    one, other = house.day(7), house.day(8)
    assert (await outcomes([lock(one, other), lock(other, one)]))[Busy.__name__] >= 1
