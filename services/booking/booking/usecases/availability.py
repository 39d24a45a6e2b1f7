"""Finding a time. Reads one snapshot; what it shows may be gone the next moment."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import availability
from booking.domain.availability import Slot
from booking.domain.floor import Channel, Party
from booking.domain.venues import (
    VenueRef,
)
from booking.store import days as store
from booking.store.days import Days
from booking.usecases.directory import Place, channel_of, find_place
from booking.usecases.windows import window_of_day
from servicekit.identity import Caller

_READS = 3


@dataclass(frozen=True, slots=True)
class Found:
    """The starts of a service day."""

    zone: ZoneInfo
    slots: list[Slot]
    notes: list[str]
    """What the venue tells everybody about it."""


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

    Staff of the venue see what they may book themselves, everybody else what is on sale online.

    Raises:
        VenueNotFound, OfferingNotFound
    """
    place = await find_place(app, ref)
    days = await _read(app, place, service_date)
    plan = days.plan
    channel = channel_of(caller, place) if caller else Channel.ONLINE
    offerings = [plan.offering(offering_id)] if offering_id else list(plan.offerings.values())
    slots = availability.search(
        plan,
        offerings,
        service_date,
        party=Party(party_size, channel, area_id, frozenset(attributes)),
        taken=days.taken,
        now=int(days.now.timestamp()),
    )
    notes = plan.hours.notes([each.id for each in offerings], service_date)
    return Found(plan.zone, slots, notes)


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
