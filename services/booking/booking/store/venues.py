"""Venues and what they have. A change takes the venue's row first, so that changes of one venue queue."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.offerings import (
    DepositRule,
    Offering,
)
from booking.domain.themes import Theme
from booking.domain.venues import (
    Area,
    NameTaken,
    Venue,
    VenueSlugTaken,
)
from booking.store import themes
from booking.store.hours import times_document, times_of
from booking.store.refusals import refusing
from booking.store.sweeps import venue_changed
from booking.store.terms import terms_document, terms_of
from booking.store.versions import forget_after
from booking.store.visits import turns_document, turns_of, visit_document, visit_of
from booking.tables import (
    AREAS,
    OFFERINGS,
    THEMES,
    VENUES,
)
from servicekit.database import Transaction
from servicekit.errors import AppError
from servicekit.keyset import Keyset
from servicekit.money import Money
from servicekit.paging import Page

_REFUSALS: dict[str, type[AppError]] = {
    "venues_slug_taken": VenueSlugTaken,
    "areas_name_taken": NameTaken,
    "offerings_name_taken": NameTaken,
}
_VENUE = [
    VENUES.c[each]
    for each in ("id", "name", "slug", "time_zone", "currency", "address", "version", "reseating")
]
_venue = sa.bindparam("venue", type_=sa.Uuid)

_DIRECTORY_BY_ID = sa.select(VENUES.c.organization_id, VENUES.c.id).where(VENUES.c.id == _venue)
_DIRECTORY_BY_SLUG = sa.select(VENUES.c.organization_id, VENUES.c.id).where(
    VENUES.c.slug == sa.bindparam("slug", type_=sa.Text)
)
_GET = (
    sa.select(*_VENUE, *(THEMES.c[each].label(f"theme_{each}") for each in themes.COLUMNS))
    .select_from(VENUES.outerjoin(THEMES, THEMES.c.organization_id == VENUES.c.organization_id))
    .where(VENUES.c.id == _venue)
)
_FIND_SLUG = sa.select(VENUES.c.id).where(VENUES.c.slug == sa.bindparam("slug", type_=sa.Text))
_SAVE = sa.update(VENUES).where(VENUES.c.id == sa.bindparam("key", type_=sa.Uuid))
_BUMP = sa.update(VENUES).where(VENUES.c.id == _venue).values(version=VENUES.c.version + 1).returning(*_VENUE)
_PAGES = Keyset(sa.select(*_VENUE), VENUES.c.name, VENUES.c.id)
_LIST_OTHERS = (
    sa.select(*_VENUE)
    .where(VENUES.c.id != _venue)
    .order_by(VENUES.c.name, VENUES.c.id)
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_LIST_FIRST = (
    sa.select(*_VENUE).order_by(VENUES.c.name, VENUES.c.id).limit(sa.bindparam("size", type_=sa.Integer))
)
_COUNT = sa.select(sa.func.count()).select_from(VENUES)
_organization = sa.cast(sa.bindparam("organization", type_=sa.Uuid), sa.Text)
_LOCK_NUMBER = sa.select(
    sa.func.pg_advisory_xact_lock(sa.func.hashtextextended("venues of " + _organization, 0))
)
_AREAS = sa.select(AREAS).where(AREAS.c.venue_id == _venue).order_by(AREAS.c.name)
_OFFERINGS = (
    sa.select(OFFERINGS, VENUES.c.currency)
    .join(VENUES, VENUES.c.id == OFFERINGS.c.venue_id)
    .where(OFFERINGS.c.venue_id == _venue, OFFERINGS.c.retired_at.is_(None))
    .order_by(OFFERINGS.c.name)
)
_AREA_PAGES = Keyset(_AREAS, AREAS.c.name, AREAS.c.id)
_OFFERING_PAGES = Keyset(_OFFERINGS, OFFERINGS.c.name, OFFERINGS.c.id)
_NAME_OF_OFFERING = sa.select(OFFERINGS.c.name).where(
    OFFERINGS.c.venue_id == _venue, OFFERINGS.c.id == sa.bindparam("key", type_=sa.Uuid)
)
_SAVE_OFFERING = sa.update(OFFERINGS).where(
    OFFERINGS.c.venue_id == _venue, OFFERINGS.c.id == sa.bindparam("key", type_=sa.Uuid)
)


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
    """The tenant's venue, with how the tenant looks."""
    row = (await tx.execute(_GET, {"venue": venue_id})).mappings().one_or_none()
    if row is None:
        return None
    look = {each: row[f"theme_{each}"] for each in themes.COLUMNS}
    theme = None if look["background"] is None else Theme(**look)
    return Venue(**{each.name: row[each.name] for each in _VENUE}, theme=theme)


