"""Closing service days for once. Each closure names the future bookings that it strands; they stay."""

from datetime import date, timedelta
from uuid import UUID

from booking.app import App
from booking.domain.closures import Closure, ClosureNotFound
from booking.domain.offerings import OfferingNotFound
from booking.domain.venues import PartDeleted, Venue, VenueRef
from booking.store import hours as store
from booking.store import venues as venue_store
from booking.usecases import capacity, stranded
from booking.usecases.directory import find_own_venue
from booking.usecases.hours import Changed, refuse_long
from servicekit import idempotency
from servicekit.database import Transaction
from servicekit.paging import Page


async def create_closure(app: App, organization: UUID, ref: VenueRef, closure: Closure) -> Changed[Closure]:
    """Closes service days; the same again for the same Idempotency-Key.

    Raises:
        VenueNotFound, OfferingNotFound: there is none.
        Busy: bookings are being made for too long.
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        earlier = await idempotency.claim(tx, idempotency.key(), closure.id)
        if earlier:
            closure = await _closure(tx, venue, earlier, PartDeleted)
        else:
            await _refuse_unknown(tx, venue, closure)
            await store.insert_closure(tx, venue.id, closure)
            await capacity.publish(tx, venue)
        return Changed(closure, await _stranded_by(tx, venue, closure))


async def update_closure(app: App, organization: UUID, ref: VenueRef, closure: Closure) -> Changed[Closure]:
    """Replaces a closure. Raises VenueNotFound, ClosureNotFound, OfferingNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _closure(tx, venue, closure.id)
        await _refuse_unknown(tx, venue, closure)
        await store.save_closure(tx, closure)
        await capacity.publish(tx, venue)
        return Changed(closure, await _stranded_by(tx, venue, closure))


async def delete_closure(app: App, organization: UUID, ref: VenueRef, closure_id: UUID) -> None:
    """Opens again what a closure closed. Raises VenueNotFound, ClosureNotFound, Busy."""
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await _closure(tx, venue, closure_id)
        await store.delete_closure(tx, closure_id)
        await capacity.publish(tx, venue)


async def list_closures(
    app: App, organization: UUID, ref: VenueRef, first: date, last: date, *, page: Page
) -> tuple[list[Closure], str]:
    """A page of the closures of which some day lies in between, by first day, and the token of the next.

    Raises:
        VenueNotFound, Inconsistent
    """
    refuse_long(first, last)
    async with app.db.begin(organization) as tx:
        return await store.page_of_closures(tx, (await find_own_venue(tx, ref)).id, first, last, page)


async def _refuse_unknown(tx: Transaction, venue: Venue, closure: Closure) -> None:
    known = {each.id for each in await venue_store.list_offerings(tx, venue.id)}
    if not known.issuperset(closure.offering_ids):
        raise OfferingNotFound


async def _closure(
    tx: Transaction,
    venue: Venue,
    closure_id: UUID,
    missing: type[ClosureNotFound | PartDeleted] = ClosureNotFound,
) -> Closure:
    found = await store.get_closure(tx, venue.id, closure_id)
    if found is None:
        raise missing
    return found


async def _stranded_by(tx: Transaction, venue: Venue, closure: Closure) -> list[UUID]:
    """Of its days and of those around, whose stays may last into them."""
    around = timedelta(days=2)
    return await stranded.after_change(
        tx,
        venue.id,
        offering_ids=closure.offering_ids,
        first=closure.first - around,
        last=closure.last + around,
    )
