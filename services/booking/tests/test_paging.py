"""Lists on a real database, walked while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from booking.domain.blocks import Block
from booking.domain.closures import Closure
from booking.store import blocks as block_store
from booking.store import hours as hours_store
from booking.tables import (
    AREAS,
    BLOCKS,
    BOOKINGS,
    CLOSURES,
    OFFERINGS,
    PACING_RULES,
    RESOURCES,
    SHIFTS,
    VENUES,
)
from booking.usecases import blocks, bookings, closures, pacing, stranded, venues
from booking.usecases.pacing import Limits
from servicekit import ids, paging
from servicekit.errors import InvalidPageToken
from servicekit.keyset import Keyset
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, WHOLE, Change, Copies, PageLost, Plan, Vary, walk

from .conftest import House


class _Listed(Protocol):
    @property
    def id(self) -> UUID: ...


async def _ids(found: Awaitable[tuple[Sequence[_Listed], str]]) -> tuple[Sequence[UUID], str]:
    items, token = await found
    return [each.id for each in items], token


def _named(sort: int, _row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort}"}


def _named_once(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort} {row}"}


def _slugged(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort}", "slug": row.hex}


def _starting(house: House) -> Vary:
    start = datetime.fromtimestamp(house.start(), tz=None).astimezone()

    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        begins = start + timedelta(minutes=15 * sort, microseconds=sort)
        return {"start_at": begins, "end_at": begins + timedelta(hours=1)}

    return vary


def _copies(house: House, table: sa.Table, template: UUID, vary: Vary, read: Any, *, keys: int = 2) -> Copies:
    return Copies(
        lambda: house.app.db.begin(house.organization),
        table,
        template,
        vary=vary,
        read=lambda page: _ids(read(page)),
        keys=keys,
    )


async def _venues(house: House) -> Copies:
    def read(page: Page) -> Any:
        return venues.list_venues(house.app, house.organization, page)

    return _copies(house, VENUES, house.venue_id, _slugged, read)


async def _bookings(house: House) -> Copies:
    made = await house.book()

    def read(page: Page) -> Any:
        return bookings.list_bookings(house.app, house.organization, house.ref, day=house.day(), page=page)

    return _copies(house, BOOKINGS, made.booking.id, _starting(house), read)


async def _areas(house: House) -> Copies:
    area = await venues.add_area(house.app, house.organization, house.ref, name="Cellar")

    def read(page: Page) -> Any:
        return venues.list_areas(house.app, house.organization, house.ref, page)

    return _copies(house, AREAS, area.id, _named_once, read)


async def _resources(house: House) -> Copies:
    def read(page: Page) -> Any:
        return venues.list_resources(house.app, house.organization, house.ref, page)

    template = next(iter(house.tables.values())).id
    return _copies(house, RESOURCES, template, _named_once, read)


async def _offerings(house: House) -> Copies:
    def read(page: Page) -> Any:
        return venues.list_public_offerings(house.app, house.ref, page)

    return _copies(house, OFFERINGS, house.offering.id, _named_once, read)


async def _shifts(house: House) -> Copies:
    def read(page: Page) -> Any:
        return venues.list_shifts(house.app, house.organization, house.ref, page)

    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        return {"weekdays": [1, 2 + sort // 2], "opens": 600 + sort % 2}

    (shift, *_), _ = await venues.list_shifts(house.app, house.organization, house.ref, WHOLE)
    return _copies(house, SHIFTS, shift.id, vary, read, keys=3)


async def _rules(house: House) -> Copies:
    limits = Limits(None, 15, 10, None, None, None)
    changed = await pacing.create_rule(house.app, house.organization, house.ref, limits)

    def read(page: Page) -> Any:
        return pacing.list_rules(house.app, house.organization, house.ref, page)

    return _copies(house, PACING_RULES, changed.made.id, lambda _sort, _row: {}, read, keys=1)


async def _closures(house: House) -> Copies:
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=house.day(),
        last=house.day(9),
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="",
    )
    async with house.app.db.begin(house.organization) as tx:
        await hours_store.insert_closure(tx, house.venue_id, closure)

    def read(page: Page) -> Any:
        where = (house.app, house.organization, house.ref, house.day(), house.day(9))
        return closures.list_closures(*where, page=page)

    return _copies(house, CLOSURES, closure.id, lambda sort, _row: {"first_date": house.day(sort)}, read)


async def _stranded(house: House) -> Copies:
    made = await house.book()
    closure = Closure.plan(
        ids.new(),
        offering_ids=[],
        first=house.day(),
        last=house.day(),
        begins="",
        ends="",
        cuts_tail=False,
        reason="",
        note="",
    )
    async with house.app.db.begin(house.organization) as tx:
        await hours_store.insert_closure(tx, house.venue_id, closure)

    async def read(page: Page) -> tuple[list[UUID], str]:
        where = (house.app, house.organization, house.ref, house.day(), house.day())
        _, found, token = await stranded.list_stranded(*where, page=page)
        return [each.commitment.booking_id for each in found], token

    return Copies(
        lambda: house.app.db.begin(house.organization),
        BOOKINGS,
        made.booking.id,
        vary=_starting(house),
        read=read,
        keys=2,
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

    class _Row:
        def __init__(self, row: UUID) -> None:
            self.id = row

    async def listed(page: Page) -> tuple[list[_Row], str]:
        where = (house.app, house.organization, house.ref, house.day(), house.day(9))
        found, token = await blocks.list_blocks(*where, page=page)
        return [_Row(each.block.id) for each in found], token

    return _copies(house, BLOCKS, block.id, _starting(house), listed)


LISTS: dict[str, Callable[[House], Awaitable[Copies]]] = {
    "venues": _venues,
    "bookings": _bookings,
    "areas": _areas,
    "resources": _resources,
    "offerings": _offerings,
    "shifts": _shifts,
    "pacing rules": _rules,
    "closures": _closures,
    "blocks": _blocks,
    "stranded": _stranded,
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

    copies = Copies(
        lambda: house.app.db.begin(house.organization),
        VENUES,
        house.venue_id,
        vary=_slugged,
        read=read,
        keys=1,
    )
    with pytest.raises(PageLost):
        await walk(copies, Plan((Change(0, 5),), 2, ()))


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