async def bump_venue(tx: Transaction, venue_id: UUID) -> Venue | None:
    """The venue with its next version; nobody else changes it until the end of `tx`."""
    forget_after(tx)
    row = (await tx.execute(_BUMP, {"venue": venue_id})).mappings().one_or_none()
    if row is None:
        return None
    await venue_changed(tx, venue_id)
    return Venue(**row)


async def save_venue(tx: Transaction, venue: Venue) -> None:
    """Keeps a changed venue; its version is `bump_venue`'s."""
    await tx.execute(
        _SAVE,
        {
            "key": venue.id,
            "name": venue.name,
            "time_zone": venue.time_zone,
            "address": venue.address,
            "reseating": venue.reseating,
        },
    )


async def page_of_venues(tx: Transaction, page: Page) -> tuple[list[Venue], str]:
    """A page by name and id, and the token of the next."""
    rows, token = await _PAGES.read(tx, page, {})
    return [Venue(**row) for row in rows], token


async def list_others(tx: Transaction, venue_id: UUID, *, most: int) -> list[Venue]:
    """Other venues of the organization, by name."""
    rows = await tx.execute(_LIST_OTHERS, {"venue": venue_id, "size": most})
    return [Venue(**row) for row in rows.mappings()]


async def lock_number_of_venues(tx: Transaction) -> None:
    """Whoever else opens a venue for the organization waits for the end of `tx`."""
    await tx.execute(_LOCK_NUMBER, {"organization": tx.organization})


async def list_first(tx: Transaction, most: int) -> list[Venue]:
    """The tenant's first venues by name."""
    return [Venue(**row) for row in (await tx.execute(_LIST_FIRST, {"size": most})).mappings()]


async def count_venues(tx: Transaction) -> int:
    """How many there are."""
    counted: int = (await tx.execute(_COUNT)).scalar_one()
    return counted


async def insert_venue(tx: Transaction, venue: Venue) -> None:
    """Raises VenueSlugTaken."""
    with refusing(_REFUSALS):
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
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(AREAS), _of(tx, venue_id, id=area.id, name=area.name))


async def insert_offering(tx: Transaction, venue_id: UUID, offering: Offering) -> None:
    """Raises NameTaken."""
    row = _of(
        tx,
        venue_id,
        id=offering.id,
        turn_times=turns_document(offering.turn_times),
        slot_minutes=offering.slot_minutes,
        min_notice_minutes=offering.min_notice_minutes,
        max_advance_days=offering.max_advance_days,
        **_terms_columns(offering),
        times=times_document(offering),
        visit=visit_document(offering),
    )
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(OFFERINGS), row)


async def list_areas(tx: Transaction, venue_id: UUID) -> list[Area]:
    """All areas by name."""
    return [Area(row.id, row.name) for row in await tx.execute(_AREAS, {"venue": venue_id})]


async def page_of_areas(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[Area], str]:
    """A page by name and id, and the token of the next."""
    rows, token = await _AREA_PAGES.read(tx, page, {"venue": venue_id})
    return [Area(row["id"], row["name"]) for row in rows], token


