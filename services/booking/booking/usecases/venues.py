"""Setting a venue up, and reading it. Every change raises the venue's version and is published."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Protocol, TypeVar
from uuid import UUID

from babel.core import get_global

from booking.app import App
from booking.domain.clock import Lead
from booking.domain.offerings import DepositRule, Filling, Offering
from booking.domain.operations import Operation
from booking.domain.shifts import Shift
from booking.domain.terms import Terms
from booking.domain.turns import TurnTime, WeekdayTurns
from booking.domain.venues import (
    Adjacency,
    Area,
    Combination,
    PartDeleted,
    Resource,
    ResourceKind,
    Venue,
    VenueHasBookings,
    VenueNotFound,
    VenueRef,
)
from booking.events import venues as events
from booking.store import floor
from booking.store import hours as hours_store
from booking.store import venues as store
from booking.usecases import capacity, hours, stranded
from booking.usecases.directory import find_own_venue, find_place
from servicekit import idempotency, ids
from servicekit.database import Transaction
from servicekit.errors import PlanLimitReached
from servicekit.paging import Page

_MOST_NAMED = 50


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
        PlanLimitReached: the organization has as many venues as its plan allows.
        Unavailable: auth does not say what that is.
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
    most = await app.allowances.venues(organization)
    async with app.db.begin(organization) as tx:
        earlier = await idempotency.claim(tx, idempotency.key(), venue.id)
        if earlier:
            return await find_own_venue(tx, VenueRef(earlier))
        await store.lock_number_of_venues(tx)
        if await store.count_venues(tx) >= most:
            raise PlanLimitReached(metadata={"limit": "venues", "most": str(most)})
        await store.insert_venue(tx, venue)
        await events.venue_changed(tx, venue)
    return venue


async def update_venue(
    app: App,
    organization: UUID,
    ref: VenueRef,
    *,
    name: str | None = None,
    address: str | None = None,
    time_zone: str | None = None,
    reseating: bool | None = None,
) -> Venue:
    """Changes what is not None. The zone only while no booking is to come.

    Raises:
        VenueNotFound, InvalidRequest, UnknownTimeZone
        VenueHasBookings: the zone would change under live bookings.
        Busy: bookings are being made for too long.
    """
    async with app.db.begin(organization) as tx:
        before = await capacity.begin_change(tx, ref)
        venue = before.change(name=name, address=address, time_zone=time_zone, reseating=reseating)
        live = await stranded.list_live(tx, venue.id) if venue.time_zone != before.time_zone else ()
        if live:
            named = ",".join(ids.show("bkg", each) for each in live[:_MOST_NAMED])
            raise VenueHasBookings(metadata={"booking_ids": named, "bookings": str(len(live))})
        await store.save_venue(tx, venue)
        await events.venue_changed(tx, venue)
    return venue


async def add_area(app: App, organization: UUID, ref: VenueRef, *, name: str) -> Area:
    """Adds an area. Raises VenueNotFound, NameTaken, InvalidRequest."""
    area = Area.add(ids.new(), name=name)
    return await add_part(app, organization, ref, area, insert=store.insert_area, listed=store.list_areas)


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
    attributes: Sequence[str] = (),
    priority: int = 0,
    online: bool = True,
    in_service: bool = True,
) -> Resource:
    """Adds a resource. Raises VenueNotFound, AreaNotFound, NameTaken, PartyRangeUpsideDown."""
    resource = Resource.add(
        ids.new(),
        name=name,
        kind=kind,
        min_party=min_party,
        max_party=max_party,
        area_id=area_id,
        attributes=attributes,
        priority=priority,
        online=online,
        in_service=in_service,
    )
    return await add_part(
        app,
        organization,
        ref,
        resource,
        insert=floor.insert_resource,
        listed=floor.list_resources,
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
    adjacency: Adjacency | None = None,
) -> Combination:
    """Adds a combination. Raises VenueNotFound, ResourceNotFound, NameTaken, PartyRangeUpsideDown."""
    combination = Combination.add(
        ids.new(),
        name=name,
        resource_ids=resource_ids,
        min_party=min_party,
        max_party=max_party,
        adjacency=adjacency,
    )
    return await add_part(
        app,
        organization,
        ref,
        combination,
        insert=floor.insert_combination,
        listed=floor.list_combinations,
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
    terms: Terms | None = None,
    buffer_before_minutes: int = 0,
    buffer_after_minutes: int = 0,
    notice_until: Lead | None = None,
    release: Lead | None = None,
    weekday_turns: Sequence[WeekdayTurns] = (),
    operations: Sequence[Operation] = (),
    filling: Filling | None = None,
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
        terms=terms,
        buffer_before_minutes=buffer_before_minutes,
        buffer_after_minutes=buffer_after_minutes,
        notice_until=notice_until,
        release=release,
        weekday_turns=weekday_turns,
        operations=operations,
        filling=filling,
    )
    return await add_part(
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
    must_finish: bool = False,
) -> Shift:
    """Adds a shift. Raises VenueNotFound, OfferingNotFound, ShiftsOverlap, LastStartOutsideShift."""
    shift = Shift.add(
        ids.new(),
        offering_id=offering_id,
        weekdays=weekdays,
        opens=opens,
        last_start=last_start,
        closes=closes,
        must_finish=must_finish,
    )
    return await add_part(
        app, organization, ref, shift, insert=hours.insert_shift, listed=hours_store.list_shifts
    )


async def get_venue(app: App, ref: VenueRef) -> Venue:
    """A venue as anybody sees it. Raises VenueNotFound."""
    place = await find_place(app, ref)
    async with app.db.begin(place.organization) as tx:
        return await find_own_venue(tx, VenueRef(place.venue_id))


async def list_public_offerings(app: App, ref: VenueRef, page: Page) -> tuple[list[Offering], str]:
    """A page of a venue's offerings as anybody sees them, and the next token. Raises VenueNotFound."""
    place = await find_place(app, ref)
    return await list_parts(
        app, place.organization, VenueRef(place.venue_id), store.page_of_offerings, page=page
    )


