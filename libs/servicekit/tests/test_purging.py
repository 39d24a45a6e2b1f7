"""Rounds of purging: every organization in turn, in small steps, and on from where they stopped."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from servicekit import ids, purging, retention, timers
from servicekit.database import Database, Transaction
from servicekit.errors import AppError, Busy, DeadlineExceeded, Unavailable
from servicekit.purging import PURGE, PlatformPurge, Purged, TenantPurge, delete, deletion
from servicekit.retention import Periods, Retention
from servicekit.timers import Timer, TimerLoop
from testkit import eventually
from testkit.purging import purge
from testkit.timers import scheduled

NOTES = sa.Table(
    "notes",
    sa.MetaData(),
    sa.Column("organization_id", sa.Uuid),
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("text", sa.Text),
)
OLD, NEW = "old", "new"
_OF_TENANT = sa.and_(
    NOTES.c.organization_id == sa.bindparam("organization", type_=sa.Uuid), NOTES.c.text == OLD
)
_DELETE = deletion(NOTES, _OF_TENANT, oldest=NOTES.c.id)
_DELETE_ANYWHERE = deletion(NOTES, NOTES.c.text == OLD, oldest=NOTES.c.id)


class Attic:
    """A service that forgets old notes, and breaks down when it is told to."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.steps: list[UUID | None] = []
        self.breaks_after: int | None = None

    async def of_tenant(self, tx: Transaction, _periods: Periods, most: int) -> Purged:
        self._step(tx)
        return await delete(tx, _DELETE, most, organization=tx.organization)

    async def of_platform(self, tx: Transaction, most: int) -> Purged:
        self._step(tx)
        return await delete(tx, _DELETE_ANYWHERE, most)

    async def run(self, timer: Timer) -> None:
        kinds = {"notes": TenantPurge(NOTES, self.of_tenant), "all": PlatformPurge(self.of_platform)}
        await purging.purge(self.db, timer, kinds)

    def _step(self, tx: Transaction) -> None:
        if self.breaks_after == len(self.steps):
            raise Unavailable
        self.steps.append(tx.organization)


async def write(db: Database, *notes: tuple[UUID, str]) -> None:
    rows = [{"organization_id": organization, "id": ids.new(), "text": text} for organization, text in notes]
    async with db.begin_platform(reason="write notes in a test") as tx:
        await tx.execute(sa.insert(NOTES), rows)


async def count(db: Database) -> Mapping[str, int]:
    async with db.begin_platform(reason="count notes in a test") as tx:
        query = sa.select(NOTES.c.text, sa.func.count().label("many")).group_by(NOTES.c.text)
        return {row.text: row.many for row in await tx.execute(query)}


async def first_timer(db: Database, key: str) -> Timer:
    async with db.begin_platform(reason="begin a purge in a test") as tx:
        await timers.schedule(tx, PURGE, key, tx.now)
    (timer,) = await scheduled(db, PURGE)
    return timer


async def test_a_round_comes_to_every_organization_once(db: Database) -> None:
    attic, organizations = Attic(db), [ids.new() for _ in range(120)]
    await write(db, *((each, text) for each in organizations for text in (OLD, NEW)))
    await purge(attic, db, {PURGE: Attic.run}, "notes")
    assert attic.steps == sorted(organizations)
    assert await count(db) == {NEW: 120}


@pytest.mark.parametrize("key", ["notes", "all"])
async def test_an_organization_with_much_takes_several_small_steps(db: Database, key: str) -> None:
    attic, full, other = Attic(db), *sorted((ids.new(), ids.new()))
    await write(db, *[(full, OLD)] * (2 * purging.BATCH + 7), (full, NEW), (other, OLD))
    await purge(attic, db, {PURGE: Attic.run}, key)
    assert attic.steps == ([full] * 3 + [other] if key == "notes" else [None] * 3)
    assert await count(db) == {NEW: 1}


