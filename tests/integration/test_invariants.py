"""The control of all races: what must hold of bookings is seen when it does not."""

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform

from .arena import Arena, open_arena
from .conftest import new_owner

_FIRST = "(SELECT id FROM bookings WHERE venue_id = :'venue' ORDER BY id LIMIT 1)"
_OF_FIRST = f"booking_id = {_FIRST}"

_SELL_TWICE = f"""
    ALTER TABLE allocations DROP CONSTRAINT allocations_no_overlap;
    INSERT INTO allocations (organization_id, booking_id, resource_id, venue_id, start_at, end_at)
    SELECT organization_id, booking_id, resource_id, venue_id, start_at + interval '1 minute', end_at
    FROM allocations WHERE {_OF_FIRST};
"""  # noqa: S608  # our own words only
_TELL_TWICE = f"""
    INSERT INTO outbox (event_id, organization_id, topic, key, type, subject, payload)
    SELECT gen_random_uuid(), organization_id, topic, key, type, subject, payload
    FROM outbox WHERE subject = {_FIRST}::text;
"""  # noqa: S608  # same
_SHORTEN = "UPDATE allocations SET end_at = end_at - interval '5 minutes' WHERE"
_NAME_ANOTHER = "UPDATE bookings SET resource_ids = resource_ids || gen_random_uuid() WHERE"

BROKEN = {
    "a table sold twice": (_SELL_TWICE, "at once"),
    "an allocation lost": (f"DELETE FROM allocations WHERE {_OF_FIRST};", "and has"),  # noqa: S608
    "an allocation too short": (f"{_SHORTEN} {_OF_FIRST};", "and has"),
    "a table named that it does not have": (f"{_NAME_ANOTHER} id = {_FIRST};", "and has"),
    "a guest who is gone and sits": (
        f"UPDATE bookings SET status = 'no_show' WHERE id = {_FIRST};",  # noqa: S608
        "is no_show and still has",
    ),
    "a quota exceeded": (
        "UPDATE pacing_rules SET max_covers = 3 WHERE venue_id = :'venue';",
        "begin 4 people in 2 parties",
    ),
    "a change not written down": (f"DELETE FROM booking_changes WHERE {_OF_FIRST};", "its history has"),  # noqa: S608
    "a change not told": (f"DELETE FROM outbox WHERE subject = {_FIRST}::text;", "1 is told 0 times"),  # noqa: S608
    "a change told twice": (_TELL_TWICE, "1 is told 2 times"),
}


@pytest.fixture(scope="module")
def staff(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture
async def house(platform: Platform, staff: Owner, http: httpx.AsyncClient) -> Arena:
    """Two parties of two begin at once, which is just allowed."""
    opened = open_arena(http, staff, platform, tables=[("T1", 1, 2), ("T2", 1, 2)])
    rule = {"interval_minutes": 30, "max_covers": 4}
    (await opened.rebuild("POST", "pacing-rules", rule)).raise_for_status()
    for _ in range(2):
        await opened.booked(2, opened.at())
    return opened


async def test_every_violation_is_seen(house: Arena) -> None:
    await house.assert_sound()
    seen = {name: house.books.violations(planted=planted) for name, (planted, _) in BROKEN.items()}
    assert {name: found for name, found in seen.items() if BROKEN[name][1] not in " ".join(found)} == {}
    await house.assert_sound()
