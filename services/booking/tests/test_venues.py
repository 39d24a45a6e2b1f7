"""Setting a venue up: what is kept, refused, repeated and published."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from booking.app import App
from booking.domain.offerings import DepositNotPayable, OfferingNotFound
from booking.domain.shifts import ShiftsOverlap
from booking.domain.venues import (
    AreaNotFound,
    NameTaken,
    ResourceKind,
    ResourceNotFound,
    UnknownCurrency,
    VenueNotFound,
    VenueRef,
    VenueSlugTaken,
)
from booking.store import venues as store
from booking.usecases import venues
from comptoir.booking.v1 import events_pb2
from servicekit import idempotency, ids, paging
from servicekit.errors import IdempotencyKeyReused
from testkit import outbox
from testkit.paging import WHOLE

from .conftest import House, Payments, open_house


async def create(app: App, organization: UUID, slug: str, **changes: str) -> UUID:
    fields = {"name": "Chez Marcel", "time_zone": "Europe/Paris", "currency": "EUR", "address": ""} | changes
    return (await venues.create_venue(app, organization, slug=slug, **fields)).id


async def add_shift(house: House, opens: str, last_start: str, closes: str, *weekdays: int) -> None:
    await venues.add_shift(
        house.app,
        house.organization,
        house.ref,
        offering_id=house.offering.id,
        weekdays=weekdays,
        opens=opens,
        last_start=last_start,
        closes=closes,
    )


async def test_everything_that_was_set_up_is_read_back(house: House) -> None:
    app, organization = house.app, house.organization
    terrace = await venues.add_area(app, organization, house.ref, name="Terrace")
    await venues.add_resource(
        app,
        organization,
        house.ref,
        name="Bay 1",
        kind=ResourceKind.BAY,
        min_party=1,
        max_party=1,
        area_id=terrace.id,
    )
    assert (await venues.list_areas(app, organization, house.ref, WHOLE))[0] == [terrace]
    resources = (await venues.list_resources(app, organization, house.ref, WHOLE))[0]
    assert [(each.name, each.area_id) for each in resources][:2] == [("Bay 1", terrace.id), ("T1", None)]
    assert (await venues.list_combinations(app, organization, house.ref, WHOLE))[0] == list(
        house.combinations.values()
    )
    assert (await venues.list_public_offerings(app, house.ref, WHOLE))[0] == [house.offering]
    (shift,) = (await venues.list_shifts(app, organization, house.ref, WHOLE))[0]
    assert (shift.weekdays, shift.opens) == ((1, 2, 3, 4, 5, 6, 7), 1140)


async def test_a_venue_is_found_by_id_and_by_slug_by_anybody(house: House) -> None:
    venue = await venues.get_venue(house.app, house.ref)
    assert await venues.get_venue(house.app, VenueRef.by_slug(venue.slug)) == venue
    own = (await venues.list_resources(house.app, house.organization, VenueRef.by_slug(venue.slug), WHOLE))[0]
    assert len(own) == 4


async def test_every_change_is_published_whole_with_a_rising_version(app: App, payments: Payments) -> None:
    house = await open_house(app, payments)
    first, *changes = await outbox.published(app.db)
    assert isinstance(first, events_pb2.VenueChanged)
    assert first.venue.time_zone == "Europe/Paris"
    capacities = [each for each in changes if isinstance(each, events_pb2.VenueCapacityChanged)]
    assert [each.version for each in capacities] == list(range(2, 2 + len(changes)))
    assert [len(each.resources) for each in capacities] == [1, 2, 3, 4, 4, 4, 4]
    assert [len(each.shifts) for each in capacities] == [0, 0, 0, 0, 0, 0, 1]
    assert {each.venue_id for each in capacities} == {ids.show("ven", house.venue_id)}


async def test_a_slug_is_unique_on_the_platform_and_names_in_the_venue(house: House) -> None:
    slug = (await venues.get_venue(house.app, house.ref)).slug
    with pytest.raises(VenueSlugTaken):
        await create(house.app, ids.new(), slug)
    with pytest.raises(NameTaken):
        await venues.add_resource(
            house.app,
            house.organization,
            house.ref,
            name="T1",
            kind=ResourceKind.TABLE,
            min_party=1,
            max_party=2,
            area_id=None,
        )
    await venues.add_area(house.app, house.organization, house.ref, name="T1")
    with pytest.raises(NameTaken):
        await venues.add_area(house.app, house.organization, house.ref, name=" T1 ")


async def test_parts_of_another_venue_are_not_found(house: House, payments: Payments) -> None:
    other = await create(house.app, house.organization, "other")
    area = await venues.add_area(house.app, house.organization, VenueRef(other), name="Elsewhere")
    with pytest.raises(AreaNotFound):
        await venues.add_resource(
            house.app,
            house.organization,
            house.ref,
            name="T9",
            kind=ResourceKind.TABLE,
            min_party=1,
            max_party=2,
            area_id=area.id,
        )
    tables = [house.tables["T1"].id, house.tables["T2"].id]
    with pytest.raises(ResourceNotFound):
        await venues.add_combination(
            house.app,
            house.organization,
            VenueRef(other),
            name="C",
            resource_ids=tables,
            min_party=1,
            max_party=2,
        )
    with pytest.raises(OfferingNotFound):
        await add_shift(replace(house, venue_id=other), "12:00", "13:00", "14:00", 1)


async def test_another_tenants_venue_is_not_there_for_members(house: House) -> None:
    stranger = ids.new()
    slug = (await venues.get_venue(house.app, house.ref)).slug
    for ref in (house.ref, VenueRef.by_slug(slug), VenueRef(ids.new())):
        with pytest.raises(VenueNotFound):
            await venues.add_area(house.app, stranger, ref, name="Mine")
        with pytest.raises(VenueNotFound):
            await venues.list_resources(house.app, stranger, ref, WHOLE)
        with pytest.raises(VenueNotFound):
            await venues.add_offering(
                house.app,
                stranger,
                ref,
                name="Mine",
                turn_times=house.offering.turn_times,
                deposit=None,
                slot_minutes=0,
                min_notice_minutes=0,
                max_advance_days=0,
            )


async def test_shifts_of_one_offering_do_not_overlap_even_when_added_at_once(house: House) -> None:
    with pytest.raises(ShiftsOverlap):
        await add_shift(house, "23:00", "23:15", "23:45", 3)
    await add_shift(house, "23:30", "00:30", "01:00", 3)
    answers = await asyncio.gather(
        *(add_shift(house, "12:00", "13:00", "14:00", 1) for _ in range(5)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType"] + ["ShiftsOverlap"] * 4


async def test_a_deposit_is_in_the_currency_of_the_venue(house: House) -> None:
    yen = await create(house.app, house.organization, "yen-house", currency="JPY")
    with pytest.raises(DepositNotPayable):
        await venues.add_offering(
            house.app,
            house.organization,
            VenueRef(yen),
            name="Dinner",
            turn_times=house.offering.turn_times,
            deposit=house.offering.deposit,
            slot_minutes=0,
            min_notice_minutes=0,
            max_advance_days=0,
        )


@pytest.mark.parametrize("currency", ["XYZ", "DEM", "XXX"])
async def test_a_currency_is_one_that_people_pay_with(app: App, currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        await create(app, ids.new(), "money-house", currency=currency)


async def test_the_same_key_sets_the_same_thing_up_once(house: House) -> None:
    organization = ids.new()
    for name in ("create", "area"):
        idempotency.bind(idempotency.Key(name, b"same"))
        made = []
        for _ in range(2):
            if name == "create":
                made.append(await create(house.app, organization, "once"))
            else:
                area = await venues.add_area(house.app, house.organization, house.ref, name="Once")
                made.append(area.id)
        assert made[0] == made[1]
        idempotency.bind(idempotency.Key(name, b"another"))
        with pytest.raises(IdempotencyKeyReused):
            await create(house.app, organization if name == "create" else house.organization, "twice")
        idempotency.bind(None)
    published = await outbox.published(house.app.db)
    assert sum(isinstance(each, events_pb2.VenueChanged) for each in published) == 2


async def test_venues_are_listed_by_name_page_by_page_and_by_tenant(house: House) -> None:
    organization = ids.new()
    for name, slug in (("Marcel", "one-house"), ("Zoé", "two-house"), ("Marcel", "three-house")):
        await create(house.app, organization, slug, name=name)
    names: list[str] = []
    token = ""
    for _ in range(3):
        found, token = await venues.list_venues(house.app, organization, paging.page(1, token, keys=2))
        names += [each.name for each in found]
    assert (names, token) == (["Marcel", "Marcel", "Zoé"], "")


async def test_a_public_venue_is_resolved_from_the_cache_the_second_time(house: House) -> None:
    venue = await venues.get_venue(house.app, house.ref)
    async with house.app.db.begin_platform(reason="look into the database in a test") as tx:
        found = await store.find_in_directory(tx, venue_id=None, slug=venue.slug)
    assert found == (house.organization, house.venue_id)
    with pytest.raises(VenueNotFound):
        await venues.get_venue(house.app, VenueRef.by_slug("later"))
    await create(house.app, house.organization, "later")
    assert (await venues.get_venue(house.app, VenueRef.by_slug("later"))).name == "Chez Marcel"


async def test_a_slug_that_looks_like_an_id_leads_nobody_astray(house: House) -> None:
    thief = ids.new()
    await create(house.app, thief, str(house.venue_id))
    for _ in range(2):
        by_slug = await venues.get_venue(house.app, VenueRef.by_slug(str(house.venue_id)))
        assert by_slug.name == "Chez Marcel"
        assert (await venues.get_venue(house.app, house.ref)).name == "Chez Paulette"
