"""What a guest can have in place of a start that cannot be booked. Bounded work; shows, and keeps nothing."""

from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from booking.app import App
from booking.domain import alternatives, calendar, lookups
from booking.domain.availability import Slot
from booking.domain.lookups import Verdict, Wanted
from booking.domain.snapshots import Inquiry
from booking.domain.venues import Venue, VenueRef
from booking.store import venues as venue_store
from booking.usecases import snapshots
from booking.usecases.directory import Place, find_place
from booking.usecases.lookups import Question, wanted_by
from booking.usecases.snapshots import Reading
from servicekit.errors import Busy
from servicekit.identity import Caller

_ATTEMPTS = 3
_AROUND = timedelta(days=alternatives.DATES_AWAY)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A start at another venue of the same organization."""

    venue: Venue
    slot: Slot


@dataclass(frozen=True, slots=True)
class Alternatives:
    """What became of a wish, and what is near it."""

    wish: Verdict
    times: list[Slot]
    """On the same service day."""
    dates: list[Slot]
    """At about the same local time on other service days."""
    elsewhere: list[Elsewhere]
    """At about the same moment."""


async def find_alternatives(
    app: App,
    ref: VenueRef,
    question: Question,
    *,
    tolerance_minutes: int | None = None,
    caller: Caller | None = None,
) -> Alternatives:
    """The nearest bookable starts: the same day, other dates, other venues of the organization.

    In the order of domain.alternatives. Everything about the venue is of one moment. At another venue, the
    area of the wish does not count, and any offering does.

    Raises:
        VenueNotFound, OfferingNotFound
        Inconsistent: the calendar of this platform does not reach that far.
        Busy: the venue is being changed all the time.
    """
    lookups.refuse_beyond_calendar("/start", question.start)
    tolerance = alternatives.TOLERANCE_MINUTES if tolerance_minutes is None else tolerance_minutes
    place = await find_place(app, ref)
    wanted = wanted_by(place, question, caller)
    for _ in range(_ATTEMPTS):
        plan = await snapshots.read_plan(app, place)
        day = lookups.service_date_near(plan, wanted)
        reading = await snapshots.read_days(app, place, day - _AROUND, day + _AROUND)
        if reading.plan is plan:
            break
    else:
        raise Busy
    inquiry = Inquiry(day, wanted.party, wanted.offering_id)
    found = await reading.find(inquiry)
    asked = lookups.inquiry_of(plan, wanted)
    return Alternatives(
        wish=lookups.verdict(plan.zone, wanted, found if asked else None, now=reading.now),
        times=alternatives.nearest_times(found.slots, wanted.start),
        dates=await _dates(reading, inquiry, wanted.start, tolerance),
        elsewhere=await _elsewhere(app, place, wanted, tolerance),
    )


async def _dates(reading: Reading, inquiry: Inquiry, start: int, tolerance: int) -> list[Slot]:
    """One start of each of the nearest dates that have one."""
    zone, day = reading.plan.zone, inquiry.service_date
    minute = calendar.minute_of(zone, day, start)
    # The service day of yesterday may still go on.
    earliest = calendar.local_date(zone, reading.now) - timedelta(days=1)
    told: list[Slot] = []
    for other in alternatives.dates_around(day, earliest=earliest):
        found = await reading.find(replace(inquiry, service_date=other))
        slot = alternatives.at_wall_clock(
            zone, found.slots, other, minute=minute, tolerance_minutes=tolerance
        )
        if slot is not None:
            told.append(slot)
        if len(told) == alternatives.MOST_DATES:
            break
    return told


async def _elsewhere(app: App, place: Place, wanted: Wanted, tolerance: int) -> list[Elsewhere]:
    """One start of each of the first venues, by name, that have one; venues have no coordinates."""
    async with app.db.begin(place.organization) as tx:
        others = await venue_store.list_others(tx, place.venue_id, most=alternatives.VENUES_SEEN)
    told: list[Elsewhere] = []
    for venue in others:
        days = alternatives.service_dates_about(
            ZoneInfo(venue.time_zone), wanted.start, tolerance_minutes=tolerance
        )
        there = Place(place.organization, venue.id)
        reading = await snapshots.read_days(app, there, days[0], days[-1])
        party = replace(wanted.party, area_id=None)
        slots = [
            slot for day in days for slot in (await reading.find(Inquiry(day, party, offering_id=None))).slots
        ]
        slot = alternatives.at_instant(slots, wanted.start, tolerance_minutes=tolerance)
        if slot is not None:
            told.append(Elsewhere(venue, slot))
        if len(told) == alternatives.MOST_VENUES:
            break
    return told
