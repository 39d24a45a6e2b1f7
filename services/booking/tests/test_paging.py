"""Lists on a real database, walked while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime, timedelta
from functools import partial
from itertools import count
from operator import attrgetter
from typing import Any, cast
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from booking.domain.blocks import Block
from booking.domain.bookings import Change
from booking.domain.closures import Closure
from booking.domain.windows import DateException
from booking.store import blocks as block_store
from booking.store import hours as hours_store
from booking.tables import (
    AREAS,
    BLOCKS,
    BOOKING_CHANGES,
    BOOKINGS,
    CLOSURES,
    COMBINATION_MEMBERS,
    COMBINATIONS,
    DATE_EXCEPTIONS,
    OFFERINGS,
    PACING_RULES,
    RESOURCES,
    SERIES,
    SHIFTS,
    VENUES,
    WAITLIST_ENTRIES,
)
from booking.usecases import (
    blocks,
    bookings,
    closures,
    hours,
    pacing,
    series,
    stranded,
    venues,
    waitlist,
)
from booking.usecases.pacing import Limits
from servicekit import ids, paging
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.keyset import Keyset
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, WHOLE, Copies, PageLost, Plan, Read, Vary, copy, walk
from testkit.paging import Change as Coming

from .conftest import House
from .line import Line
from .series import repeat


def _named(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort} {row}"}


def _slugged(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort}", "slug": row.hex}


def _starting(house: House) -> Vary:
    start = datetime.fromtimestamp(house.start(), tz=None).astimezone()

    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        begins = start + timedelta(minutes=15 * sort, microseconds=sort)
        return {"start_at": begins, "end_at": begins + timedelta(hours=1)}

    return vary


def _copies(
    house: House, table: sa.Table, template: UUID, read: Read, *, keys: int = 2, **how: Any
) -> Copies:
    def begin() -> AbstractAsyncContextManager[Transaction]:
        return house.app.db.begin(house.organization)

    return Copies(begin, table.c.id, template, read=read, keys=keys, **how)


def _parts(house: House, listed: Callable[..., Any], *days: date) -> Read:
    """Reads a list of the venue's, one of some days if days are given."""
    where = (house.app, house.organization, house.ref, *days)
    return lambda page: listed(*where, page=page)


async def _venues(house: House) -> Copies:
    read = partial(venues.list_venues, house.app, house.organization)

    return _copies(house, VENUES, house.venue_id, read, vary=_slugged)


async def _bookings(house: House) -> Copies:
    made = await house.book()

    read = _parts(house, partial(bookings.list_bookings, day=house.day()))
    return _copies(house, BOOKINGS, made.booking.id, read, vary=_starting(house))


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


async def _areas(house: House) -> Copies:
    area = await venues.add_area(house.app, house.organization, house.ref, name="Cellar")
    return _copies(house, AREAS, area.id, _parts(house, venues.list_areas), vary=_named)


async def _resources(house: House) -> Copies:
    template = next(iter(house.tables.values())).id
    return _copies(house, RESOURCES, template, _parts(house, venues.list_resources), vary=_named)


async def _combinations(house: House) -> Copies:
    template = next(iter(house.combinations.values())).id
    read = _parts(house, venues.list_combinations)
    members = COMBINATION_MEMBERS.c.combination_id
    return _copies(house, COMBINATIONS, template, read, vary=_named, parts=members)


async def _offerings(house: House) -> Copies:
    read = partial(venues.list_public_offerings, house.app, house.ref)

    return _copies(house, OFFERINGS, house.offering.id, read, vary=_named)


