"""Venues within the plan: as many as auth says, however many are opened at once."""

import asyncio
from uuid import UUID

import pytest

from booking.app import App
from booking.domain.venues import Venue
from booking.store import venues as store
from booking.usecases import venues
from servicekit import idempotency, ids
from servicekit.errors import PlanLimitReached, Unavailable

from .conftest import PlanDesk


async def create(app: App, organization: UUID, slug: str) -> Venue:
    return await venues.create_venue(
        app, organization, name="Chez M", slug=slug, time_zone="Europe/Paris", currency="EUR", address=""
    )


async def number(app: App, organization: UUID) -> int:
    async with app.db.begin(organization) as tx:
        return await store.count_venues(tx)


async def test_a_plan_is_for_so_many_venues_and_another_organization_has_its_own(
    app: App, plan_desk: PlanDesk
) -> None:
    plan_desk.venues = 2
    mine, theirs = ids.new(), ids.new()
    await create(app, mine, "one")
    await create(app, mine, "two")
    with pytest.raises(PlanLimitReached) as refused:
        await create(app, mine, "three")
    assert refused.value.metadata == {"limit": "venues", "most": "2"}
    await create(app, theirs, "three")
    plan_desk.venues = 3
    await create(app, mine, "four")
    assert (await number(app, mine), await number(app, theirs)) == (3, 1)


async def test_a_smaller_plan_takes_no_venue_away(app: App, plan_desk: PlanDesk) -> None:
    organization = ids.new()
    for slug in ("one", "two"):
        await create(app, organization, slug)
    plan_desk.venues = 1
    with pytest.raises(PlanLimitReached):
        await create(app, organization, "three")
    assert await number(app, organization) == 2


async def test_a_repeated_key_answers_the_venue_although_it_was_the_last(
    app: App, plan_desk: PlanDesk
) -> None:
    plan_desk.venues = 1
    organization = ids.new()
    idempotency.bind(idempotency.Key("a key", b"a fingerprint"))
    first = await create(app, organization, "one")
    assert (await create(app, organization, "one")).id == first.id
    idempotency.bind(None)


async def test_while_auth_says_nothing_no_venue_is_opened(app: App, plan_desk: PlanDesk) -> None:
    plan_desk.down = True
    organization = ids.new()
    with pytest.raises(Unavailable):
        await create(app, organization, "one")
    assert await number(app, organization) == 0


async def test_of_many_venues_opened_at_once_the_plan_has_room_for_three(
    app: App, plan_desk: PlanDesk
) -> None:
    plan_desk.venues = 3
    organization = ids.new()
    answers = await asyncio.gather(
        *(create(app, organization, f"venue-{each}") for each in range(10)), return_exceptions=True
    )
    assert sum(isinstance(each, Venue) for each in answers) == 3
    assert sum(isinstance(each, PlanLimitReached) for each in answers) == 7
    assert await number(app, organization) == 3


async def test_control_without_the_lock_two_count_the_same_and_one_is_too_many(app: App) -> None:
    organization, counted = ids.new(), asyncio.Barrier(2)

    async def open_unseen(slug: str) -> int:
        venue = Venue.open(
            ids.new(),
            name="Chez M",
            slug=slug,
            time_zone="Europe/Paris",
            currency="EUR",
            address="",
            currencies=frozenset({"EUR"}),
        )
        async with app.db.begin(organization) as tx:
            there_are = await store.count_venues(tx)
            await counted.wait()
            await store.insert_venue(tx, venue)
        return there_are

    assert await asyncio.gather(open_unseen("one"), open_unseen("two")) == [0, 0]
    assert await number(app, organization) == 2
