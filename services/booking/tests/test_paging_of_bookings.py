"""Lists of what guests want, walked while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given

from booking.domain.blocks import Block
from booking.domain.bookings import Change
from booking.store import blocks as block_store
from booking.tables import BLOCKS, BOOKING_CHANGES, BOOKINGS, SERIES, WAITLIST_ENTRIES
from booking.usecases import blocks, bookings, series, stranded, waitlist
from servicekit import ids
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, Copies, Plan, walk

from .conftest import House
from .line import Line
from .series import repeat
from .walked import close, copies, parts, starting


async def _bookings(house: House) -> Copies:
    made = await house.book()
    read = parts(house, partial(bookings.list_bookings, day=house.day()))
    return copies(house, BOOKINGS, made.booking.id, read, vary=starting(house))


async def _changes(house: House) -> Copies:
    made = await house.book()

    async def read(page: Page) -> tuple[Sequence[Change], str]:
        _, found, token = await bookings.list_history(house.app, house.organization, made.booking.id, page)
        return found, token

    return Copies(
        lambda: house.app.db.begin(house.organization),
        BOOKING_CHANGES.c.version,
        made.booking.version,
        read=read,
        keys=1,
        shown=attrgetter("version"),
        make=count(made.booking.version + 1).__next__,
    )


async def _blocks(house: House) -> Copies:
    start = datetime.fromtimestamp(house.start(), tz=None).astimezone()
    block = Block(
        id=ids.new(),
        venue_id=house.venue_id,
        resource_ids=(next(iter(house.tables.values())).id,),
        start=start,
        end=start + timedelta(hours=1),
        reason="",
        created_by=None,
        created_at=start,
    )
    async with house.app.db.begin(house.organization) as tx:
        await block_store.insert_block(tx, block)
    read = parts(house, blocks.list_blocks, house.day(), house.day(9))
    return copies(house, BLOCKS, block.id, read, vary=starting(house), shown=attrgetter("block.id"))


async def _stranded(house: House) -> Copies:
    made = await house.book()
    await close(house, house.day())
    listed = parts(house, stranded.list_stranded, house.day(), house.day())

    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        _, found, token = await cast("Any", listed(page))
        return [each.commitment.booking_id for each in found], token

    return copies(house, BOOKINGS, made.booking.id, read, vary=starting(house), shown=lambda row: row)


async def _waitlist(house: House, *, include_ended: bool = False) -> Copies:
    await house.book(10)
    seen = await Line(house).wait("anna", 10)
    listed = partial(waitlist.list_waitlist, day=house.day(), include_ended=include_ended)

    def vary(sort: int, row: UUID) -> dict[str, Any]:
        return {"contact": row.bytes * 2, "first_date": house.day(7 - sort)}

    return copies(
        house,
        WAITLIST_ENTRIES,
        seen.entry.id,
        parts(house, listed),
        vary=vary,
        keys=1,
        shown=attrgetter("entry.id"),
    )


async def _series(house: House) -> Copies:
    made = await repeat(house, "FREQ=WEEKLY;COUNT=2")
    return copies(house, SERIES, made.series.id, parts(house, series.list_series), keys=1)


LISTS: dict[str, Callable[[House], Awaitable[Copies]]] = {
    "BookingService.ListBookings": _bookings,
    "BookingService.ListBookingChanges": _changes,
    "BlockService.ListBlocks": _blocks,
    "HoursService.ListStrandedBookings": _stranded,
    "WaitlistService.ListWaitlist": _waitlist,
    "WaitlistService.ListWaitlist with those that ended": partial(_waitlist, include_ended=True),
    "SeriesService.ListSeries": _series,
}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, house: House) -> Copies:
    return await LISTS[request.param](house)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
