"""What concurrency could break in a line, on a real database; and controls that show what guards are for."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg
import pytest

from booking.app import App
from booking.domain.bookings import Status
from booking.domain.waitlist import EntryStatus, Outcome
from booking.store.days import Plans, lock_days
from booking.timers import TIMERS
from booking.usecases import blocks, waitlist
from booking.usecases.bookings import Made
from booking.usecases.offers import WAITLIST_OFFER
from servicekit.database import Database
from servicekit.errors import Busy
from servicekit.paging import page
from testkit import timers
from testkit.databases import ServiceDatabases
from testkit.waiting import eventually, waiting_for_locks

from .conftest import House, Payments, open_house
from .line import GUEST, Line, cancel


@pytest.fixture
async def replicas(app: App, service_databases: ServiceDatabases) -> AsyncIterator[list[App]]:
    """Three programs on one database, each with connections and plans of its own."""
    settings = service_databases.settings("booking")
    further = [Database(settings, name="booking") for _ in range(2)]
    yield [app, *(replace(app, db=db, plans=Plans()) for db in further)]
    for db in further:
        await db.close()


async def house_of(app: App, payments: Payments, tables: int) -> House:
    """Tables for two, as many as wanted."""
    return await open_house(app, payments, tables=tuple((f"T{n}", 1, 2) for n in range(tables)), joined=())


async def cancel_all(house: House, made: Sequence[Made]) -> None:
    for each in made:
        await cancel(house, each.booking)


async def results(attempts: Sequence[Awaitable[object]]) -> Counter[str]:
    """What concurrent attempts answered, by type; refusals included."""
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    return Counter(type(answer).__name__ for answer in answers)


async def test_ten_parallel_runs_offer_each_place_once_and_in_order(
    replicas: list[App], payments: Payments
) -> None:
    house = await house_of(replicas[0], payments, 3)
    made = [await house.book() for _ in range(3)]
    line = Line(house)
    names = [f"guest{number}" for number in range(8)]
    for name in names:
        await line.wait(name)
    await cancel_all(house, made)
    runs = await asyncio.gather(*(line.sweep_day(app=replicas[run % 3]) for run in range(10)))
    assert sum(runs) == 3
    assert {offer.entry_id for offer in await line.pending()} == {line.entries[name] for name in names[:3]}
    assert len(await house.occupied()) == 3
    assert await house.double_bookings() == 0


async def test_parallel_runs_of_several_days_offer_a_flexible_guest_one_place(
    replicas: list[App], payments: Payments
) -> None:
    house = await house_of(replicas[0], payments, 1)
    booked = [await house.book(2, house.start(days=days)) for days in (6, 7, 8)]
    line = Line(house)
    for name in ("anna", "ben"):
        await line.wait(name, flexible_days=1)
    await cancel_all(house, booked)
    runs = await asyncio.gather(
        *(line.sweep_day(days, app=replicas[run % 3]) for run in range(4) for days in (6, 7, 8))
    )
    assert sum(runs) == 2
    assert Counter(offer.entry_id for offer in await line.pending()) == dict.fromkeys(
        line.entries.values(), 1
    )


async def test_a_place_is_offered_or_booked_and_never_both(app: App, payments: Payments) -> None:
    house = await house_of(app, payments, 1)
    for days in range(7, 12):
        start = house.start(days=days)
        made = await house.book(2, start)
        line = Line(house)
        await line.wait(f"guest{days}", days=days)
        await cancel_all(house, [made])
        answers = await results([line.sweep_day(days), *(house.book(2, start) for _ in range(4))])
        offered = [offer for offer in await line.pending() if int(offer.start.timestamp()) == start]
        assert len(offered) + answers["Made"] == 1
        assert set(answers) <= {"int", "Made", "SlotTaken"}
    assert await house.double_bookings() == 0


async def test_an_offer_is_accepted_or_declined_or_withdrawn_or_run_out(app: App, payments: Payments) -> None:
    house = await house_of(app, payments, 1)
    for days in range(7, 12):
        made = await house.book(2, house.start(days=days))
        line = Line(house)
        name = f"guest{days}"
        await line.wait(name, days=days)
        await cancel_all(house, [made])
        await line.sweep_day(days)
        held = await line.offered(name)
        (timer,) = await timers.scheduled(app.db, WAITLIST_OFFER)
        answers = await results(
            [
                line.decline(name),
                line.accept(name),
                line.leave(name),
                TIMERS[WAITLIST_OFFER](app, timer),
                line.accept(name),
            ]
        )
        assert "DeadlockDetectedError" not in answers
        status, booking = await line.status(name), await house.read(held.id)
        taken = status is EntryStatus.ACCEPTED
        assert status in (EntryStatus.ACCEPTED, EntryStatus.DECLINED, EntryStatus.WITHDRAWN)
        assert booking.status is (Status.CONFIRMED if taken else Status.EXPIRED)
        assert await house.seats_of(held.id) == ({"T0"} if taken else set())
        assert await line.pending() == []


async def test_one_contact_that_joins_ten_times_at_once_waits_once(app: App, payments: Payments) -> None:
    house = await house_of(app, payments, 1)
    await house.book()
    line = Line(house)
    answers = await asyncio.gather(*(line.wait("anna") for _ in range(10)), return_exceptions=True)
    joined = [seen.entry for seen in answers if not isinstance(seen, BaseException)]
    (real,) = [entry.id for entry in joined if not entry.unproven]
    assert {type(answer) for answer in answers if isinstance(answer, BaseException)} <= {Busy}
    listed, _ = await waitlist.list_waitlist(
        app, house.organization, house.ref, day=house.day(), include_ended=True, page=page(50, "", keys=1)
    )
    assert [(seen.entry.id, seen.position) for seen in listed] == [(real, 1)]


async def test_room_that_appears_while_somebody_joins_is_not_missed(app: App, payments: Payments) -> None:
    """Whoever commits later has a sweep that sees both."""
    house = await house_of(app, payments, 1)
    for days in range(7, 15):
        made = await house.book(2, house.start(days=days))
        line = Line(house)
        await results([cancel_all(house, [made]), line.wait(f"guest{days}", days=days)])
        await line.sweep()
        if line.entries:  # else it was bookable already
            assert await line.status(f"guest{days}") is EntryStatus.OFFERED


async def test_a_run_that_cannot_have_the_day_is_repeated_and_loses_nothing(
    app: App, payments: Payments
) -> None:
    house = await house_of(app, payments, 1)
    made = await house.book()
    line = Line(house)
    await line.wait("anna")
    await line.sweep()
    await cancel_all(house, [made])
    (timer,) = await timers.scheduled(app.db, "waitlist_sweep")
    async with app.db.begin(house.organization) as tx:
        await lock_days(tx, house.venue_id, {house.day()})
        with pytest.raises(Busy):
            await TIMERS[timer.kind](app, timer)
    assert await timers.scheduled(app.db, "waitlist_sweep") == [timer]
    await TIMERS[timer.kind](app, timer)
    assert await line.status("anna") is EntryStatus.OFFERED
    assert await timers.scheduled(app.db, "waitlist_sweep") == []


@dataclass(frozen=True)
class Guards:
    """The database's last lines, which a control takes away."""

    owner: asyncpg.Connection

    async def drop(self) -> None:
        await self.owner.execute("ALTER TABLE allocations DROP CONSTRAINT allocations_no_overlap")
        await self.owner.execute("DROP INDEX waitlist_offers_one_pending")

    async def restore(self) -> None:
        await self.owner.execute("TRUNCATE allocations, waitlist_offers")
        await self.owner.execute(
            "ALTER TABLE allocations ADD CONSTRAINT allocations_no_overlap"
            " EXCLUDE USING gist (resource_id WITH =, during WITH &&)"
        )
        await self.owner.execute(
            "CREATE UNIQUE INDEX waitlist_offers_one_pending ON waitlist_offers (organization_id, entry_id)"
            f" WHERE outcome = '{Outcome.PENDING.value}'"
        )