async def save_visit(tx: Transaction, venue_id: UUID, offering: Offering) -> None:
    """Keeps what a visit of an offering consists of and needs."""
    await tx.execute(
        _SAVE_OFFERING,
        {
            "venue": venue_id,
            "key": offering.id,
            "turn_times": turns_document(offering.turn_times),
            "visit": visit_document(offering),
            "version": offering.version,
        },
    )


async def save_terms(tx: Transaction, venue_id: UUID, offering: Offering) -> None:
    """Keeps what an offering is called and costs, and its terms. Raises NameTaken."""
    values = {"venue": venue_id, "key": offering.id, "version": offering.version}
    with refusing(_REFUSALS):
        await tx.execute(_SAVE_OFFERING, values | _terms_columns(offering))


async def retire_offering(tx: Transaction, venue_id: UUID, offering_id: UUID) -> None:
    """Takes an offering off sale for good; its name is free again."""
    await tx.execute(_SAVE_OFFERING, {"venue": venue_id, "key": offering_id, "retired_at": tx.now})


async def name_of_offering(tx: Transaction, venue_id: UUID, offering_id: UUID) -> str:
    """What an offering of the venue is called, on sale or not."""
    found = await tx.execute(_NAME_OF_OFFERING, {"venue": venue_id, "key": offering_id})
    name: str = found.scalar_one()
    return name


async def list_offerings(tx: Transaction, venue_id: UUID) -> list[Offering]:
    """All offerings that are on sale, by name."""
    return [_offering(row) for row in (await tx.execute(_OFFERINGS, {"venue": venue_id})).mappings()]


async def page_of_offerings(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[Offering], str]:
    """A page of those on sale by name and id, and the token of the next."""
    rows, token = await _OFFERING_PAGES.read(tx, page, {"venue": venue_id})
    return [_offering(row) for row in rows], token


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
    terms: Mapping[str, Any],
    times: Mapping[str, Any],
    visit: Mapping[str, Any],
    version: int = 1,
    retired: bool = False,
) -> Offering:
    """An offering from its columns. `deposit`: its party, amount each, and free hours.

    Plans need no `version`.
    """
    from_party, per_person, free_hours = deposit
    rule = None
    if from_party is not None and per_person is not None and free_hours is not None:
        rule = DepositRule(from_party, Money(per_person, currency), free_hours)
    return Offering(
        id=offering_id,
        name=name,
        turn_times=turns_of(turn_times),
        deposit=rule,
        slot_minutes=slot_minutes,
        min_notice_minutes=min_notice_minutes,
        max_advance_days=max_advance_days,
        terms=terms_of(terms, currency),
        version=version,
        retired=retired,
        **times_of(times),
        **visit_of(visit),
    )


def _offering(row: sa.RowMapping) -> Offering:
    return offering_of(
        row["id"],
        row["name"],
        turn_times=row["turn_times"],
        slot_minutes=row["slot_minutes"],
        min_notice_minutes=row["min_notice_minutes"],
        max_advance_days=row["max_advance_days"],
        deposit=(row["deposit_from_party"], row["deposit_per_person"], row["free_cancellation_hours"]),
        currency=row["currency"],
        terms=row["terms"],
        times=row["times"],
        visit=row["visit"],
        version=row["version"],
    )


def _terms_columns(offering: Offering) -> dict[str, Any]:
    deposit = offering.deposit
    return {
        "name": offering.name,
        "deposit_from_party": deposit and deposit.from_party,
        "deposit_per_person": deposit and deposit.per_person.amount,
        "free_cancellation_hours": deposit and deposit.free_cancellation_hours,
        "terms": terms_document(offering.terms),
    }


def _of(tx: Transaction, venue_id: UUID, **columns: Any) -> dict[str, Any]:
    return {"organization_id": tx.organization, "venue_id": venue_id, **columns}
