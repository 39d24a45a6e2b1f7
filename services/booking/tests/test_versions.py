"""Versions are remembered for a moment, and never past what this process knows of."""

import asyncio
from datetime import date

import pytest
import sqlalchemy as sa

from booking.domain.refusals import SlotTaken
from booking.store import versions
from booking.store.versions import Versions, forget, read_versions
from booking.tables import SERVICE_DAYS
from servicekit.database import Database
from testkit import eventually

from .asking import Counting
from .conftest import House, Payments, open_house


async def read(house: House, db: Database | Counting | None = None) -> Versions | None:
    asked = house.organization, house.venue_id, house.day(6), house.day(8)
    return await read_versions(db or house.app.db, *asked)  # type: ignore[arg-type]


async def day_version(house: House) -> int:
    found = await read(house)
    assert found is not None
    return found.days.get(house.day(), 0)


async def change_elsewhere(house: House) -> None:
    """As another process does."""
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(SERVICE_DAYS).values(version=SERVICE_DAYS.c.version + 1))


async def test_who_asks_at_once_is_told_without_asking_the_database(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "SECONDS", 60)
    counting = Counting(house.app.db)
    assert [await read(house, counting) for _ in range(3)] == [await read(house)] * 3
    assert counting.statements == 1


async def test_what_another_process_changed_is_seen_a_moment_later(house: House) -> None:
    await house.book(2)
    before = await day_version(house)
    await change_elsewhere(house)

    async def changed() -> bool:
        return await day_version(house) == before + 1

    await eventually(changed)


async def test_what_this_process_changed_is_seen_at_once(
    house: House, payments: Payments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "SECONDS", 60)
    other = await open_house(house.app, payments)
    assert await day_version(house) == 0
    of_the_other = await read(other)
    await house.book(2)
    assert await day_version(house) == 1
    assert await read(other) is of_the_other  # nobody else's is asked again


async def test_a_reading_that_was_on_its_way_is_not_remembered_past_a_change(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "SECONDS", 60)
    has_read, goes_on = asyncio.Event(), asyncio.Event()
    ask = versions._read

    async def slowly(*asked: object) -> Versions | None:
        found = await ask(*asked)  # type: ignore[arg-type]
        has_read.set()
        await goes_on.wait()
        return found

    monkeypatch.setattr(versions, "_read", slowly)
    on_its_way = asyncio.create_task(read(house))
    await has_read.wait()
    await house.book(2)
    goes_on.set()
    await on_its_way
    assert await day_version(house) == 1


async def test_who_is_refused_sees_why_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest who was too late searches again, and this process had not heard of the other booking."""
    monkeypatch.setattr(versions, "SECONDS", 60)
    await house.book(6)
    before = await day_version(house)
    await change_elsewhere(house)
    with pytest.raises(SlotTaken):
        await house.book(6)
    assert await day_version(house) == before + 1


async def test_a_stranger_is_told_nothing(house: House, payments: Payments) -> None:
    other = await open_house(house.app, payments)
    days: tuple[date, date] = house.day(6), house.day(8)
    assert await read_versions(house.app.db, house.organization, house.venue_id, *days)
    assert await read_versions(house.app.db, other.organization, house.venue_id, *days) is None


async def test_it_forgets_everything_when_it_is_not_told_whose(house: House) -> None:
    before = await read(house)
    forget(None)
    assert await read(house) is not before
