"""What tests about capacity do with a house: look, book, and change what there is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from booking.domain.bookings import Actor, ActorKind, Wish
from booking.domain.offerings import Offering
from booking.domain.refusals import Refusal
from booking.domain.venues import (
    Resource,
    ResourceKind,
)
from booking.tables import ALLOCATIONS
from booking.usecases import (
    availability,
    bookings,
    floor,
    hours,
    venues,
)
from booking.usecases.bookings import Made
from booking.usecases.floor import Furnishing, VisitChange
from servicekit import ids
from servicekit.identity import Caller
from testkit.callers import anonymous
from testkit.paging import WHOLE

from .conftest import House

STAFF = Actor(ActorKind.MEMBER, ids.new())
HALF_HOUR = 1800


async def search(house: House, party_size: int, **how: Any) -> dict[int, Refusal | None]:
    """What becomes of each start, in half hours after 19:00."""
    found = await availability.search_availability(
        house.app, house.ref, house.day(), party_size=party_size, offering_id=house.offering.id, **how
    )
    return {(slot.start - house.start()) // HALF_HOUR: slot.refusal for slot in found.slots}


async def book(house: House, wish: Wish, caller: Caller | None = None) -> Made:
    """Books what is wished; a guest does unless somebody else is named."""
    return await bookings.create_booking(house.app, house.ref, wish, caller=caller or anonymous())


async def furnish(house: House, name: str, **changes: Any) -> Sequence[UUID]:
    """Changes a table; answers the bookings that are stranded."""
    table = house.tables[name]
    furnishing = Furnishing(
        name=table.name,
        min_party=table.min_party,
        max_party=table.max_party,
        area_id=table.area_id,
        attributes=sorted(table.attributes),
        priority=table.priority,
        online=table.online,
        in_service=table.in_service,
    )
    changed = await floor.update_resource(
        house.app, house.organization, house.ref, table.id, replace(furnishing, **changes)
    )
    return changed.stranded


def visit(offering: Offering, **changes: Any) -> VisitChange:
    """What a visit consists of now, with some of it changed."""
    change = VisitChange(offering.turn_times, offering.weekday_turns, offering.operations, offering.filling)
    return replace(change, **changes)


async def change_visit(house: House, **changes: Any) -> House:
    """The house, with its visits changed."""
    changed = await floor.update_visit(
        house.app, house.organization, house.ref, house.offering.id, visit(house.offering, **changes)
    )
    return replace(house, offering=changed.made)


async def add(house: House, name: str, kind: ResourceKind, *attributes: str) -> Resource:
    """One more of what visits need."""
    return await venues.add_resource(
        house.app,
        house.organization,
        house.ref,
        name=name,
        kind=kind,
        min_party=1,
        max_party=1,
        area_id=None,
        attributes=attributes,
    )


async def occupied_by(house: House, booking_id: UUID) -> list[tuple[str, int, int]]:
    """Who does what when for a booking, in minutes after 19:00."""
    query = sa.select(ALLOCATIONS).where(ALLOCATIONS.c.booking_id == booking_id)
    listed = (await venues.list_resources(house.app, house.organization, house.ref, WHOLE))[0]
    names = {each.id: each.name for each in listed}
    async with house.app.db.begin(house.organization) as tx:
        rows = (await tx.execute(query)).all()
    return sorted(
        (
            names[row.resource_id],
            (int(row.start_at.timestamp()) - house.start()) // 60,
            (int(row.end_at.timestamp()) - house.start()) // 60,
        )
        for row in rows
    )


def seated(house: House, made: Made) -> set[str]:
    """The tables of a booking."""
    return {name for name, table in house.tables.items() if table.id in made.booking.resource_ids}


async def set_times(house: House, offering: Offering) -> None:
    """Keeps what the offering says of buffers."""
    await hours.update_times(
        house.app,
        house.organization,
        house.ref,
        offering.id,
        hours.Times(
            offering.slot_minutes,
            offering.min_notice_minutes,
            offering.max_advance_days,
            offering.buffer_before_minutes,
            offering.buffer_after_minutes,
            None,
            None,
        ),
    )
