"""Setting a venue up, and reading it. Every change raises the venue's version and is published."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Protocol, TypeVar
from uuid import UUID

from babel.core import get_global

from booking.app import App
from booking.domain.offerings import (
    DepositRule,
    Offering,
    Shift,
    ShiftsOverlap,
    TurnTime,
)
from booking.domain.venues import (
    Area,
    Combination,
    Resource,
    ResourceKind,
    Venue,
    VenueNotFound,
    VenueRef,
)
from booking.events import venues as events
from booking.store import venues as store
from booking.usecases.directory import find_own_venue, find_place
from servicekit import idempotency, ids
from servicekit.database import Transaction
from servicekit.paging import Page


class _Part(Protocol):
    @property
    def id(self) -> UUID: ...


P = TypeVar("P", bound=_Part)


async def create_venue(
    app: App, organization: UUID, *, name: str, slug: str, time_zone: str, currency: str, address: str
) -> Venue:
    """Opens a venue; the same one again for the same Idempotency-Key.

    Raises:
        UnknownTimeZone, UnknownCurrency: nothing could be computed or paid there.
        InvalidRequest: a blank name.
        VenueSlugTaken: another venue on the platform has the slug.
    """
    venue = Venue.open(
        ids.new(),
        name=name,
        slug=slug,
        time_zone=time_zone,
        currency=currency,
        address=address,
        currencies=_currencies(),
    )
    async with app.db.begin(organization) as tx:
        earlier = await idempotency.claim(tx, idempotency.key(), venue.id)
        if earlier:
            return await find_own_venue(tx, VenueRef(earlier))
        await store.insert_venue(tx, venue)
        await events.venue_changed(tx, venue)
    return venue


async def add_area(app: App, organization: UUID, ref: VenueRef, *, name: str) -> Area:
    """Adds an area. Raises VenueNotFound, NameTaken, InvalidRequest."""
    area = Area.add(ids.new(), name=name)
    return await _add(app, organization, ref, area, insert=store.insert_area, listed=store.list_areas)


async def add_resource(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    name: str,
    kind: ResourceKind,
    min_party: int,
    max_party: int,
    area_id: UUID | None,
) -> Resource:
    """Adds a resource. Raises VenueNotFound, AreaNotFound, NameTaken, PartyRangeUpsideDown."""
    resource = Resource.add(
        ids.new(), name=name, kind=kind, min_party=min_party, max_party=max_party, area_id=area_id
    )
    return await _add(
        app, organization, ref, resource, insert=store.insert_resource, listed=store.list_resources
    )


async def add_combination(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    name: str,
    resource_ids: Sequence[UUID],
    min_party: int,
    max_party: int,
) -> Combination:
    """Adds a combination. Raises VenueNotFound, ResourceNotFound, NameTaken, PartyRangeUpsideDown."""
    combination = Combination.add(
        ids.new(), name=name, resource_ids=resource_ids, min_party=min_party, max_party=max_party
    )
    return await _add(
        app, organization, ref, combination, insert=store.insert_combination, listed=store.list_combinations
    )


async def add_offering(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    name: str,
    turn_times: Sequence[TurnTime],
    deposit: DepositRule | None,
    slot_minutes: int,
    min_notice_minutes: int,
    max_advance_days: int,
) -> Offering:
    """Adds an offering. Raises VenueNotFound, NameTaken, TurnTimesNotRising, DepositNotPayable."""
    async with app.db.begin(organization) as tx:
        currency = (await find_own_venue(tx, ref)).currency
    offering = Offering.add(
        ids.new(),
        name=name,
        turn_times=turn_times,
        deposit=deposit,
        slot_minutes=slot_minutes,
        min_notice_minutes=min_notice_minutes,
        max_advance_days=max_advance_days,
        currency=currency,
    )
    return await _add(
        app, organization, ref, offering, insert=store.insert_offering, listed=store.list_offerings
    )


async def add_shift(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    offering_id: UUID,
    weekdays: Sequence[int],
    opens: str,
    last_start: str,
    closes: str,
) -> Shift:
    """Adds a shift. Raises VenueNotFound, OfferingNotFound, ShiftsOverlap, LastStartOutsideShift."""
    shift = Shift.add(
        ids.new(),
        offering_id=offering_id,
        weekdays=weekdays,
        opens=opens,
        last_start=last_start,
        closes=closes,
    )
    return await _add(app, organization, ref, shift, insert=_insert_shift, listed=store.list_shifts)


async def get_venue(app: App, ref: VenueRef) -> Venue:
    """A venue as anybody sees it. Raises VenueNotFound."""
    place = await find_place(app, ref)
    async with app.db.begin(place.organization) as tx:
        return await find_own_venue(tx, VenueRef(place.venue_id))


async def list_public_offerings(app: App, ref: VenueRef) -> list[Offering]:
    """A venue's offerings as anybody sees them. Raises VenueNotFound."""
    place = await find_place(app, ref)
    return await list_parts(app, place.organization, VenueRef(place.venue_id), store.list_offerings)


