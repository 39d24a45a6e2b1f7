"""The calendar of a venue: many service days at once. Reads only what is not known, in few statements."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from functools import partial
from uuid import UUID

from booking.app import App
from booking.domain import texts
from booking.domain.overviews import MOST_DAYS, Overview
from booking.domain.placements import PlacementsUnread
from booking.domain.snapshots import Inquiry
from booking.domain.venues import VenueRef
from booking.store.versions import read_versions
from booking.usecases import snapshots
from booking.usecases.availability import party_of
from booking.usecases.directory import Place, find_place
from booking.usecases.windows import NEIGHBOURS
from servicekit.identity import Caller


async def get_calendar(
    app: App,
    ref: VenueRef,
    first: date,
    last: date,
    *,
    party_size: int,
    offering_id: UUID | None,
    area_id: UUID | None = None,
    attributes: Iterable[str] = (),
    caller: Caller | None = None,
) -> list[Overview]:
    """What the search of each service day from `first` to `last` would show, counted; in order, at most 62.

    Each day is as it was at a moment of this call; days that are full may be of a later one than others.

    Raises:
        VenueNotFound, OfferingNotFound
        Inconsistent: the days are upside down, or too many.
    """
    if not first <= last < first + timedelta(days=MOST_DAYS):
        texts.refuse("/to", f"must not be before from, and at most {MOST_DAYS - 1} days later")
    place = await find_place(app, ref)
    party = party_of(place, caller, party_size, area_id=area_id, attributes=attributes)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    inquiries = [Inquiry(day, party, offering_id) for day in days]
    told = await _known(app, place, inquiries)
    for slight in (True, False):
        unknown = [each for each in inquiries if each.service_date not in told]
        if unknown:
            told |= await _read(app, place, unknown, slight=slight)
    return [told[each] for each in days]


async def _read(app: App, place: Place, inquiries: list[Inquiry], *, slight: bool) -> dict[date, Overview]:
    """What one statement tells; after a slight one, that is not all."""
    first, last = inquiries[0].service_date, inquiries[-1].service_date
    reading = await snapshots.read_days(app, place, first, last, slight=slight)
    told: dict[date, Overview] = {}
    for each in inquiries:
        day = each.service_date
        with suppress(PlacementsUnread):
            told[day] = await reading.answer(each, app.overviews, partial(Overview.of, day))
    return told


async def _known(app: App, place: Place, inquiries: list[Inquiry]) -> dict[date, Overview]:
    """The days that are remembered, if nothing has changed since; one small statement."""
    inquiries = [each for each in inquiries if app.overviews.has((place.venue_id, each))]
    if not inquiries:
        return {}
    first, last = inquiries[0].service_date, inquiries[-1].service_date
    versions = await read_versions(
        app.db,
        place.organization,
        place.venue_id,
        first - timedelta(days=NEIGHBOURS),
        last + timedelta(days=NEIGHBOURS),
    )
    if versions is None:
        return {}
    known = (
        app.overviews.get((place.venue_id, each), snapshots.about(versions, each.service_date))
        for each in inquiries
    )
    return {each.service_date: each for each in known if each is not None}
