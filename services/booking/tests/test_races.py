"""What concurrency could break, on a real database; and a control that shows what the guards are for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from booking.app import App
from booking.domain.bookings import Actor, ActorKind, CancelledBy
from booking.domain.refusals import SlotTaken
from booking.domain.venues import ResourceKind
from booking.usecases import changes, venues
from booking.usecases.bookings import Made
from booking.usecases.changes import Move
from comptoir.booking.v1 import events_pb2
from servicekit import ids
from testkit import outbox
from testkit.databases import ServiceDatabases

from .conftest import House, Payments, open_house

_GUEST = Actor(ActorKind.GUEST)


async def outcomes(attempts: Sequence[Awaitable[Made]]) -> Counter[str]:
    """How many of concurrent attempts succeeded, and why the others did not."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


@pytest.fixture
async def one_table(app: App, payments: Payments) -> House:
    return await open_house(app, payments, tables=(("T1", 1, 2),), joined=())


async def test_only_one_of_fifty_concurrent_guests_gets_the_table(one_table: House) -> None:
    assert await outcomes([one_table.book() for _ in range(50)]) == {"Made": 1, "SlotTaken": 49}
    assert len(await one_table.occupied()) == 1


async def test_overlapping_stays_fight_for_the_table_just_the_same(one_table: House) -> None:
    starts = [one_table.start(19, minute) for minute in (0, 15, 30, 45)] * 6
    counted = await outcomes([one_table.book(2, start) for start in starts])
    assert counted == {"Made": 1, "SlotTaken": 23}


async def test_ten_tables_are_given_to_exactly_ten_of_forty(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=tuple((f"T{n}", 1, 2) for n in range(10)), joined=())
    assert await outcomes([house.book() for _ in range(40)]) == {"Made": 10, "SlotTaken": 30}
    assert await house.double_bookings() == 0


async def test_two_combinations_never_share_a_table(app: App, payments: Payments) -> None:
    house = await open_house(
        app,
        payments,
        tables=(("B", 1, 2), ("C", 1, 2), ("D", 1, 2)),
        joined=(("B", "C", 3, 4), ("C", "D", 3, 4)),
    )
    for days in range(7, 12):
        start = house.start(days=days)
        counted = await outcomes([house.book(party, start) for party in (4, 3, 4, 3, 2, 2)])
        assert counted["Made"] >= 2
        assert set(counted) <= {"Made", "SlotTaken"}
    assert await house.double_bookings() == 0
    assert not [each for each in await house.occupied() if each[0] not in _ids(house)]


def _ids(house: House) -> set[object]:
    return {table.id for table in house.tables.values()}


async def test_moving_and_creating_race_for_one_table(one_table: House) -> None:
    for days in range(7, 13):
        early, late = one_table.start(19, days=days), one_table.start(21, days=days)
        booked = (await one_table.book(2, early)).booking
        answers = await asyncio.gather(
            changes.move_booking(one_table.app, one_table.organization, booked.id, Move(late), actor=_GUEST),
            one_table.book(2, late),
            one_table.book(2, late),
            return_exceptions=True,
        )
        counted = Counter(type(answer).__name__ for answer in answers)
        assert counted in ({"SlotTaken": 2, "Booking": 1}, {"SlotTaken": 2, "Made": 1})
    assert await one_table.double_bookings() == 0


async def test_two_bookings_that_swap_days_do_not_wait_for_each_other(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2), ("T2", 1, 2)), joined=())
    first, second = house.start(days=7), house.start(days=8)
    one, other = (await house.book(2, first)).booking, (await house.book(2, second)).booking
    moved = await asyncio.gather(
        changes.move_booking(app, house.organization, one.id, Move(second), actor=_GUEST),
        changes.move_booking(app, house.organization, other.id, Move(first), actor=_GUEST),
    )
    assert [int(each.start.timestamp()) for each in moved] == [second, first]


async def test_a_booking_is_cancelled_once_however_many_ask(one_table: House) -> None:
    booked = (await one_table.book()).booking
    answers = await asyncio.gather(
        *(
            changes.cancel_booking(
                one_table.app, one_table.organization, booked.id, by=CancelledBy.GUEST, actor=_GUEST
            )
            for _ in range(8)
        )
    )
    assert {answer.version for answer in answers} == {2}
    told = await outbox.published(one_table.app.db)
    assert sum(isinstance(event, events_pb2.BookingCancelled) for event in told) == 1


async def test_a_retry_with_the_same_key_finds_the_booking_of_the_first_try(one_table: House) -> None:
    key = f"key-{ids.new()}"
    answers = await asyncio.gather(*(one_table.book(key=key) for _ in range(10)))
    assert len({answer.booking.id for answer in answers}) == 1
    assert len({answer.manage_token for answer in answers}) == 10
    assert (await one_table.book(key=key)).booking.id == answers[0].booking.id


