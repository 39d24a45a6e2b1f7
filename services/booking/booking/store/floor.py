"""Resources and combinations of venues, and who counts on a resource."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from booking.domain.venues import (
    Adjacency,
    AreaNotFound,
    Combination,
    NameTaken,
    Resource,
    ResourceKind,
    ResourceNotFound,
)
from booking.store.refusals import refusing
from booking.tables import ALLOCATIONS, BLOCKS, COMBINATION_MEMBERS, COMBINATIONS, RESOURCES
from servicekit.database import Transaction
from servicekit.errors import AppError
from servicekit.keyset import Keyset
from servicekit.paging import Page

_REFUSALS: dict[str, type[AppError]] = {
    "resources_name_taken": NameTaken,
    "combinations_name_taken": NameTaken,
    "resources_in_area": AreaNotFound,
    "combination_members_in_venue": ResourceNotFound,
}
_venue = sa.bindparam("venue", type_=sa.Uuid)
_key = sa.bindparam("key", type_=sa.Uuid)

_RESOURCES = sa.select(RESOURCES).where(RESOURCES.c.venue_id == _venue).order_by(RESOURCES.c.name)
_COMBINATIONS = (
    sa.select(
        COMBINATIONS,
        sa.select(
            sa.func.array_agg(
                aggregate_order_by(
                    COMBINATION_MEMBERS.c.resource_id,
                    COMBINATION_MEMBERS.c.place,
                    COMBINATION_MEMBERS.c.resource_id,
                ),
                type_=sa.ARRAY(sa.Uuid),
            )
        )
        .where(COMBINATION_MEMBERS.c.combination_id == COMBINATIONS.c.id)
        .scalar_subquery()
        .label("members"),
    )
    .where(COMBINATIONS.c.venue_id == _venue)
    .order_by(COMBINATIONS.c.name)
)
_RESOURCE_PAGES = Keyset(_RESOURCES, RESOURCES.c.name, RESOURCES.c.id)
_COMBINATION_PAGES = Keyset(_COMBINATIONS, COMBINATIONS.c.name, COMBINATIONS.c.id)
_SAVE_RESOURCE = sa.update(RESOURCES).where(RESOURCES.c.id == _key)
_SAVE_COMBINATION = sa.update(COMBINATIONS).where(COMBINATIONS.c.id == _key)
_DELETE_COMBINATION = sa.delete(COMBINATIONS).where(COMBINATIONS.c.id == _key)
_DELETE_MEMBERS = sa.delete(COMBINATION_MEMBERS).where(COMBINATION_MEMBERS.c.combination_id == _key)
_DELETE_RESOURCE = sa.delete(RESOURCES).where(RESOURCES.c.id == _key)
_FORGET = sa.delete(ALLOCATIONS).where(ALLOCATIONS.c.resource_id == _key)
_BOOKINGS_ON = (
    sa.select(ALLOCATIONS.c.booking_id)
    .where(
        ALLOCATIONS.c.resource_id == _key,
        ALLOCATIONS.c.booking_id.is_not(None),
        ALLOCATIONS.c.end_at > sa.func.now(),
    )
    .distinct()
)
_JOINING = sa.select(COMBINATION_MEMBERS.c.combination_id).where(COMBINATION_MEMBERS.c.resource_id == _key)
_BLOCKING = sa.select(BLOCKS.c.id).where(
    BLOCKS.c.venue_id == _venue, BLOCKS.c.end_at > sa.func.now(), _key == sa.any_(BLOCKS.c.resource_ids)
)


async def list_resources(tx: Transaction, venue_id: UUID) -> list[Resource]:
    """All resources by name, also those out of service."""
    return [_resource(row) for row in (await tx.execute(_RESOURCES, {"venue": venue_id})).mappings()]


async def page_of_resources(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[Resource], str]:
    """A page by name and id, also of those out of service, and the token of the next."""
    rows, token = await _RESOURCE_PAGES.read(tx, page, {"venue": venue_id})
    return [_resource(row) for row in rows], token


async def list_combinations(tx: Transaction, venue_id: UUID) -> list[Combination]:
    """All combinations by name."""
    return [_combination(row) for row in (await tx.execute(_COMBINATIONS, {"venue": venue_id})).mappings()]


async def page_of_combinations(tx: Transaction, venue_id: UUID, page: Page) -> tuple[list[Combination], str]:
    """A page by name and id, and the token of the next."""
    rows, token = await _COMBINATION_PAGES.read(tx, page, {"venue": venue_id})
    return [_combination(row) for row in rows], token


async def insert_resource(tx: Transaction, venue_id: UUID, resource: Resource) -> None:
    """Raises NameTaken, AreaNotFound."""
    row = {"organization_id": tx.organization, "venue_id": venue_id, **_resource_row(resource)}
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(RESOURCES), {"id": resource.id, **row})


async def save_resource(tx: Transaction, resource: Resource) -> None:
    """Keeps a changed resource. Raises NameTaken, AreaNotFound."""
    with refusing(_REFUSALS):
        await tx.execute(_SAVE_RESOURCE, {"key": resource.id, **_resource_row(resource)})


async def delete_resource(tx: Transaction, resource_id: UUID) -> None:
    """Deletes a resource that nothing counts on, with what is left of what it was occupied by."""
    await tx.execute(_FORGET, {"key": resource_id})
    await tx.execute(_DELETE_RESOURCE, {"key": resource_id})


async def list_uses(tx: Transaction, venue_id: UUID, resource_id: UUID) -> dict[str, list[UUID]]:
    """Who counts on a resource: `bookings` that are not over, `combinations`, `blocks`."""
    values = {"key": resource_id}
    return {
        "bookings": sorted((await tx.execute(_BOOKINGS_ON, values)).scalars()),
        "combinations": sorted((await tx.execute(_JOINING, values)).scalars()),
        "blocks": sorted((await tx.execute(_BLOCKING, values | {"venue": venue_id})).scalars()),
    }


async def insert_combination(tx: Transaction, venue_id: UUID, combination: Combination) -> None:
    """Raises NameTaken, ResourceNotFound."""
    row = {"organization_id": tx.organization, "venue_id": venue_id, **_combination_row(combination)}
    with refusing(_REFUSALS):
        await tx.execute(sa.insert(COMBINATIONS), {"id": combination.id, **row})
        await tx.execute(sa.insert(COMBINATION_MEMBERS), _members(tx, venue_id, combination))


async def save_combination(tx: Transaction, venue_id: UUID, combination: Combination) -> None:
    """Keeps a changed combination. Raises NameTaken, ResourceNotFound."""
    with refusing(_REFUSALS):
        await tx.execute(_SAVE_COMBINATION, {"key": combination.id, **_combination_row(combination)})
        await tx.execute(_DELETE_MEMBERS, {"key": combination.id})
        await tx.execute(sa.insert(COMBINATION_MEMBERS), _members(tx, venue_id, combination))


async def delete_combination(tx: Transaction, combination_id: UUID) -> None:
    """Deletes a combination; its members stay."""
    await tx.execute(_DELETE_MEMBERS, {"key": combination_id})
    await tx.execute(_DELETE_COMBINATION, {"key": combination_id})


def adjacency_of(
    max_joined: int | None, seats_lost_per_joint: int | None, min_party: int | None
) -> Adjacency | None:
    """The rule of a row of neighbours; None for what is joined as a whole."""
    if max_joined is None or seats_lost_per_joint is None or min_party is None:
        return None
    return Adjacency(max_joined, seats_lost_per_joint, min_party)


def _resource(row: sa.RowMapping) -> Resource:
    return Resource(
        id=row["id"],
        name=row["name"],
        kind=ResourceKind(row["kind"]),
        min_party=row["min_party"],
        max_party=row["max_party"],
        area_id=row["area_id"],
        attributes=frozenset(row["attributes"]),
        priority=row["priority"],
        online=row["online"],
        in_service=row["in_service"],
    )


def _combination(row: sa.RowMapping) -> Combination:
    return Combination(
        row["id"],
        row["name"],
        tuple(row["members"]),
        row["min_party"],
        row["max_party"],
        adjacency_of(row["max_joined"], row["seats_lost_per_joint"], row["run_min_party"]),
    )


def _resource_row(resource: Resource) -> dict[str, Any]:
    return {
        "area_id": resource.area_id,
        "name": resource.name,
        "kind": resource.kind.value,
        "min_party": resource.min_party,
        "max_party": resource.max_party,
        "attributes": sorted(resource.attributes),
        "priority": resource.priority,
        "online": resource.online,
        "in_service": resource.in_service,
    }


def _combination_row(combination: Combination) -> dict[str, Any]:
    rule = combination.adjacency
    return {
        "name": combination.name,
        "min_party": combination.min_party,
        "max_party": combination.max_party,
        "max_joined": rule and rule.max_joined,
        "seats_lost_per_joint": rule and rule.seats_lost_per_joint,
        "run_min_party": rule and rule.min_party,
    }


def _members(tx: Transaction, venue_id: UUID, combination: Combination) -> list[dict[str, Any]]:
    return [
        {
            "organization_id": tx.organization,
            "venue_id": venue_id,
            "combination_id": combination.id,
            "resource_id": each,
            "place": place,
        }
        for place, each in enumerate(combination.resource_ids)
    ]
