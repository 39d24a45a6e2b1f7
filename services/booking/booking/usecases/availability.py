"""Finding a time. Reads one snapshot; what it shows may be gone the next moment."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from uuid import UUID

from booking.app import App
from booking.domain.availability import Found
from booking.domain.floor import Channel, Party
from booking.domain.placements import PlacementsUnread
from booking.domain.snapshots import Inquiry
from booking.domain.venues import (
    VenueRef,
)
from booking.usecases import snapshots
from booking.usecases.directory import Place, channel_of, find_place
from servicekit.identity import Caller


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
    party = party_of(place, caller, party_size, area_id=area_id, attributes=attributes)
    inquiry = Inquiry(service_date, party, offering_id)
    known = await snapshots.recall(app, place, inquiry)
    if known is not None:
        return known
    with suppress(PlacementsUnread):
        reading = await snapshots.read_days(app, place, service_date, service_date, slight=True)
        return await reading.find(inquiry)
    reading = await snapshots.read_days(app, place, service_date, service_date)
    return await reading.find(inquiry)


def party_of(
    place: Place,
    caller: Caller | None,
    size: int,
    *,
    area_id: UUID | None = None,
    attributes: Iterable[str] = (),
) -> Party:
    """Who is to be seated, and whether by staff of the venue."""
    channel = channel_of(caller, place) if caller else Channel.ONLINE
    return Party(size, channel, area_id, frozenset(attributes))
