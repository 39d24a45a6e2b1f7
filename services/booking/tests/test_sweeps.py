"""Room is noticed however it appears, and offered to those who wait."""

from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import Actor, ActorKind
from booking.domain.venues import ResourceKind
from booking.domain.waitlist import (
    EntryStatus,
)
from booking.store import venues as venue_store
from booking.store import waitlist as store
from booking.tables import ALLOCATIONS, OFFERINGS
from booking.usecases import blocks, changes, sweeps, venues
from servicekit import ids

from .conftest import Payments
from .line import Line, ask_of, cancel, small_house

_GUEST = Actor(ActorKind.GUEST)
_STAFF = Actor(ActorKind.MEMBER, ids.new())


@pytest.fixture
async def line(app: App, payments: Payments) -> Line:
    return Line(await small_house(app, payments))


async def test_a_new_table_is_offered(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna")
    await line.sweep()
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
    await line.sweep()
    assert await line.status("anna") is EntryStatus.OFFERED


async def test_however_many_wait_whoever_fits_is_found_and_few_are_read_at_once(line: Line) -> None:
    house = line.house
    taken = await house.book(2)
    await house.book(6)
    (await line.wait("anna", 6)), (await line.wait("ben"))
    first, last = (await line.see("anna")).entry, (await line.see("ben")).entry
    crowd = [replace(first, id=UUID(int=first.id.int + number)) for number in range(1, sweeps.PAGE + 2)]
    async with house.app.db.begin(house.organization) as tx:
        for each in crowd:
            guest = replace(ask_of(house, f"guest-{each.id.int}").guest, id=ids.new())
            await store.insert_entry(tx, replace(each, ask=replace(each.ask, guest=guest)))
        behind, pages = UUID(int=0), []
        while page := await store.list_waiting(
            tx, house.venue_id, house.day(), after=behind, most=sweeps.PAGE
        ):
            pages.append(len(page))
            behind = page[-1].id
    assert pages == [sweeps.PAGE, 3]
    assert behind == last.id
    await cancel(house, taken.booking)
    await line.sweep()
    assert await line.status("ben") is EntryStatus.OFFERED


async def test_new_hours_are_offered(line: Line) -> None:
    house = line.house
    await house.book()
    await line.wait("anna", earliest="17:00")
    await line.sweep()
    await venues.add_shift(
        house.app,
        house.organization,
        house.ref,
        offering_id=house.offering.id,
        weekdays=range(1, 8),
        opens="17:00",
        last_start="17:00",
        closes="18:45",
    )
    await line.sweep()
    assert int((await line.offered("anna")).start.timestamp()) == house.start(17)


async def test_room_that_a_moved_booking_leaves_is_offered(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    await line.sweep()
    move = changes.Move(start=house.start(21))
    await changes.move_booking(house.app, house.organization, made.booking.id, move, actor=_GUEST)
    await line.sweep()
    assert await line.status("anna") is EntryStatus.OFFERED


async def test_room_of_a_hold_that_ran_out_is_offered(line: Line) -> None:
    house = line.house
    made = await house.book(6)
    await line.wait("anna", 6)
    await line.sweep()
    await house.run_out(made)
    await house.ring("hold_expiry", made.booking.id)
    await line.sweep()
    assert await line.status("anna") is EntryStatus.OFFERED


async def test_room_that_staff_unblock_is_offered(line: Line) -> None:
    house = line.house
    blocking = blocks.Blocking(
        (house.tables["T1"].id,), None, house.start(18), house.start(23), "Broken", strand=False
    )
    blocked = await blocks.create_block(house.app, house.organization, house.ref, blocking, actor=_STAFF)
    await line.wait("anna")
    await line.sweep()
    await blocks.delete_block(house.app, house.organization, house.ref, blocked.block.id)
    await line.sweep()
    assert await line.status("anna") is EntryStatus.OFFERED


async def test_whoever_joins_is_looked_after_even_if_the_sweep_of_the_room_came_too_early(line: Line) -> None:
    """As if the booking had gone, and been swept for, between what the join read and its commit."""
    house = line.house
    made = await house.book()
    await line.sweep()
    await line.wait("anna")
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.delete(ALLOCATIONS).where(ALLOCATIONS.c.booking_id == made.booking.id))
    await line.sweep()
    assert await line.status("anna") is EntryStatus.OFFERED


async def test_what_a_rule_forbids_by_now_is_not_offered(line: Line) -> None:
    house = line.house
    made = await house.book()
    await line.wait("anna")
    async with house.app.db.begin(house.organization) as tx:
        await tx.execute(sa.update(OFFERINGS).values(min_notice_minutes=60 * 24 * 14))
        await venue_store.bump_venue(tx, house.venue_id)
    await cancel(house, made.booking)
    await line.sweep()
    assert await line.status("anna") is EntryStatus.WAITING
