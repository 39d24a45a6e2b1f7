"""What no constraint can express, raced on a real database: sums, and bookings that move for each other."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, CancelledBy
from booking.domain.refusals import SlotTaken
from booking.store.days import Plans
from booking.tables import ALLOCATIONS, BOOKINGS
from booking.usecases import assignments, bookings, changes, floor, pacing
from booking.usecases.changes import Move
from booking.usecases.floor import Furnishing
from booking.usecases.pacing import Limits
from servicekit import ids
from testkit.callers import anonymous

from .conftest import House, Payments, open_house

STAFF = Actor(ActorKind.MEMBER, ids.new())


def replicas(app: App, count: int = 3) -> list[App]:
    """Processes as far as it matters: each knows its own plans only."""
    return [replace(app, plans=Plans()) for _ in range(count)]


async def outcomes(attempts: Sequence[Awaitable[Any]]) -> Counter[str]:
    """How many of concurrent attempts succeeded, and why the others did not."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


async def torn(house: House) -> int:
    """Live bookings whose rows are not at the resources that they name. Never more than none."""
    rows = (
        sa.select(sa.func.array_agg(ALLOCATIONS.c.resource_id))
        .where(ALLOCATIONS.c.booking_id == BOOKINGS.c.id)
        .scalar_subquery()
    )
    query = sa.select(BOOKINGS.c.resource_ids, rows).where(
        BOOKINGS.c.venue_id == house.venue_id, BOOKINGS.c.status.in_(["held", "confirmed"])
    )
    async with house.app.db.begin(house.organization) as tx:
        return sum(set(named) != set(had or ()) for named, had in await tx.execute(query))


async def people_at(house: House, start: int) -> int:
    """People who begin then."""
    query = sa.select(sa.func.sum(BOOKINGS.c.party_size)).where(
        BOOKINGS.c.venue_id == house.venue_id,
        BOOKINGS.c.status == "confirmed",
        sa.extract("epoch", BOOKINGS.c.start_at) == start,
    )
    async with house.app.db.begin(house.organization) as tx:
        return int((await tx.execute(query)).scalar_one() or 0)


async def test_any_of_ten_tables_is_given_to_exactly_ten_of_a_hundred(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 2) for n in range(10)), joined=())
    apps = replicas(app)
    answers: list[Any] = []
    for wave in range(4):
        attempts = [house.book(app=apps[(wave + each) % 3]) for each in range(25)]
        answers += await asyncio.gather(*attempts, return_exceptions=True)
    assert Counter(type(answer).__name__ for answer in answers) == {"Made": 10, "SlotTaken": 90}
    assert await house.double_bookings() == 0


@pytest.fixture
async def paced(app: App, payments: Payments) -> House:
    """Twenty tables for two, of which eight people may begin within a quarter of an hour."""
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 2) for n in range(20)), joined=())
    for number, table in enumerate(house.tables.values()):
        only = Furnishing(table.name, 1, 2, None, [f"table-{number}"], 0, online=True, in_service=True)
        await floor.update_resource(app, house.organization, house.ref, table.id, only)
    await pacing.create_rule(app, house.organization, house.ref, Limits(None, 15, 8, None, None, None))
    return house


async def all_at_once(house: House, apps: list[App], start: int) -> Counter[str]:
    """Twenty guests, each of whom wants another table: only pacing stands between them."""
    wishes = [
        replace(house.wish(2, start), attributes=frozenset({f"table-{number}"})) for number in range(20)
    ]
    return await outcomes(
        [
            bookings.create_booking(apps[number % len(apps)], house.ref, wish, caller=anonymous())
            for number, wish in enumerate(wishes)
        ]
    )


async def test_pacing_is_never_exceeded_by_twenty_who_book_at_once(paced: House) -> None:
    apps = replicas(paced.app)
    for days in range(2, 6):
        start = paced.start(days=days)
        counted = await all_at_once(paced, apps, start)
        assert counted == {"Made": 4, "SlotPaced": 16}
        assert await people_at(paced, start) == 8


