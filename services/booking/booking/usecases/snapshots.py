"""Reading a venue and some of its service days at once, to search them day by day."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeVar

from booking.app import App
from booking.domain.availability import Found, Plan
from booking.domain.snapshots import Inquiry, Snapshot, time_matters
from booking.store import days as day_store
from booking.store import searches
from booking.store.days import Days
from booking.store.searches import Searches
from booking.store.versions import Versions, read_versions
from booking.usecases.directory import Place
from booking.usecases.windows import NEIGHBOURS, window_of_days

_READS = 3
_OLDEST_SECONDS = 600.0
"""Older answers are not looked at again."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """Some service days of a venue as one statement read them, and what is remembered of searches of them."""

    app: App
    place: Place
    snapshot: Snapshot
    versions: Versions
    read_at: float
    """When it was asked for, by this process's own clock."""
    _made: dict[Inquiry, Found] = field(default_factory=dict, init=False)

    @property
    def plan(self) -> Plan:
        """The venue's plan."""
        return self.snapshot.plan

    @property
    def now(self) -> int:
        """The database's clock, in epoch seconds."""
        return self.snapshot.now

    async def find(self, inquiry: Inquiry) -> Found:
        """The search of a day, made before if nothing has changed since. Raises as `answer`."""
        found = self._made.get(inquiry)
        if found is None:
            found = self._made[inquiry] = await self.answer(inquiry, self.app.searches, lambda found: found)
        return found

    async def answer(self, inquiry: Inquiry, kept: Searches[T], make: Callable[[Found], T]) -> T:
        """What is made of the search of a day, kept for whoever asks next.

        Many searches take long: between two, others have their turn.

        Raises:
            OfferingNotFound
            PlacementsUnread: the reading was a slight one, and that is not enough for this day.
        """
        asked, versions = (self.place.venue_id, inquiry), about(self.versions, inquiry.service_date)
        known = kept.get(asked, versions)
        if known is not None:
            return known
        await asyncio.sleep(0)
        answer = make(self.snapshot.find(inquiry))
        kept.put(asked, versions, answer, made=self.now, read=self.read_at)
        return answer


async def read_days(app: App, place: Place, first: date, last: date, *, slight: bool = False) -> Reading:
    """Some service days in a row on one snapshot: one statement as a rule, again when the venue just changed.

    `slight`: who has what, without the bookings, which are most of the work and matter only where something
    is full. Raises VenueNotFound.
    """
    read_at = time.monotonic()
    days, placed = await _read(app, place, first, last, slight=slight)
    placements = days.placements if placed else None
    snapshot = Snapshot(days.plan, int(days.now.timestamp()), days.allocations, placements)
    return Reading(app, place, snapshot, Versions(days.plan.version, days.versions), read_at)


async def recall(app: App, place: Place, inquiry: Inquiry) -> Found | None:
    """What the search of a day found before, while nothing that it was made of has changed.

    None when something has, time alone may have, or the search was never made.
    """
    asked, day = (place.venue_id, inquiry), inquiry.service_date
    if not app.searches.has(asked, oldest=_OLDEST_SECONDS):
        return None
    around = day - timedelta(days=NEIGHBOURS), day + timedelta(days=NEIGHBOURS)
    versions = await read_versions(app.db, place.organization, place.venue_id, *around)
    if versions is None:
        return None
    known = app.searches.get(asked, versions)
    return known if known is not None else await _look_again(app, place, inquiry, versions)


async def _look_again(app: App, place: Place, inquiry: Inquiry, versions: Versions) -> Found | None:
    """An older answer, if time has changed nothing of it since: no hold ran out, and no rule counts anew."""
    asked = (place.venue_id, inquiry)
    old, plan = app.searches.older(asked, versions), app.plans.get(place.venue_id)
    if old is None or plan is None or plan.version != versions.venue:
        return None
    window = window_of_days(plan, inquiry.service_date, inquiry.service_date)
    read_at = time.monotonic()
    async with app.db.begin(place.organization) as tx:
        if await searches.a_hold_ended(tx, place.venue_id, window, since=old.made):
            return None
        now = int(tx.now.timestamp())
    if time_matters(plan, inquiry, since=old.made, now=now):
        return None
    app.searches.put(asked, versions, old.answer, made=now, read=read_at)
    return old.answer


async def read_plan(app: App, place: Place) -> Plan:
    """The newest plan of a venue that this process knows; it may be outdated. Raises VenueNotFound."""
    known = app.plans.get(place.venue_id)
    if known is not None:
        return known
    window = day_store.Window((), 0, 0)
    return (await day_store.read_days(app.db, app.plans, place.organization, place.venue_id, window)).plan


def about(versions: Versions, service_date: date) -> Versions:
    """Those that the search of one service day depends on."""
    around = (service_date + timedelta(days=each) for each in range(-NEIGHBOURS, NEIGHBOURS + 1))
    return Versions(versions.venue, {day: versions.days[day] for day in around if day in versions.days})


async def _read(app: App, place: Place, first: date, last: date, *, slight: bool) -> tuple[Days, bool]:
    """The days, and whether their bookings were read, too."""
    known = app.plans.get(place.venue_id)
    for _ in range(_READS):
        window = window_of_days(known, first, last)
        if known is not None:
            window = replace(window, placements=not slight or bool(known.pacing))
        days = await day_store.read_days(app.db, app.plans, place.organization, place.venue_id, window)
        if known is None or days.plan is known:
            break
        known = days.plan
    return days, window.placements
