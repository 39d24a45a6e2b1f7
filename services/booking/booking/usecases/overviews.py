"""The calendar of a venue: many service days at once. Reads one snapshot, however many days."""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from uuid import UUID

from booking.app import App
from booking.domain import texts
from booking.domain.overviews import MOST_DAYS, Overview
from booking.domain.snapshots import Inquiry
from booking.domain.venues import VenueRef
from booking.store import searches
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
    known = await _known(app, place, inquiries)
    if known is not None:
        return known
    reading = await snapshots.read_days(app, place, first, last)
    return [
        await reading.answer(each, app.overviews, partial(Overview.of, each.service_date))
        for each in inquiries
    ]


async def _known(app: App, place: Place, inquiries: list[Inquiry]) -> list[Overview] | None:
    """All of it from memory, if nothing has changed since; one statement."""
    keys = [(place.venue_id, each) for each in inquiries]
    if not all(map(app.overviews.has, keys)):
        return None
    first, last = inquiries[0].service_date, inquiries[-1].service_date
    versions = await searches.read_versions(
        app.db,
        place.organization,
        place.venue_id,
        first - timedelta(days=NEIGHBOURS),
        last + timedelta(days=NEIGHBOURS),
    )
    if versions is None:
        return None
    known = [app.overviews.get(key, snapshots.about(versions, key[1].service_date)) for key in keys]
    complete = [each for each in known if each is not None]
    return complete if len(complete) == len(keys) else None
