"""Lists of a venue, walked while rows come and go: what stays is seen once, and nothing twice."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given

from booking.domain.windows import DateException
from booking.store import hours as hours_store
from booking.tables import (
    AREAS,
    CLOSURES,
    COMBINATION_MEMBERS,
    COMBINATIONS,
    DATE_EXCEPTIONS,
    OFFERINGS,
    PACING_RULES,
    RESOURCES,
    SHIFTS,
    VENUES,
)
from booking.usecases import closures, hours, pacing, venues
from booking.usecases.pacing import Limits
from servicekit import ids, paging
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
from servicekit.keyset import Keyset
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, WHOLE, Change, Copies, PageLost, Plan, copy, walk

from .conftest import House
from .walked import close, copies, parts


def _named(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort} {row}"}


def _slugged(sort: int, row: UUID) -> dict[str, Any]:
    return {"name": f"Name {sort}", "slug": row.hex}


async def _venues(house: House) -> Copies:
    read = partial(venues.list_venues, house.app, house.organization)
    return copies(house, VENUES, house.venue_id, read, vary=_slugged)


async def _areas(house: House) -> Copies:
    area = await venues.add_area(house.app, house.organization, house.ref, name="Cellar")
    return copies(house, AREAS, area.id, parts(house, venues.list_areas), vary=_named)


async def _resources(house: House) -> Copies:
    template = next(iter(house.tables.values())).id
    return copies(house, RESOURCES, template, parts(house, venues.list_resources), vary=_named)


async def _combinations(house: House) -> Copies:
    template = next(iter(house.combinations.values())).id
    read = parts(house, venues.list_combinations)
    members = COMBINATION_MEMBERS.c.combination_id
    return copies(house, COMBINATIONS, template, read, vary=_named, parts=members)


async def _offerings(house: House) -> Copies:
    read = partial(venues.list_public_offerings, house.app, house.ref)
    return copies(house, OFFERINGS, house.offering.id, read, vary=_named)


async def _shifts(house: House) -> Copies:
    def vary(sort: int, _row: UUID) -> dict[str, Any]:
        return {"weekdays": [1, 2 + sort // 2], "opens": 600 + sort % 2}

    (shift, *_), _ = await venues.list_shifts(house.app, house.organization, house.ref, WHOLE)
    return copies(house, SHIFTS, shift.id, parts(house, venues.list_shifts), vary=vary, keys=3)


async def _rules(house: House) -> Copies:
    limits = Limits(None, 15, 10, None, None, None)
    changed = await pacing.create_rule(house.app, house.organization, house.ref, limits)
    return copies(house, PACING_RULES, changed.made.id, parts(house, pacing.list_rules), keys=1)


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

    read = parts(house, hours.list_exceptions, house.day(7), house.day(10))
    return copies(house, DATE_EXCEPTIONS, exception.id, read, vary=vary, beside=offerings)


async def _closures(house: House) -> Copies:
    template = await close(house, house.day(9))
    read = parts(house, closures.list_closures, house.day(), house.day(9))
    return copies(house, CLOSURES, template, read, vary=lambda sort, _row: {"first_date": house.day(sort)})


LISTS: dict[str, Callable[[House], Awaitable[Copies]]] = {
    "VenueService.ListVenues": _venues,
    "VenueService.ListAreas": _areas,
    "VenueService.ListResources": _resources,
    "VenueService.ListCombinations": _combinations,
    "VenueService.ListOfferings": _offerings,
    "VenueService.ListShifts": _shifts,
    "CapacityService.ListPacingRules": _rules,
    "HoursService.ListDateExceptions": _exceptions,
    "HoursService.ListClosures": _closures,
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

    rows = copies(house, VENUES, house.venue_id, read, vary=_slugged, keys=1, shown=lambda row: row)
    with pytest.raises(PageLost):
        await walk(rows, Plan((Change(0, 5),), 2, ()))


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