async def test_who_dies_in_a_stretch_repeats_no_more_than_that(db: Database) -> None:
    """What was purged is committed; the timer still says where the stretch began."""
    attic, organizations = Attic(db), sorted(ids.new() for _ in range(60))
    await write(db, *((each, OLD) for each in organizations))
    timer = await first_timer(db, "notes")
    await attic.run(timer)
    (going,) = await scheduled(db, PURGE)
    assert going.payload == {"after": str(organizations[49])}
    attic.breaks_after = 55
    with pytest.raises(Unavailable):
        await attic.run(going)
    (still,) = await scheduled(db, PURGE)
    assert still.payload == going.payload
    assert await count(db) == {OLD: 5}
    attic.breaks_after = None
    await attic.run(still)
    assert await count(db) == {}
    assert attic.steps[55:] == organizations[55:], "what has no row any more is not looked at"


async def test_rows_that_somebody_holds_are_left_and_nobody_waits(db: Database) -> None:
    attic, held, free = Attic(db), *sorted((ids.new(), ids.new()))
    await write(db, (held, OLD), (free, OLD))
    async with db.begin(held) as tx:
        await tx.execute(sa.select(NOTES).with_for_update())
        await purge(attic, db, {PURGE: Attic.run}, "notes")
        assert await count(db) == {OLD: 1}
    await purge(attic, db, {PURGE: Attic.run}, "notes")
    assert await count(db) == {}


@pytest.mark.parametrize("refusal", [Busy, DeadlineExceeded])
async def test_one_organization_that_cannot_be_purged_keeps_no_other_waiting(
    db: Database, refusal: type[AppError]
) -> None:
    """Somebody holds its rows for too long, or they are too many: it is left for the next round."""
    stuck, free = sorted((ids.new(), ids.new()))
    await write(db, (stuck, OLD), (free, OLD))

    class Stuck(Attic):
        async def of_tenant(self, tx: Transaction, periods: Periods, most: int) -> Purged:
            if tx.organization == stuck:
                raise refusal
            return await super().of_tenant(tx, periods, most)

    attic = Stuck(db)
    await attic.run(await first_timer(db, "notes"))
    assert attic.steps == [free]
    assert await count(db) == {OLD: 1}


async def test_two_rounds_at_once_delete_each_row_once(db: Database) -> None:
    """A lease that ran out: another process begins while the first one still works."""
    attic, organizations = Attic(db), [ids.new() for _ in range(5)]
    await write(db, *((each, OLD) for each in organizations for _ in range(purging.BATCH)))
    timer = await first_timer(db, "notes")
    await asyncio.gather(attic.run(timer), attic.run(replace(timer, id=ids.new())))
    assert await count(db) == {}
    (later,) = await scheduled(db, PURGE)
    assert later.payload == {}


async def test_the_loop_runs_a_round_and_puts_the_next_one_off(db: Database) -> None:
    attic = Attic(db)
    await write(db, *((ids.new(), OLD) for _ in range(70)))
    timer, stop = await first_timer(db, "notes"), asyncio.Event()
    running = asyncio.create_task(TimerLoop(attic, db, {PURGE: Attic.run}).run(stop))

    async def done() -> bool:
        (found,) = await scheduled(db, PURGE)
        return found.due_at >= timer.due_at + purging.EVERY and not found.payload

    await eventually(done)
    stop.set()
    await running
    assert await count(db) == {}


async def test_an_older_change_never_wins(db: Database) -> None:
    organization, short = ids.new(), Periods(guest_days=1)
    async with db.begin(organization) as tx:
        assert await retention.read(tx) == Retention(1, Periods())
        assert await retention.note(tx, Retention(3, short))
        assert not await retention.note(tx, Retention(2, Periods()))
        assert not await retention.note(tx, Retention(3, Periods()))
        assert await retention.read(tx) == Retention(3, short)
        assert retention.before(tx, 2) == tx.now - timedelta(days=2)
    async with db.begin(ids.new()) as tx:
        assert await retention.read(tx) == Retention(1, Periods())


def test_what_is_chosen_is_chosen_once() -> None:
    """Where its statistics are those of a small table, PostgreSQL looks a subquery that locks rows up
    again for each row, and deletes them all. It never does so with a table expression that locks rows.
    """
    shown = str(_DELETE.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    expression, _, rest = shown.partition("DELETE FROM notes")
    assert expression.startswith("WITH chosen AS")
    assert "FOR UPDATE SKIP LOCKED" in expression
    assert "FOR UPDATE" not in rest