async def list_venues(app: App, organization: UUID, page: Page) -> tuple[list[Venue], str]:
    """A page of the tenant's venues by name, and the token of the next one."""
    async with app.db.begin(organization) as tx:
        return await store.page_of_venues(tx, page)


async def list_areas(app: App, organization: UUID, ref: VenueRef, page: Page) -> tuple[list[Area], str]:
    """A page of a venue's areas, and the token of the next. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, store.page_of_areas, page=page)


async def list_resources(
    app: App, organization: UUID, ref: VenueRef, page: Page
) -> tuple[list[Resource], str]:
    """A page of a venue's resources, and the token of the next. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, floor.page_of_resources, page=page)


async def list_combinations(
    app: App, organization: UUID, ref: VenueRef, page: Page
) -> tuple[list[Combination], str]:
    """A page of a venue's combinations, and the token of the next. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, floor.page_of_combinations, page=page)


async def list_shifts(app: App, organization: UUID, ref: VenueRef, page: Page) -> tuple[list[Shift], str]:
    """A page of a venue's shifts, and the token of the next. Raises VenueNotFound."""
    return await list_parts(app, organization, ref, hours_store.page_of_shifts, page=page)


async def list_parts(
    app: App,
    organization: UUID,
    ref: VenueRef,
    listed: Callable[[Transaction, UUID, Page], Awaitable[tuple[list[P], str]]],
    *,
    page: Page,
) -> tuple[list[P], str]:
    """A page of the parts of one kind of a venue, and the token of the next. Raises VenueNotFound."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        return await listed(tx, venue.id, page)


async def add_part(
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
            for each in await listed(tx, venue_id):
                if each.id == earlier:
                    return each
            raise PartDeleted
        venue = await store.bump_venue(tx, venue_id)
        if venue is None:
            raise VenueNotFound
        await insert(tx, venue_id, part)
        await capacity.publish(tx, venue)
    return part


@cache
def _currencies() -> frozenset[str]:
    """Every currency that is legal tender somewhere today (CLDR)."""
    return frozenset(
        code
        for used in get_global("territory_currencies").values()
        for code, _since, until, tender in used
        if until is None and tender
    )