async def _shifts(house: House) -> Copies:
    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        return {"weekdays": [1, 2 + sort // 2], "opens": 600 + sort % 2}

    (shift, *_), _ = await venues.list_shifts(house.app, house.organization, house.ref, WHOLE)
    return _copies(house, SHIFTS, shift.id, _parts(house, venues.list_shifts), vary=vary, keys=3)


async def _rules(house: House) -> Copies:
    limits = Limits(None, 15, 10, None, None, None)
    changed = await pacing.create_rule(house.app, house.organization, house.ref, limits)
    return _copies(house, PACING_RULES, changed.made.id, _parts(house, pacing.list_rules), keys=1)


async def _exceptions(house: House) -> Copies:
    """Those of one date are of different offerings."""
    exception = DateException(ids.new(), house.offering.id, house.day(), ())
    async with house.app.db.begin(house.organization) as tx:
        await hours_store.insert_exception(tx, house.venue_id, exception)

    async def offerings(tx: Transaction, made: Sequence[UUID]) -> None:
        each = [{"id": row, "name": f"Dinner {row}"} for row in made]
        await copy(tx, OFFERINGS.c.id, house.offering.id, each)

    def vary(sort: int, row: UUID) -> dict[str, Any]:
        return {"offering_id": row, "service_date": house.day(7 + sort)}

    read = _parts(house, hours.list_exceptions, house.day(7), house.day(10))
    return _copies(house, DATE_EXCEPTIONS, exception.id, read, vary=vary, beside=offerings)


async def _close(house: House, last: date) -> UUID:
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=house.day(),
        last=last,
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="",
    )
    async with house.app.db.begin(house.organization) as tx:
        await hours_store.insert_closure(tx, house.venue_id, closure)
    return closure.id


async def _closures(house: House) -> Copies:
    template = await _close(house, house.day(9))
    read = _parts(house, closures.list_closures, house.day(), house.day(9))
    return _copies(house, CLOSURES, template, read, vary=lambda sort, _row: {"first_date": house.day(sort)})


async def _stranded(house: House) -> Copies:
    made = await house.book()
    await _close(house, house.day())
    listed = _parts(house, stranded.list_stranded, house.day(), house.day())

    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        _, found, token = await cast("Any", listed(page))
        return [each.commitment.booking_id for each in found], token

    return _copies(house, BOOKINGS, made.booking.id, read, vary=_starting(house), shown=lambda row: row)


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
    read = _parts(house, blocks.list_blocks, house.day(), house.day(9))
    return _copies(house, BLOCKS, block.id, read, vary=_starting(house), shown=attrgetter("block.id"))


async def _series(house: House) -> Copies:
    made = await repeat(house, "FREQ=WEEKLY;COUNT=2")

    return _copies(house, SERIES, made.series.id, _parts(house, series.list_series), keys=1)


async def _waitlist(house: House, *, include_ended: bool = False) -> Copies:
    await house.book(10)
    seen = await Line(house).wait("anna", 10)

    listed = partial(waitlist.list_waitlist, day=house.day(), include_ended=include_ended)

    def vary(sort: int, row: UUID) -> dict[str, Any]:
        return {"contact": row.bytes * 2, "first_date": house.day(7 - sort)}

    return _copies(
        house,
        WAITLIST_ENTRIES,
        seen.entry.id,
        _parts(house, listed),
        vary=vary,
        keys=1,
        shown=attrgetter("entry.id"),
    )


LISTS: dict[str, Callable[[House], Awaitable[Copies]]] = {
    "VenueService.ListVenues": _venues,
    "VenueService.ListAreas": _areas,
    "VenueService.ListResources": _resources,
    "VenueService.ListCombinations": _combinations,
    "VenueService.ListOfferings": _offerings,
    "VenueService.ListShifts": _shifts,
    "BookingService.ListBookings": _bookings,
    "BookingService.ListBookingChanges": _changes,
    "BlockService.ListBlocks": _blocks,
    "CapacityService.ListPacingRules": _rules,
    "HoursService.ListDateExceptions": _exceptions,
    "HoursService.ListClosures": _closures,
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


async def test_a_list_without_tie_breaker_loses_rows(house: House) -> None:
    careless = Keyset(sa.select(VENUES), VENUES.c.name)

    async def read(page: Page) -> tuple[list[UUID], str]:
        async with house.app.db.begin(house.organization) as tx:
            rows, token = await careless.read(tx, page, {})
        return [row["id"] for row in rows], token

    copies = _copies(house, VENUES, house.venue_id, read, vary=_slugged, keys=1, shown=lambda row: row)
    with pytest.raises(PageLost):
        await walk(copies, Plan((Coming(0, 5),), 2, ()))


@pytest.mark.parametrize(
    "after",
    [("Name", "x"), ("\x00", str(ids.new())), ("only one",), ("Name", str(ids.new()), "more")],
)
async def test_a_position_that_is_none_is_refused(house: House, after: tuple[str, ...]) -> None:
    with pytest.raises(InvalidPageToken):
        await venues.list_venues(house.app, house.organization, Page(2, after, ""))


async def test_the_longest_name_makes_a_token_that_fits(house: House) -> None:
    for _ in range(2):
        await venues.create_venue(
            house.app,
            house.organization,
            name="\N{SMILING FACE WITH SUNGLASSES}" * 100,
            slug=ids.new().hex,
            time_zone="Europe/Paris",
            currency="EUR",
            address="",
        )
    found, token = await venues.list_venues(house.app, house.organization, paging.page(2, "", keys=2))
    assert token
    assert len(found) == 2
    assert len(token) <= 700  # sealed, it is a third and some bytes longer: at most 1024
