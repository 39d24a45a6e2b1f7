"""Re-seating on a real database: who makes room for whom, and what is kept of it."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from booking.app import App
from booking.domain.bookings import CancelledBy
from booking.domain.overrides import Override, Rule
from booking.domain.refusals import Refusal, SlotTaken
from booking.tables import ALLOCATIONS
from booking.usecases import (
    assignments,
    blocks,
    changes,
    venues,
)
from booking.usecases.blocks import Blocking
from booking.usecases.bookings import Made
from testkit.callers import member

from .conftest import House, Payments, open_house
from .rooms import STAFF, book, search, seated


async def test_nobody_is_moved_while_there_is_room(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    await house.book(2, house.start(19))
    large = await house.book(2, house.start(19))
    assert seated(house, large) == {"Four"}
    await house.book(2, house.start(20, 30))
    before = await house.told()
    four = await house.book(4, house.start(20, 30))
    assert seated(house, four) == {"Four"}
    assert len(await house.told()) == len(before) + 1
    assert await house.double_bookings() == 0


async def test_who_is_to_come_makes_room_and_that_is_recorded(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    early = await house.book(2, house.start(19))
    mover = await house.book(2, house.start(19, 30))
    assert (seated(house, early), seated(house, mover)) == ({"Two"}, {"Four"})
    await changes.cancel_booking(app, house.organization, early.booking.id, by=CancelledBy.VENUE, actor=STAFF)
    assert (await search(house, 4))[1] is None
    four = await house.book(4, house.start(19, 30))
    assert seated(house, four) == {"Four"}
    moved = await house.read(mover.booking.id)
    assert moved.resource_ids == (house.tables["Two"].id,)
    assert moved.version == 2
    assert await house.seats_of(moved.id) == {"Two"}
    assert (await house.history(moved.id))[-1] == ("reseated", "engine")
    assert (await house.told())[-2:] == ["Reseated", "Confirmed"]
    assert await house.double_bookings() == 0


async def test_nobody_moves_who_is_pinned_excepted_or_there_or_where_the_venue_does_not_want_it(
    app: App, payments: Payments
) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    excepted = replace(house.wish(2), override=Override.of([Rule.PARTY_SIZE], "regulars"))
    by_staff = member(house.organization, "owner")
    for days, pinned, waived, reseating in (
        (7, False, False, True),
        (8, True, False, True),
        (9, False, True, True),
        (10, False, False, False),
    ):
        await venues.update_venue(app, house.organization, house.ref, reseating=reseating)
        start = house.start(days=days)
        other = await house.book(2, start)
        sits = await book(house, replace(excepted if waived else house.wish(2), start=start), by_staff)
        assert seated(house, sits) == {"Four"}
        if pinned:
            await pin(house, sits)
        await changes.cancel_booking(
            app, house.organization, other.booking.id, by=CancelledBy.VENUE, actor=STAFF
        )
        if days == 7:
            await house.book(4, start)
        else:
            with pytest.raises(SlotTaken):
                await house.book(4, start)
            assert (await house.read(sits.booking.id)).resource_ids == (house.tables["Four"].id,)


async def pin(house: House, made: Made) -> None:
    await assignments.pin(house.app, house.organization, made.booking.id, pinned=True, actor=STAFF)


async def test_a_hold_that_is_moved_runs_out_like_before(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Six", 6, 6), ("Eight", 6, 8)), joined=())
    first = await house.book(6)
    held = await house.book(6)
    assert seated(house, held) == {"Eight"}
    await house.run_out(first)
    eight = await house.book(8)
    assert seated(house, eight) == {"Eight"}
    query = sa.select(ALLOCATIONS.c.expires_at).where(ALLOCATIONS.c.booking_id == held.booking.id)
    async with app.db.begin(house.organization) as tx:
        assert (await tx.execute(query)).scalar_one() == held.booking.hold_expires_at
    assert (await house.read(first.booking.id)).status.value == "expired"


async def test_nobody_is_moved_into_a_block_nor_out_of_one_for_nothing(app: App, payments: Payments) -> None:
    house = await open_house(app, payments, tables=(("Two", 1, 2), ("Four", 1, 4)), joined=())
    gone, sits = await house.book(2), await house.book(2)
    assert seated(house, sits) == {"Four"}
    blocking = Blocking(
        (house.tables["Two"].id,), None, house.start(18), house.start(23), "Paint", strand=True
    )
    await blocks.create_block(app, house.organization, house.ref, blocking, actor=STAFF)
    await changes.cancel_booking(app, house.organization, gone.booking.id, by=CancelledBy.VENUE, actor=STAFF)
    with pytest.raises(SlotTaken):
        await house.book(4)
    assert (await search(house, 4))[0] is Refusal.FULLY_BOOKED