@pytest.fixture
async def without_last_lines(service_databases: ServiceDatabases, app: App) -> AsyncIterator[None]:
    """The database without what keeps places and entries from being offered twice, and with it afterwards."""
    settings = service_databases.settings("booking")
    assert settings.owner_url is not None
    owner = await asyncpg.connect(settings.owner_url.get_secret_value())
    guards = Guards(owner)
    await guards.drop()
    yield
    await guards.restore()
    await owner.close()


async def freed_day(house: House, days: int) -> Line:
    """A day on which somebody waits for 19:00, and there is room at last."""
    made = await house.book(2, house.start(days=days))
    line = Line(house)
    await line.wait(f"guest{days}", days=days)
    await cancel_all(house, [made])
    return line


async def rush(line: Line, days: int, apps: Sequence[App]) -> Counter[str]:
    """Ten sweeps, and ten guests who want the table a little later."""
    late = line.house.start(19, 15, days=days)
    attempts: list[Awaitable[object]] = []
    for each in range(10):
        app = apps[each % len(apps)]
        attempts += [line.sweep_day(days, app=app), line.house.book(2, late, app=app)]
    return await results(attempts)


async def test_control_without_locks_a_place_is_offered_and_booked(
    app: App, payments: Payments, without_last_lines: None
) -> None:
    house = await open_house(app, payments, tables=(("T1", 1, 2),), joined=())
    line, reckless = await freed_day(house, 7), replace(app, guarded=False)
    async with app.db.begin(house.organization) as tx:
        await lock_days(tx, house.venue_id, {house.day(7)})
        both = asyncio.ensure_future(
            results([line.sweep_day(app=reckless), house.book(2, house.start(19, 15), app=reckless)])
        )
        await eventually(lambda: two_wait(app))  # each has seen the free table, and is about to write
    assert await both == {"int": 1, "Made": 1}
    assert await house.double_bookings() == 1


