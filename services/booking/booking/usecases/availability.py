"""Finding a time. Reads one snapshot; what it shows may be gone the next moment."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Plan, Slot
from booking.domain.venues import (
    VenueRef,
)
from booking.store import days as store
from booking.store.days import Days, Window
from booking.usecases.directory import Place, find_place

_DAY = 86_400
_READS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The starts of a service day."""

    zone: ZoneInfo
    slots: list[Slot]


async def search_availability(
    app: App, ref: VenueRef, service_date: date, *, party_size: int, offering_id: UUID | None
) -> Found:
    """The starts of a service day for a party, of one offering or all, each with what becomes of it.

    Raises:
        VenueNotFound, OfferingNotFound
    """
    place = await find_place(app, ref)
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
    return Found(plan.zone, slots)


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
        return Window((service_date,), first, last + longest * 60)
    return Window((service_date,), first, last + _DAY)
