"""Finding a time. Reads one snapshot; what it shows may be gone the next moment."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Found, Plan
from booking.domain.venues import (
    VenueRef,
)
from booking.store import days as store
from booking.store import searches
from booking.store.days import Days, Window
from booking.usecases.directory import Place, find_place

_DAY = 86_400
_READS = 3
_NEIGHBOURS = 3
"""Days before and after one whose stays can touch its starts: a start is at most 48 hours after midnight, and
a stay at most 24 hours long."""


async def search_availability(
    app: App, ref: VenueRef, service_date: date, *, party_size: int, offering_id: UUID | None
) -> Found:
    """The starts of a service day for a party, of one offering or all, each with what becomes of it.

    True of the bookings of this moment; what only time changes may come two seconds late.

    Raises:
        VenueNotFound, OfferingNotFound
    """
    place = await find_place(app, ref)
    asked = (place.venue_id, service_date, party_size, offering_id)
    first, last = (service_date + timedelta(days=each) for each in (-_NEIGHBOURS, _NEIGHBOURS))
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
        party_size=party_size,
        allocations=days.allocations,
        now=int(days.now.timestamp()),
    )
    found = Found(plan.zone, slots)
    app.searches.put(asked, searches.Versions(plan.version, days.versions), found)
    return found


async def _read(app: App, place: Place, service_date: date) -> Days:
    """The day, with a window that fits the plan: read once as a rule, again when the venue just changed."""
    known = app.plans.get(place.venue_id)
    for _ in range(_READS):
        window = _window(known, service_date)
        days = await store.read_days(app.db, app.plans, place.organization, place.venue_id, window)
        if known is None or days.plan is known:
            break
        known = days.plan
    return days


def _window(plan: Plan | None, service_date: date) -> Window:
    """The time that starts of the day can touch. Without a plan: in any zone, with any shift and length."""
    touching = tuple(service_date + timedelta(days=each) for each in range(-_NEIGHBOURS, _NEIGHBOURS + 1))
    midnight = int(datetime.combine(service_date, datetime.min.time(), UTC).timestamp())
    first, last = midnight - _DAY, midnight + 3 * _DAY
    if plan is not None:
        starts = [
            start for offering in plan.offerings.values() for start in plan.starts(offering, service_date)
        ]
        longest = max(
            (turn.minutes for each in plan.offerings.values() for turn in each.turn_times), default=0
        )
        first, last = min(starts, default=midnight), max(starts, default=midnight)
        return Window(touching, first, last + longest * 60)
    return Window(touching, first, last + _DAY)
