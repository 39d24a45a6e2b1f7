"""Venues and what they have. A change takes the venue's row first, so that changes of one venue queue."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from booking.domain.offerings import (
    DepositRule,
    Offering,
    OfferingNotFound,
    Shift,
    TurnTime,
)
from booking.domain.venues import (
    Area,
    AreaNotFound,
    Combination,
    NameTaken,
    Resource,
    ResourceKind,
    ResourceNotFound,
    Venue,
    VenueSlugTaken,
)
from booking.tables import (
    AREAS,
    COMBINATION_MEMBERS,
    COMBINATIONS,
    OFFERINGS,
    RESOURCES,
    SHIFTS,
    VENUES,
)
from servicekit.database import Transaction, constraint
from servicekit.errors import AppError
from servicekit.money import Money
from servicekit.paging import Page

_REFUSALS: dict[str, type[AppError]] = {
    "venues_slug_taken": VenueSlugTaken,
    "areas_name_taken": NameTaken,
    "resources_name_taken": NameTaken,
    "combinations_name_taken": NameTaken,
    "offerings_name_taken": NameTaken,
    "resources_in_area": AreaNotFound,
    "combination_members_in_venue": ResourceNotFound,
    "shifts_of_offering": OfferingNotFound,
}
_VENUE = [VENUES.c[each] for each in ("id", "name", "slug", "time_zone", "currency", "address", "version")]
_venue = sa.bindparam("venue", type_=sa.Uuid)

_DIRECTORY_BY_ID = sa.select(VENUES.c.organization_id, VENUES.c.id).where(VENUES.c.id == _venue)
_DIRECTORY_BY_SLUG = sa.select(VENUES.c.organization_id, VENUES.c.id).where(
    VENUES.c.slug == sa.bindparam("slug", type_=sa.Text)
)
_GET = sa.select(*_VENUE).where(VENUES.c.id == _venue)
_FIND_SLUG = sa.select(VENUES.c.id).where(VENUES.c.slug == sa.bindparam("slug", type_=sa.Text))
_BUMP = sa.update(VENUES).where(VENUES.c.id == _venue).values(version=VENUES.c.version + 1).returning(*_VENUE)
_LIST = sa.select(*_VENUE).order_by(VENUES.c.name, VENUES.c.id).limit(sa.bindparam("size", type_=sa.Integer))
_LIST_AFTER = _LIST.where(
    sa.tuple_(VENUES.c.name, VENUES.c.id)
    > sa.tuple_(sa.bindparam("name", type_=sa.Text), sa.bindparam("id", type_=sa.Uuid))
)
_AREAS = sa.select(AREAS).where(AREAS.c.venue_id == _venue).order_by(AREAS.c.name)
_RESOURCES = sa.select(RESOURCES).where(RESOURCES.c.venue_id == _venue).order_by(RESOURCES.c.name)
_COMBINATIONS = (
    sa.select(
        COMBINATIONS,
        sa.select(sa.func.array_agg(COMBINATION_MEMBERS.c.resource_id, type_=sa.ARRAY(sa.Uuid)))
        .where(COMBINATION_MEMBERS.c.combination_id == COMBINATIONS.c.id)
        .scalar_subquery()
        .label("members"),
    )
    .where(COMBINATIONS.c.venue_id == _venue)
    .order_by(COMBINATIONS.c.name)
)
_OFFERINGS = (
    sa.select(OFFERINGS, VENUES.c.currency)
    .join(VENUES, VENUES.c.id == OFFERINGS.c.venue_id)
    .where(OFFERINGS.c.venue_id == _venue)
    .order_by(OFFERINGS.c.name)
)
_SHIFTS = sa.select(SHIFTS).where(SHIFTS.c.venue_id == _venue).order_by(SHIFTS.c.weekdays, SHIFTS.c.opens)


@contextmanager
def _named_refusals() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        refusal = _REFUSALS.get(constraint(error))
        if refusal is None:
            raise
        raise refusal from error


async def find_in_directory(tx: Transaction, *, venue_id: UUID | None, slug: str) -> tuple[UUID, UUID] | None:
    """The organization and the id of any venue of the platform. For platform transactions."""
    query, values = (
        (_DIRECTORY_BY_SLUG, {"slug": slug}) if venue_id is None else (_DIRECTORY_BY_ID, {"venue": venue_id})
    )
    row = (await tx.execute(query, values)).one_or_none()
    return None if row is None else (row.organization_id, row.id)


async def find_by_slug(tx: Transaction, slug: str) -> UUID | None:
    """The tenant's venue with this slug."""
    found: UUID | None = (await tx.execute(_FIND_SLUG, {"slug": slug})).scalar_one_or_none()
    return found


async def get_venue(tx: Transaction, venue_id: UUID) -> Venue | None:
    """The tenant's venue."""
    row = (await tx.execute(_GET, {"venue": venue_id})).mappings().one_or_none()
    return None if row is None else Venue(**row)


async def bump_venue(tx: Transaction, venue_id: UUID) -> Venue | None:
    """The venue with its next version; nobody else changes it until the end of `tx`."""
    row = (await tx.execute(_BUMP, {"venue": venue_id})).mappings().one_or_none()
    return None if row is None else Venue(**row)


async def list_venues(tx: Transaction, page: Page) -> list[Venue]:
    """One more than a page, by name. The page's keys are name and id."""
    query = _LIST
    values: dict[str, Any] = {"size": page.size + 1}
    if page.after:
        name, venue_id = page.after
        query, values = _LIST_AFTER, values | {"name": name, "id": UUID(venue_id)}
    return [Venue(**row) for row in (await tx.execute(query, values)).mappings()]


