"""Blocking resources: behind everybody who books the days involved, and never over a live booking."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import texts
from booking.domain.blocks import Block, BlockNotFound, BookingsInTheWay, Span, free_of
from booking.domain.bookings import Actor
from booking.domain.venues import AreaNotFound, ResourceNotFound, Venue, VenueRef
from booking.events import blocks as events
from booking.store import blocks as store
from booking.store import bookings as booking_store
from booking.store import floor
from booking.store import venues as venue_store
from booking.store.days import Lost, lock_days
from booking.usecases import holds
from booking.usecases.directory import find_own_venue
from booking.usecases.retries import until_first
from servicekit import idempotency, ids
from servicekit.database import Transaction
from servicekit.paging import Page

_MOST_DAYS = 92
_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Blocking:
    """What staff want to block: resources, or all of an area, or with neither all of the venue."""

    resource_ids: tuple[UUID, ...]
    area_id: UUID | None
    start: int
    """Epoch seconds; so is the end."""
    end: int
    reason: str
    strand: bool
    """Whether bookings in the way stay, instead of refusing it."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A block, in its venue's zone, and the bookings that stay in its way, by start."""

    block: Block
    zone: ZoneInfo
    stranded: Sequence[UUID] = ()


async def create_block(
    app: App, organization: UUID, ref: VenueRef, blocking: Blocking, *, actor: Actor
) -> Blocked:
    """Blocks what is free, now and when a booking in the way goes. The same for the same Idempotency-Key.

    Raises:
        VenueNotFound, ResourceNotFound, AreaNotFound: there is none.
        Inconsistent: it names resources and an area, or ends before it starts, is over, or is too long.
        BookingsInTheWay: live bookings are, and they are not to be stranded.
        Busy: too many others change these days.
    """
    return await until_first(lambda: _create(app, organization, ref, blocking, actor))


async def list_blocks(
    app: App, organization: UUID, ref: VenueRef, first: date, last: date, *, page: Page
) -> tuple[list[Blocked], str]:
    """A page of the blocks that touch some local days, by start, and the token of the next.

    Raises:
        VenueNotFound, Inconsistent
    """
    if not first <= last <= first + timedelta(days=_MOST_DAYS):
        texts.refuse("/to", f"must not be before from, and at most {_MOST_DAYS} days later")
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        zone = ZoneInfo(venue.time_zone)
        start = datetime.combine(first, datetime.min.time(), zone)
        end = datetime.combine(last + timedelta(days=1), datetime.min.time(), zone)
        found, token = await store.page_of_touching(tx, venue.id, start, end, page)
    return [Blocked(each, zone) for each in found], token


async def delete_block(app: App, organization: UUID, ref: VenueRef, block_id: UUID) -> None:
    """Puts what a block had on sale again. Raises VenueNotFound, BlockNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        seen = await store.get_block(tx, venue.id, block_id)
        if seen is None:
            raise BlockNotFound
        await lock_days(tx, venue.id, _days(venue, seen))
        if await store.get_block(tx, venue.id, block_id) is None:
            raise BlockNotFound
        await store.delete_block(tx, block_id)
        await events.resources_unblocked(tx, seen)


async def _create(app: App, organization: UUID, ref: VenueRef, blocking: Blocking, actor: Actor) -> Blocked:
    async with app.db.begin(organization) as tx:
        venue = await find_own_venue(tx, ref)
        zone = ZoneInfo(venue.time_zone)
        block = Block.lay(
            ids.new(),
            venue_id=venue.id,
            resource_ids=await _resources(tx, venue, blocking),
            start=datetime.fromtimestamp(blocking.start, UTC),
            end=datetime.fromtimestamp(blocking.end, UTC),
            reason=blocking.reason,
            created_by=actor.user,
            now=tx.now,
        )
        await lock_days(tx, venue.id, _days(venue, block))
        earlier = await idempotency.claim(tx, idempotency.key(), block.id)
        if earlier:
            found = await store.get_block(tx, venue.id, earlier)
            if found is None:
                raise BlockNotFound
            return Blocked(found, zone, (await _look(tx, found))[1])
        taken, in_the_way = await _look(tx, block)
        if in_the_way and not blocking.strand:
            named = ",".join(ids.show("bkg", each) for each in in_the_way[:_MOST_NAMED])
            raise BookingsInTheWay(metadata={"booking_ids": named})
        await store.insert_block(tx, block)
        pieces = [(block.id, piece) for span in block.spans for piece in free_of(span, taken)]
        if not await store.occupy(tx, venue.id, pieces):
            raise Lost
        await events.resources_blocked(tx, block, zone)
    return Blocked(block, zone, in_the_way)


async def _resources(tx: Transaction, venue: Venue, blocking: Blocking) -> list[UUID]:
    if blocking.resource_ids and blocking.area_id:
        texts.refuse("/area_id", "must not be given together with resource_ids")
    resources = await floor.list_resources(tx, venue.id)
    if blocking.resource_ids:
        if not {each.id for each in resources} >= set(blocking.resource_ids):
            raise ResourceNotFound
        return list(blocking.resource_ids)
    if blocking.area_id is None:
        return [each.id for each in resources]
    if blocking.area_id not in {each.id for each in await venue_store.list_areas(tx, venue.id)}:
        raise AreaNotFound
    return [each.id for each in resources if each.area_id == blocking.area_id]


async def _look(tx: Transaction, block: Block) -> tuple[list[Span], list[UUID]]:
    """What others have of a block's time, and which of them are live bookings. Lets go of what ran out."""
    taken: list[Span] = []
    in_the_way: dict[UUID, None] = {}
    for span, booking_id, live in await store.list_taken(tx, block):
        if booking_id is not None and not live:
            await _expire(tx, booking_id)
            continue
        taken.append(span)
        if booking_id is not None:
            in_the_way[booking_id] = None
    return taken, list(in_the_way)


async def _expire(tx: Transaction, booking_id: UUID) -> None:
    booking = await booking_store.lock_booking(tx, booking_id)
    if booking is None:
        raise Lost
    if booking.ran_out(tx.now):  # else it went with another of its resources
        await holds.expire(tx, booking)


def _days(venue: Venue, block: Block) -> set[date]:
    """Every service day whose bookings can lie in the block: starts and stays reach over a midnight each."""
    zone = ZoneInfo(venue.time_zone)
    first = block.start.astimezone(zone).date() - timedelta(days=2)
    last = block.end.astimezone(zone).date()
    return {first + timedelta(days=each) for each in range((last - first).days + 1)}