async def two_wait(app: App) -> bool:
    """Whether two transactions wait for locks of others."""
    return await waiting_for_locks(app.db) >= 2


async def test_control_without_locks_a_guest_is_offered_two_places(
    app: App, payments: Payments, without_last_lines: None
) -> None:
    house = await house_of(app, payments, 2)
    reckless = replace(app, guarded=False)
    line = Line(house)
    for days in range(7, 40, 3):
        around = (days, days + 1, days + 2)
        booked = [await house.book(2, house.start(days=day)) for day in around for _ in range(2)]
        await line.wait(f"guest{days}", days=days + 1, flexible_days=1)
        await cancel_all(house, booked)
        await results([line.sweep_day(day, app=reckless) for day in around for _ in range(3)])
        if max(Counter(offer.entry_id for offer in await line.pending()).values()) > 1:
            break
    assert max(Counter(offer.entry_id for offer in await line.pending()).values()) > 1


async def test_the_locks_alone_keep_places_and_guests_from_being_offered_twice(
    replicas: list[App], payments: Payments, without_last_lines: None
) -> None:
    house = await house_of(replicas[0], payments, 1)
    for days in range(7, 10):
        line = await freed_day(house, days)
        await rush(line, days, replicas)
    assert await house.double_bookings() == 0
    assert set(Counter(offer.entry_id for offer in await line.pending()).values()) <= {1}


async def test_the_last_lines_alone_keep_places_and_guests_from_being_offered_twice(
    app: App, payments: Payments
) -> None:
    house = await house_of(app, payments, 1)
    for days in range(7, 10):
        line = await freed_day(house, days)
        await rush(line, days, [replace(app, guarded=False)])
    assert await house.double_bookings() == 0
    assert set(Counter(offer.entry_id for offer in await line.pending()).values()) <= {1}


