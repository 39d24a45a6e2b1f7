"""Timers: due work happens once, failures come again, cancelled work never happens."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from servicekit import ids, timers
from servicekit.database import Database
from servicekit.telemetry import metrics
from servicekit.timers import Timer, TimerLoop
from testkit import eventually
from testkit.timers import scheduled


class Work:
    """An app that counts what was due."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.done: list[str] = []
        self.failures = 0

    async def do(self, timer: Timer) -> None:
        if self.failures:
            self.failures -= 1
            raise ValueError("not today")
        async with self.db.begin(timer.tenant) as tx:
            if await timers.done(tx, timer):
                self.done.append(timer.key)


async def _schedule(db: Database, key: str, seconds: float) -> None:
    async with db.begin(ids.new()) as tx:
        await timers.schedule(tx, "work", key, tx.now + timedelta(seconds=seconds))


async def _run(work: Work, loops: int = 1) -> tuple[asyncio.Event, list[asyncio.Task[None]]]:
    stop = asyncio.Event()
    running = [TimerLoop(work, work.db, {"work": Work.do}) for _ in range(loops)]
    return stop, [asyncio.create_task(loop.run(stop)) for loop in running]


async def test_many_loops_do_due_work_once(db: Database) -> None:
    work = Work(db)
    keys = [str(number) for number in range(60)]
    for key in keys:
        await _schedule(db, key, -1)
    stop, tasks = await _run(work, loops=3)
    await eventually(lambda: len(work.done) == len(keys))
    stop.set()
    await asyncio.gather(*tasks)
    assert sorted(work.done) == sorted(keys)
    assert await scheduled(db) == []


async def test_failed_work_comes_again(db: Database) -> None:
    work = Work(db)
    work.failures = 1
    await _schedule(db, "stubborn", -1)
    stop, tasks = await _run(work)
    await eventually(lambda: work.done == ["stubborn"])
    stop.set()
    await asyncio.gather(*tasks)


async def test_cancelled_and_future_work_is_left_alone(db: Database) -> None:
    work = Work(db)
    await _schedule(db, "cancelled", -1)
    await _schedule(db, "future", 3600)
    async with db.begin_platform(reason="test") as tx:
        await timers.cancel(tx, "work", "cancelled")
    await _schedule(db, "due", -1)
    stop, tasks = await _run(work)
    await eventually(lambda: work.done == ["due"])
    stop.set()
    await asyncio.gather(*tasks)
    assert [timer.key for timer in await scheduled(db)] == ["future"]


async def test_a_timer_that_was_replaced_is_not_done_by_its_old_handler(db: Database) -> None:
    await _schedule(db, "moved", -1)
    (old,) = await scheduled(db)
    async with db.begin(old.tenant) as tx:
        await timers.schedule(tx, "work", "moved", tx.now + timedelta(hours=1))
    async with db.begin(old.tenant) as tx:
        assert not await timers.done(tx, old)
    assert len(await scheduled(db)) == 1


async def test_a_table_that_is_locked_for_long_stops_no_loop(db: Database) -> None:
    work = Work(db)
    await _schedule(db, "patient", -1)
    async with db.begin_platform(reason="test") as tx:
        await tx.execute(sa.text("LOCK TABLE timers IN SHARE MODE"))
        stop, tasks = await _run(work)
        waits = metrics.PLATFORM_TRANSACTIONS.labels("claim due timers")._value
        before = waits.get()
        await eventually(lambda: waits.get() > before + 1)
    await eventually(lambda: work.done == ["patient"])
    stop.set()
    await asyncio.gather(*tasks)