async def test_an_expired_hold_is_evicted_once_by_many_who_want_its_tables(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("T1", 6, 8),), joined=())
    held = await house.book(6)
    await house.run_out(held)
    assert await outcomes([house.book(6) for _ in range(12)]) == {"Made": 1, "SlotTaken": 11}
    told = await outbox.published(app.db)
    assert sum(isinstance(event, events_pb2.BookingExpired) for event in told) == 1


@pytest.fixture
async def without_constraint(service_databases: ServiceDatabases, app: App) -> AsyncIterator[None]:
    """The database without its last line, and with it again afterwards."""
    settings = service_databases.settings("booking")
    assert settings.owner_url is not None
    owner = await asyncpg.connect(settings.owner_url.get_secret_value())
    await owner.execute("ALTER TABLE allocations DROP CONSTRAINT allocations_no_overlap")
    yield
    await owner.execute("TRUNCATE allocations")
    await owner.execute(
        "ALTER TABLE allocations ADD CONSTRAINT allocations_no_overlap"
        " EXCLUDE USING gist (resource_id WITH =, during WITH &&)"
    )
    await owner.close()


async def test_control_without_version_check_and_constraint_a_table_is_sold_twice(
    one_table: House, without_constraint: None
) -> None:
    reckless = replace(one_table.app, guarded=False)
    for days in range(2, 60):  # each day is a new chance; as a rule the first one is enough
        start = one_table.start(days=days)
        await outcomes([one_table.book(2, start + 900 * (each % 3), app=reckless) for each in range(20)])
        if await one_table.double_bookings():
            break
    assert await one_table.double_bookings() > 0


async def test_the_version_check_alone_keeps_a_table_from_being_sold_twice(
    one_table: House, without_constraint: None
) -> None:
    attempts = [one_table.book(2, one_table.start() + 900 * (each % 3)) for each in range(30)]
    assert await outcomes(attempts) == {"Made": 1, "SlotTaken": 29}
    assert await one_table.double_bookings() == 0


async def test_the_constraint_alone_keeps_a_table_from_being_sold_twice(one_table: House) -> None:
    reckless = replace(one_table.app, guarded=False)
    counted = await outcomes([one_table.book(app=reckless) for _ in range(30)])
    assert counted["Made"] == 1
    assert counted == {"Made": 1, "SlotTaken": 29}
    assert datetime.now(UTC) < (await one_table.occupied())[0][1]
    with pytest.raises(SlotTaken):
        await one_table.book()


async def test_stays_of_two_service_days_that_overlap_fight_for_the_table_too(one_table: House) -> None:
    """Their days have different versions, so the constraint decides, and the loser plans again."""
    houses = []
    for name, opens, last, closes in (
        ("Night", "23:00", "00:30", "01:30"),
        ("Early", "00:30", "01:30", "03:00"),
    ):
        offering = await venues.add_offering(
            one_table.app,
            one_table.organization,
            one_table.ref,
            name=name,
            turn_times=one_table.offering.turn_times,
            deposit=None,
            slot_minutes=30,
            min_notice_minutes=0,
            max_advance_days=90,
        )
        await venues.add_shift(
            one_table.app,
            one_table.organization,
            one_table.ref,
            offering_id=offering.id,
            weekdays=range(1, 8),
            opens=opens,
            last_start=last,
            closes=closes,
        )
        houses.append(replace(one_table, offering=offering))
    night, early = houses
    for days in range(8, 14):
        attempts = [night.book(2, one_table.start(0, 30, days=days)) for _ in range(6)]
        attempts += [early.book(2, one_table.start(1, 0, days=days)) for _ in range(6)]
        assert await outcomes(attempts) == {"Made": 1, "SlotTaken": 11}
    assert await one_table.double_bookings() == 0


async def test_tables_added_while_guests_book_are_never_sold_twice(one_table: House) -> None:
    async def add(number: int) -> None:
        await venues.add_resource(
            one_table.app,
            one_table.organization,
            one_table.ref,
            name=f"New {number}",
            kind=ResourceKind.TABLE,
            min_party=1,
            max_party=2,
            area_id=None,
        )

    answers = await asyncio.gather(
        *(add(number) for number in range(3)), *(one_table.book() for _ in range(12)), return_exceptions=True
    )
    counted = Counter(type(answer).__name__ for answer in answers)
    assert set(counted) <= {"NoneType", "Made", "SlotTaken"}
    assert counted["NoneType"] == 3
    for _ in range(4 - counted["Made"]):
        await one_table.book()
    assert len(await one_table.occupied()) == 4
    assert await one_table.double_bookings() == 0