async def insert_venue(tx: Transaction, venue: Venue) -> None:
    """Raises VenueSlugTaken."""
    with _named_refusals():
        await tx.execute(
            sa.insert(VENUES),
            {
                "organization_id": tx.organization,
                "id": venue.id,
                "name": venue.name,
                "slug": venue.slug,
                "time_zone": venue.time_zone,
                "currency": venue.currency,
                "address": venue.address,
                "version": venue.version,
            },
        )


async def insert_area(tx: Transaction, venue_id: UUID, area: Area) -> None:
    """Raises NameTaken."""
    with _named_refusals():
        await tx.execute(sa.insert(AREAS), _of(tx, venue_id, id=area.id, name=area.name))


async def insert_resource(tx: Transaction, venue_id: UUID, resource: Resource) -> None:
    """Raises NameTaken, AreaNotFound."""
    row = _of(
        tx,
        venue_id,
        id=resource.id,
        area_id=resource.area_id,
        name=resource.name,
        kind=resource.kind.value,
        min_party=resource.min_party,
        max_party=resource.max_party,
    )
    with _named_refusals():
        await tx.execute(sa.insert(RESOURCES), row)


async def insert_combination(tx: Transaction, venue_id: UUID, combination: Combination) -> None:
    """Raises NameTaken, ResourceNotFound."""
    row = _of(
        tx,
        venue_id,
        id=combination.id,
        name=combination.name,
        min_party=combination.min_party,
        max_party=combination.max_party,
    )
    members = [
        _of(tx, venue_id, combination_id=combination.id, resource_id=each)
        for each in combination.resource_ids
    ]
    with _named_refusals():
        await tx.execute(sa.insert(COMBINATIONS), row)
        await tx.execute(sa.insert(COMBINATION_MEMBERS), members)


async def insert_offering(tx: Transaction, venue_id: UUID, offering: Offering) -> None:
    """Raises NameTaken."""
    deposit = offering.deposit
    row = _of(
        tx,
        venue_id,
        id=offering.id,
        name=offering.name,
        turn_times=[[turn.max_party, turn.minutes] for turn in offering.turn_times],
        slot_minutes=offering.slot_minutes,
        min_notice_minutes=offering.min_notice_minutes,
        max_advance_days=offering.max_advance_days,
        deposit_from_party=deposit and deposit.from_party,
        deposit_per_person=deposit and deposit.per_person.amount,
        free_cancellation_hours=deposit and deposit.free_cancellation_hours,
    )
    with _named_refusals():
        await tx.execute(sa.insert(OFFERINGS), row)


async def insert_shift(tx: Transaction, venue_id: UUID, shift: Shift) -> None:
    """Raises OfferingNotFound."""
    row = _of(
        tx,
        venue_id,
        id=shift.id,
        offering_id=shift.offering_id,
        weekdays=list(shift.weekdays),
        opens=shift.opens,
        last_start=shift.last_start,
        closes=shift.closes,
    )
    with _named_refusals():
        await tx.execute(sa.insert(SHIFTS), row)


async def list_areas(tx: Transaction, venue_id: UUID) -> list[Area]:
    """All areas by name."""
    return [Area(row.id, row.name) for row in await tx.execute(_AREAS, {"venue": venue_id})]


async def list_resources(tx: Transaction, venue_id: UUID) -> list[Resource]:
    """All resources by name."""
    return [
        Resource(row.id, row.name, ResourceKind(row.kind), row.min_party, row.max_party, area_id=row.area_id)
        for row in await tx.execute(_RESOURCES, {"venue": venue_id})
    ]


async def list_combinations(tx: Transaction, venue_id: UUID) -> list[Combination]:
    """All combinations by name."""
    return [
        Combination(row.id, row.name, tuple(sorted(row.members)), row.min_party, row.max_party)
        for row in await tx.execute(_COMBINATIONS, {"venue": venue_id})
    ]


async def list_offerings(tx: Transaction, venue_id: UUID) -> list[Offering]:
    """All offerings by name."""
    return [
        offering_of(
            row.id,
            row.name,
            turn_times=row.turn_times,
            slot_minutes=row.slot_minutes,
            min_notice_minutes=row.min_notice_minutes,
            max_advance_days=row.max_advance_days,
            deposit=(row.deposit_from_party, row.deposit_per_person, row.free_cancellation_hours),
            currency=row.currency,
        )
        for row in await tx.execute(_OFFERINGS, {"venue": venue_id})
    ]


async def list_shifts(tx: Transaction, venue_id: UUID) -> list[Shift]:
    """All shifts by weekday and opening time."""
    return [
        Shift(row.id, row.offering_id, tuple(row.weekdays), row.opens, row.last_start, row.closes)
        for row in await tx.execute(_SHIFTS, {"venue": venue_id})
    ]


def offering_of(
    offering_id: UUID,
    name: str,
    *,
    turn_times: list[list[int]],
    slot_minutes: int,
    min_notice_minutes: int,
    max_advance_days: int,
    deposit: tuple[int | None, int | None, int | None],
    currency: str,
) -> Offering:
    """An offering from its columns. `deposit`: its party, amount each, and free hours."""
    from_party, per_person, free_hours = deposit
    rule = None
    if from_party is not None and per_person is not None and free_hours is not None:
        rule = DepositRule(from_party, Money(per_person, currency), free_hours)
    return Offering(
        id=offering_id,
        name=name,
        turn_times=tuple(TurnTime(max_party, minutes) for max_party, minutes in turn_times),
        deposit=rule,
        slot_minutes=slot_minutes,
        min_notice_minutes=min_notice_minutes,
        max_advance_days=max_advance_days,
    )


def _of(tx: Transaction, venue_id: UUID, **columns: Any) -> dict[str, Any]:
    return {"organization_id": tx.organization, "venue_id": venue_id, **columns}
