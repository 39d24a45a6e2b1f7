"""Finding a time. Reads one snapshot; what it shows may be gone the next moment."""

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Found
from booking.domain.floor import Channel, Party
from booking.domain.venues import (
    VenueRef,
)
from booking.store import days as store
from booking.store import searches
from booking.store.days import Days
from booking.usecases.directory import Place, channel_of, find_place
from booking.usecases.windows import NEIGHBOURS, window_of_day
from servicekit.identity import Caller

_READS = 3


async def search_availability(
    app: App,
    ref: VenueRef,
    service_date: date,
    *,
    party_size: int,
    offering_id: UUID | None,
    area_id: UUID | None = None,
    attributes: Iterable[str] = (),
    caller: Caller | None = None,
) -> Found:
    """The starts of a service day for a party, of one offering or all, each with what becomes of it.

    Staff of the venue see what they may book themselves, everybody else what is on sale online. True of the
    bookings of this moment; what only time changes may come two seconds late.

    Raises:
        VenueNotFound, OfferingNotFound
    """
    place = await find_place(app, ref)
    channel = channel_of(caller, place) if caller else Channel.ONLINE
    party = Party(party_size, channel, area_id, frozenset(attributes))
    asked = (place.venue_id, service_date, party, offering_id)
    first, last = (service_date + timedelta(days=each) for each in (-NEIGHBOURS, NEIGHBOURS))
    if app.searches.has(asked):
        versions = await searches.read_versions(app.db, place.organization, place.venue_id, first, last)
        known = app.searches.get(asked, versions)
        if known is not None:
            return known
    days = await _read(app, place, service_date)
    plan = days.plan
    offerings = [plan.offering(offering_id)] if offering_id else list(plan.offerings.values())
    slots = availability.search(
        plan,
        offerings,
        service_date,
        party=party,
        taken=days.taken,
        now=int(days.now.timestamp()),
    )
    notes = plan.hours.notes([each.id for each in offerings], service_date)
    found = Found(plan.zone, slots, notes)
    app.searches.put(asked, searches.Versions(plan.version, days.versions), found)
    return found


async def _read(app: App, place: Place, service_date: date) -> Days:
    """The day, with a window that fits the plan: read once as a rule, again when the venue just changed."""
    known = app.plans.get(place.venue_id)
    for _ in range(_READS):
        window = window_of_day(known, service_date)
        days = await store.read_days(app.db, app.plans, place.organization, place.venue_id, window)
        if known is None or days.plan is known:
            break
        known = days.plan
    return days