async def list_venues(app: App, organization: UUID, page: Page) -> tuple[list[Venue], str]:
    """A page of the tenant's venues by name, and the token of the next one."""
    async with app.db.begin(organization) as tx:
        venues = await store.list_venues(tx, page)
    more = len(venues) > page.size
    venues = venues[: page.size]
    return venues, page.next_token((venues[-1].name, str(venues[-1].id))) if more else ""


async def list_areas(app: App, organization: UUID, ref: VenueRef) -> list[Area]:
    """All areas of a venue. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.list_areas)


async def list_resources(app: App, organization: UUID, ref: VenueRef) -> list[Resource]:
    """All resources of a venue. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.list_resources)


async def list_combinations(app: App, organization: UUID, ref: VenueRef) -> list[Combination]:
    """All combinations of a venue. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.list_combinations)


async def list_shifts(app: App, organization: UUID, ref: VenueRef) -> list[Shift]:
    """All shifts of a venue. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.list_shifts)


async def list_parts(
    app: App, organization: UUID, ref: VenueRef, listed: Callable[[Transaction, UUID], Awaitable[list[P]]]
) -> list[P]:
    """All parts of one kind of a venue. Raises VenueNotFound."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        return await listed(tx, venue.id)


async def _add(
    app: App,
    organization: UUID,
    ref: VenueRef,
    part: P,
    *,
    insert: Callable[[Transaction, UUID, P], Awaitable[None]],
    listed: Callable[[Transaction, UUID], Awaitable[list[P]]],
) -> P:
    """Adds a part to a venue; answers the earlier one for the same Idempotency-Key."""
    async with app.db.begin(organization) as tx:
        venue_id = (await find_own_venue(tx, ref)).id
        earlier = await idempotency.claim(tx, idempotency.key(), part.id)
        if earlier:
            return next(each for each in await listed(tx, venue_id) if each.id == earlier)
        venue = await store.bump_venue(tx, venue_id)
        if venue is None:
            raise VenueNotFound
        await insert(tx, venue_id, part)
        resources = await store.list_resources(tx, venue_id)
        shifts = await store.list_shifts(tx, venue_id)
        await events.venue_capacity_changed(tx, venue, resources, shifts)
    return part


async def _insert_shift(tx: Transaction, venue_id: UUID, shift: Shift) -> None:
    for other in await store.list_shifts(tx, venue_id):
        if other.offering_id == shift.offering_id and other.overlaps(shift):
            raise ShiftsOverlap
    await store.insert_shift(tx, venue_id, shift)


@cache
def _currencies() -> frozenset[str]:
    """Every currency that is legal tender somewhere today (CLDR)."""
    return frozenset(
        code
        for used in get_global("territory_currencies").values()
        for code, _since, until, tender in used
        if until is None and tender
    )
