"""Weeks as busy as the day that was filled, and questions about them: days, a calendar, and 100 starts."""

from datetime import timedelta

import orjson

from tools.bench import load
from tools.bench.places import Place
from tools.bench.stage import searched_day, slug

DAYS = 42
"""Six weeks, as a page of a calendar shows them."""
BUSY_AFTER = 200
"""Days after the searched one: nothing else is booked there."""
SEARCHED_DAYS = 14
"""Of these, the ones that are searched day by day."""
PARTIES = (1, 2, 3, 4)
"""All that the tables of the stage take."""
_BATCH_DAYS, _BATCH_STARTS = 5, 5
_FIRST_HOUR = 10

_FILL = """
INSERT INTO bookings
SELECT (jsonb_populate_record(b, jsonb_build_object(
    'id', md5(b.id::text || n)::uuid, 'service_date', b.service_date + n,
    'start_at', b.start_at + n * interval '1 day', 'end_at', b.end_at + n * interval '1 day'
))).* FROM bookings b, generate_series({first}, {last}) n
WHERE b.service_date = '{day}' AND {over};
INSERT INTO allocations (organization_id, booking_id, resource_id, venue_id, start_at, end_at)
SELECT a.organization_id, md5(a.booking_id::text || n)::uuid, a.resource_id, a.venue_id,
    a.start_at + n * interval '1 day', a.end_at + n * interval '1 day'
FROM allocations a JOIN bookings b ON b.organization_id = a.organization_id AND b.id = a.booking_id,
    generate_series({first}, {last}) n
WHERE b.service_date = '{day}' AND {over};
INSERT INTO service_days
SELECT s.organization_id, s.venue_id, s.service_date + n, 1
FROM service_days s, generate_series({first}, {last}) n
WHERE s.service_date = '{day}';
"""
_OVER_BY_MIDNIGHT = "b.end_at <= (b.service_date + 1)::timestamp AT TIME ZONE 'UTC'"


def fill() -> str:
    """The statements that copy the bookings of the searched day to each day of the month.

    Without those that would be in the way of the same ones of the next day.
    """
    return _FILL.format(
        day=searched_day().date(), first=BUSY_AFTER, last=BUSY_AFTER + DAYS - 1, over=_OVER_BY_MIDNIGHT
    )


def searches() -> list[bytes]:
    """A request for each of some busy days and each size of party; those of one day lie apart."""
    first = (searched_day() + timedelta(days=BUSY_AFTER)).date()
    return [
        load.request(
            "GET",
            f"/v1/venues/{slug(0)}/availability?date={first + timedelta(days=day)}&party_size={party}",
        )
        for party in PARTIES
        for day in range(SEARCHED_DAYS)
    ]


def calendar() -> bytes:
    """A request for the calendar of the month."""
    first = (searched_day() + timedelta(days=BUSY_AFTER)).date()
    last = first + timedelta(days=DAYS - 1)
    path = f"/v1/venues/{slug(0)}/availability/calendar?from={first}&to={last}&party_size=2"
    return load.request("GET", path)


def batch(place: Place) -> bytes:
    """A request about 100 starts: some of each of five days, for parties of four sizes."""
    first = searched_day() + timedelta(days=BUSY_AFTER, hours=_FIRST_HOUR)
    items = [
        {
            "offering_id": place.offering_name,
            "start": (first + timedelta(days=day, hours=hour)).isoformat(),
            "party_size": party,
        }
        for day in range(_BATCH_DAYS)
        for hour in range(_BATCH_STARTS)
        for party in PARTIES
    ]
    body = orjson.dumps({"items": items})
    return load.request("POST", f"/v1/venues/{slug(0)}/availability/batch-lookup", body)