async def test_control_without_the_version_check_pacing_is_exceeded(paced: House) -> None:
    reckless = [replace(each, guarded=False) for each in replicas(paced.app)]
    most = 0
    for days in range(2, 30):  # each day is a new chance; as a rule the first one is enough
        start = paced.start(days=days)
        await all_at_once(paced, reckless, start)
        most = max(most, await people_at(paced, start))
        if most > 8:
            break
    assert most > 8
    assert await paced.double_bookings() == 0


async def test_a_paced_booking_that_moves_and_others_that_are_made_share_the_quota(paced: House) -> None:
    for days in range(2, 6):
        early, late = paced.start(19, days=days), paced.start(21, days=days)
        movers = [(await paced.book(2, early)).booking for _ in range(3)]
        await outcomes(
            [
                *(
                    changes.move_booking(paced.app, paced.organization, each.id, Move(late), actor=STAFF)
                    for each in movers
                ),
                *(paced.book(2, late, app=each) for each in replicas(paced.app, 4)),
            ]
        )
        assert await people_at(paced, late) == 8


@pytest.fixture
async def tight(app: App, payments: Payments) -> House:
    return await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())


async def in_the_large_one(house: House, start: int) -> Any:
    """A party of two that sits at the table for four, with the one for two free."""
    other = (await house.book(2, start)).booking
    sits = (await house.book(2, start)).booking
    await changes.cancel_booking(house.app, house.organization, other.id, by=CancelledBy.VENUE, actor=STAFF)
    return sits


async def test_who_is_moved_by_the_engine_and_by_staff_at_once_ends_at_one_place(tight: House) -> None:
    for days in range(2, 8):
        start = tight.start(days=days)
        sits = await in_the_large_one(tight, start)
        counted = await outcomes(
            [
                tight.book(4, start),
                changes.move_booking(tight.app, tight.organization, sits.id, Move(start + 900), actor=STAFF),
            ]
        )
        assert set(counted) <= {"Made", "Booking", "SlotTaken"}
        assert counted["Made"] == 1
        assert await torn(tight) == 0
    assert await tight.double_bookings() == 0


async def test_who_is_pinned_while_the_engine_wants_to_move_them_stays_or_was_moved_before(
    tight: House,
) -> None:
    for days in range(2, 8):
        start = tight.start(days=days)
        sits = await in_the_large_one(tight, start)
        counted = await outcomes(
            [
                tight.book(4, start),
                assignments.pin(tight.app, tight.organization, sits.id, pinned=True, actor=STAFF),
            ]
        )
        now = await tight.read(sits.id)
        assert now.pinned
        assert (now.resource_ids != sits.resource_ids) == (counted["Made"] == 1)
        assert await torn(tight) == 0
    assert await tight.double_bookings() == 0


async def test_many_who_want_the_room_of_one_that_can_move_get_it_once(tight: House) -> None:
    apps = replicas(tight.app)
    for days in range(2, 8):
        start = tight.start(days=days)
        sits = await in_the_large_one(tight, start)
        counted = await outcomes([tight.book(4, start, app=apps[each % 3]) for each in range(9)])
        assert counted == {"Made": 1, "SlotTaken": 8}
        assert (await tight.read(sits.id)).version == 2
        assert await torn(tight) == 0
    assert await tight.double_bookings() == 0


async def test_cancelling_who_is_being_moved_never_leaves_half_of_it(tight: House) -> None:
    for days in range(2, 8):
        start = tight.start(days=days)
        sits = await in_the_large_one(tight, start)
        cancel = changes.cancel_booking(
            tight.app, tight.organization, sits.id, by=CancelledBy.GUEST, actor=STAFF
        )
        assert await outcomes([tight.book(4, start), cancel]) == {"Made": 1, "Booking": 1}
        assert await torn(tight) == 0
        assert await tight.seats_of(sits.id) == set()
        await tight.book(2, start)
        with pytest.raises(SlotTaken):
            await tight.book(2, start)
    assert await tight.double_bookings() == 0