@dataclass(frozen=True)
class Wait:
    """Somebody in line, as the oracle knows them: a window of minutes after 19:00."""

    name: str
    party_size: int
    earliest: int
    latest: int


_TURNS = {1: 90, 2: 90, 3: 120, 4: 120, 5: 150, 6: 150}
_SIZES = ((1, 2), (2, 4), (3, 6))


def can_all_sit(
    tables: Sequence[tuple[int, int]],
    busy: Sequence[tuple[int, int, int]],
    parties: Sequence[tuple[int, int]],
) -> bool:
    """Whether some way of giving each party (its start and size) a table of its own works; tries all."""
    if not parties:
        return True
    (minute, size), *others = parties
    end = minute + _TURNS[size]
    return any(
        can_all_sit(tables, [*busy, (number, minute, end)], others)
        for number, (least, most) in enumerate(tables)
        if least <= size <= most
        and not any(table == number and minute < until and since < end for table, since, until in busy)
    )


def offers_by_hand(
    tables: Sequence[tuple[int, int]], busy: Sequence[tuple[int, int, int]], line: list[Wait]
) -> dict[str, int]:
    """Who is offered which minute: each in turn the first at which they and all before them have a table.

    A start is promised, and no table: who was offered one may be moved to another for somebody behind.
    """
    offered: dict[str, int] = {}
    promised: list[tuple[int, int]] = []
    for each in line:
        for minute in range(0, 181, 15):
            wish = (minute, each.party_size)
            if each.earliest <= minute <= each.latest and can_all_sit(tables, busy, [*promised, wish]):
                promised.append(wish)
                offered[each.name] = minute
                break
    return offered


@pytest.mark.parametrize("seed", range(12))
async def test_what_is_offered_is_what_a_slow_and_obvious_reading_of_the_rules_offers(
    app: App, payments: Payments, seed: int
) -> None:
    """First come first among those that fit; nobody twice; no place twice; and nobody is left that fits."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    tables = [chance.choice(_SIZES) for _ in range(chance.randint(1, 4))]
    named = tuple((f"T{number}", *size) for number, size in enumerate(tables))
    house = await open_house(app, payments, tables=named, joined=())
    blocked = await block_all(house, chance)
    line, waits = Line(house), []
    for number in range(8):
        size, earliest = chance.randint(1, max(most for _, most in tables)), chance.randrange(0, 181, 15)
        wait = Wait(f"g{number}", size, earliest, chance.randrange(earliest, 181, 15))
        if any(least <= size <= most for least, most in tables):
            await line.wait(wait.name, size, earliest=clock(wait.earliest), latest=clock(wait.latest))
            waits.append(wait)
    await line.sweep()
    assert await line.pending() == []
    freed = [each for each in blocked if chance.random() < 0.6]
    for each in freed:
        await blocks.delete_block(app, house.organization, house.ref, each)
    await line.sweep()
    busy = [span for each, span in blocked.items() if each not in freed]
    names = {entry: name for name, entry in line.entries.items()}
    offered = {
        names[offer.entry_id]: (int(offer.start.timestamp()) - house.start()) // 60
        for offer in await line.pending()
    }
    assert offered == offers_by_hand(tables, busy, waits)
    assert await house.double_bookings() == 0


async def block_all(house: House, chance: random.Random) -> dict[UUID, tuple[int, int, int]]:
    """Blocks every table for the evening, in two halves: table and minutes after 19:00, by block."""
    made = {}
    for number, table in enumerate(house.tables.values()):
        middle = chance.randrange(30, 240, 15)
        for start, end in ((-60, middle), (middle, 420)):
            first, last = house.start() + 60 * start, house.start() + 60 * end
            blocking = blocks.Blocking((table.id,), None, first, last, "", strand=False)
            block = await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=GUEST)
            made[block.block.id] = (number, start, end)
    return made


def clock(minute: int) -> str:
    """Minutes after 19:00 as a local time."""
    return f"{19 + minute // 60}:{minute % 60:02}"
