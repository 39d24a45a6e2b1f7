"""Changing resources, combinations and what visits need. Each change names the bookings that it strands."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain.offerings import Filling, Offering
from booking.domain.operations import Operation
from booking.domain.turns import TurnTime, WeekdayTurns
from booking.domain.venues import (
    Adjacency,
    Combination,
    CombinationNotFound,
    Resource,
    ResourceInUse,
    ResourceNotFound,
    Venue,
    VenueRef,
)
from booking.store import floor as store
from booking.store import venues as venue_store
from booking.usecases import capacity, stranded
from booking.usecases.hours import Changed
from booking.usecases.offerings import find_offering
from servicekit import ids
from servicekit.database import Transaction

_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Furnishing:
    """What a resource is to be."""

    name: str
    min_party: int
    max_party: int
    area_id: UUID | None
    attributes: Sequence[str]
    priority: int
    online: bool
    in_service: bool


@dataclass(frozen=True, slots=True)
class Joining:
    """What a combination is to be."""

    name: str
    resource_ids: Sequence[UUID]
    min_party: int
    max_party: int
    adjacency: Adjacency | None


@dataclass(frozen=True, slots=True)
class VisitChange:
    """What a visit of an offering is to be."""

    turn_times: Sequence[TurnTime]
    weekday_turns: Sequence[WeekdayTurns]
    operations: Sequence[Operation]
    filling: Filling
    expected_version: int = 0


async def update_resource(
    app: App, organization: UUID, ref: VenueRef, resource_id: UUID, furnishing: Furnishing
) -> Changed[Resource]:
    """Replaces a resource, all but its kind.

    Raises:
        VenueNotFound, ResourceNotFound, AreaNotFound, NameTaken, PartyRangeUpsideDown, Busy
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await _resource(tx, venue, resource_id)
        resource = Resource.add(
            before.id,
            name=furnishing.name,
            kind=before.kind,
            min_party=furnishing.min_party,
            max_party=furnishing.max_party,
            area_id=furnishing.area_id,
            attributes=furnishing.attributes,
            priority=furnishing.priority,
            online=furnishing.online,
            in_service=furnishing.in_service,
        )
        await store.save_resource(tx, resource)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, resource_ids=(resource_id,))
        return Changed(resource, left)


async def delete_resource(app: App, organization: UUID, ref: VenueRef, resource_id: UUID) -> None:
    """Deletes a resource.

    Raises:
        VenueNotFound, ResourceNotFound, Busy
        ResourceInUse: bookings that are not over, combinations or blocks count on it.
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _resource(tx, venue, resource_id)
        uses = await store.list_uses(tx, venue.id, resource_id)
        if any(uses.values()):
            metadata = {
                f"{name}_ids": ",".join(ids.show(prefix, each) for each in uses[f"{name}s"][:_MOST_NAMED])
                for name, prefix in (("booking", "bkg"), ("combination", "cmb"), ("block", "blk"))
            }
            raise ResourceInUse(metadata=metadata)
        await store.delete_resource(tx, resource_id)
        await capacity.publish(tx, venue)


async def update_combination(
    app: App, organization: UUID, ref: VenueRef, combination_id: UUID, joining: Joining
) -> Changed[Combination]:
    """Replaces a combination.

    Raises:
        VenueNotFound, CombinationNotFound, ResourceNotFound, NameTaken, PartyRangeUpsideDown, Inconsistent
        Busy: bookings are being made for too long.
    """
    combination = Combination.add(
        combination_id,
        name=joining.name,
        resource_ids=joining.resource_ids,
        min_party=joining.min_party,
        max_party=joining.max_party,
        adjacency=joining.adjacency,
    )
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await _combination(tx, venue, combination_id)
        await store.save_combination(tx, venue.id, combination)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, resource_ids=before.resource_ids)
        return Changed(combination, left)


async def delete_combination(
    app: App, organization: UUID, ref: VenueRef, combination_id: UUID
) -> Changed[Combination]:
    """Deletes a combination. Raises VenueNotFound, CombinationNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        combination = await _combination(tx, venue, combination_id)
        await store.delete_combination(tx, combination_id)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, resource_ids=combination.resource_ids)
        return Changed(combination, left)


async def update_visit(
    app: App, organization: UUID, ref: VenueRef, offering_id: UUID, change: VisitChange
) -> Changed[Offering]:
    """Replaces what a visit of an offering consists of. What is booked keeps its length.

    Raises:
        VenueNotFound, OfferingNotFound, VersionMismatch, TurnTimesNotRising, Inconsistent, Busy
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        offering = (await find_offering(tx, venue, offering_id, change.expected_version)).keep_visit(
            turn_times=change.turn_times,
            weekday_turns=change.weekday_turns,
            operations=change.operations,
            filling=change.filling,
        )
        await venue_store.save_visit(tx, venue.id, offering)
        await capacity.publish(tx, venue)
        left = await stranded.after_change(tx, venue.id, offering_ids=(offering_id,))
        return Changed(offering, left)


async def _resource(tx: Transaction, venue: Venue, resource_id: UUID) -> Resource:
    for each in await store.list_resources(tx, venue.id):
        if each.id == resource_id:
            return each
    raise ResourceNotFound


async def _combination(tx: Transaction, venue: Venue, combination_id: UUID) -> Combination:
    for each in await store.list_combinations(tx, venue.id):
        if each.id == combination_id:
            return each
    raise CombinationNotFound
