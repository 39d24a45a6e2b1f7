"""What offerings cost and under which terms, and taking them off sale. What is booked keeps its terms."""

from dataclasses import dataclass
from uuid import UUID

from booking.app import App
from booking.domain.offerings import DepositRule, Offering, OfferingInUse, OfferingNotFound
from booking.domain.terms import Terms
from booking.domain.venues import Venue, VenueRef
from booking.store import offerings as store
from booking.store import venues as venue_store
from booking.usecases import capacity
from booking.usecases.directory import find_own_venue, find_place
from servicekit import ids
from servicekit.database import Transaction

_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class Pricing:
    """What an offering is to be called and to cost, and under which terms."""

    name: str
    deposit: DepositRule | None
    terms: Terms


async def get_public_offering(app: App, ref: VenueRef, offering_id: UUID) -> Offering:
    """An offering on sale, as anybody sees it. Raises VenueNotFound, OfferingNotFound."""
    place = await find_place(app, ref)
    async with app.db.begin(place.organization) as tx:
        venue = await find_own_venue(tx, VenueRef(place.venue_id))
        return await find_offering(tx, venue, offering_id)


async def update_terms(
    app: App,
    organization: UUID,
    ref: VenueRef,
    offering_id: UUID,
    pricing: Pricing,
    *,
    expected_version: int = 0,
) -> Offering:
    """Replaces an offering's name, price and terms, for whoever books from now on.

    Raises:
        VenueNotFound, OfferingNotFound, NameTaken, DepositNotPayable, InvalidRequest, Inconsistent
        VersionMismatch: it has changed since.
        Busy: bookings are being made for too long.
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        before = await find_offering(tx, venue, offering_id, expected_version)
        offering = before.keep_terms(
            name=pricing.name, deposit=pricing.deposit, terms=pricing.terms, currency=venue.currency
        )
        await venue_store.save_terms(tx, venue.id, offering)
        await capacity.publish(tx, venue)
    return offering


async def delete_offering(
    app: App, organization: UUID, ref: VenueRef, offering_id: UUID, *, expected_version: int = 0
) -> None:
    """Takes an offering off sale for good, with its hours and pacing rules. Its name is free again.

    Raises:
        VenueNotFound, OfferingNotFound, VersionMismatch, Busy
        OfferingInUse: bookings are to come, or somebody waits.
    """
    async with app.db.begin(organization) as tx:
        venue = await capacity.begin_change(tx, ref)
        await find_offering(tx, venue, offering_id, expected_version)
        live = await store.list_to_come(tx, venue.id, offering_id, capacity.today(tx))
        waiting = await store.list_waiting(tx, venue.id, offering_id)
        if live or waiting:
            raise OfferingInUse(
                metadata={
                    "bookings": str(len(live)),
                    "booking_ids": ",".join(ids.show("bkg", each) for each in live[:_MOST_NAMED]),
                    "waiting": str(len(waiting)),
                    "waitlist_entry_ids": ",".join(ids.show("wle", each) for each in waiting[:_MOST_NAMED]),
                }
            )
        await store.delete_rules(tx, venue.id, offering_id)
        await venue_store.retire_offering(tx, venue.id, offering_id)
        await capacity.publish(tx, venue)


async def find_offering(
    tx: Transaction, venue: Venue, offering_id: UUID, expected_version: int = 0
) -> Offering:
    """An offering that the venue sells, at a version; 0 for any. Raises OfferingNotFound, VersionMismatch."""
    for each in await venue_store.list_offerings(tx, venue.id):
        if each.id == offering_id:
            each.refuse_unless_version(expected_version)
            return each
    raise OfferingNotFound
