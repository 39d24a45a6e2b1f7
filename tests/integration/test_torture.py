"""Two bookings on one resource at one time: never, with any number of processes. A control shows the eye."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from devstack.psql import run_sql

from .conftest import new_owner, new_restaurant

GUESTS = 50
CONTROL_ROUNDS = 12
"""Each on an evening of its own; one is enough as a rule."""
_LINGER = """
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep(0.2); RETURN NEW; END $$;
CREATE TRIGGER linger BEFORE INSERT ON allocations FOR EACH ROW EXECUTE FUNCTION linger();
"""


def _wish(venue: Venue, *, start: str, party_size: int, number: int) -> dict[str, Any]:
    return {
        "venue_id": venue.id,
        "offering_id": venue.offering_id,
        "start": start,
        "party_size": party_size,
        "guest": {"name": f"Guest {number}", "email": f"guest{number}@guest.example"},
    }


async def _book_all(http: httpx.AsyncClient, wishes: list[dict[str, Any]]) -> list[httpx.Response]:
    return list(await asyncio.gather(*(http.post("/v1/bookings", json=wish) for wish in wishes)))


async def test_fifty_guests_for_one_table_make_one_booking(
    http: httpx.AsyncClient, api: Api, sink: Sink
) -> None:
    owner = await asyncio.to_thread(new_owner, api, sink)
    venue = await asyncio.to_thread(_one_table, owner)
    slots = await asyncio.to_thread(lambda: guests.search(api, venue, date=_day(), party_size=2))
    start = next(slot["start"] for slot in slots if slot["bookable"])
    answers = await _book_all(
        http, [_wish(venue, start=start, party_size=2, number=number) for number in range(GUESTS)]
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: GUESTS - 1}
    assert {answer.json()["reason"] for answer in answers if answer.status_code == 409} == {"SLOT_TAKEN"}
    assert await asyncio.to_thread(_doubles, owner, venue, _day()) == []


async def test_overlapping_starts_fight_for_all_tables(http: httpx.AsyncClient, api: Api, sink: Sink) -> None:
    owner = await asyncio.to_thread(new_owner, api, sink)
    venue = await asyncio.to_thread(new_restaurant, owner)
    slots = await asyncio.to_thread(lambda: guests.search(api, venue, date=_day(), party_size=4))
    starts = [slot["start"] for slot in slots][:4]
    wishes = [
        _wish(venue, start=starts[number % len(starts)], party_size=3 + number % 2, number=number)
        for number in range(GUESTS)
    ]
    answers = await _book_all(http, wishes)
    assert {answer.status_code for answer in answers} == {201, 409}
    assert await asyncio.to_thread(_doubles, owner, venue, _day()) == []


@pytest.fixture
def unguarded(platform: Platform) -> Iterator[None]:
    """The same three processes without the version check, on a table without the constraint.

    What one of them writes, the others see a moment later, on a fast machine and on a slow one.
    """
    database = urlsplit(platform.engines.postgres_url)._replace(path="/booking").geturl()
    processes = [process for process in platform.programs if process.program == "booking"]
    kept = [process.environment for process in processes]
    run_sql(database, "ALTER TABLE allocations DROP CONSTRAINT allocations_no_overlap;")
    run_sql(database, _LINGER)
    for process in processes:
        process.environment = {**process.environment, "BOOKING_UNSAFE_NO_LOCK": "true"}
        process.restart()
    yield
    run_sql(database, "DROP FUNCTION linger CASCADE;")
    run_sql(database, "TRUNCATE allocations;")
    run_sql(
        database,
        "ALTER TABLE allocations ADD CONSTRAINT allocations_no_overlap"
        " EXCLUDE USING gist (resource_id WITH =, during WITH &&);",
    )
    for process, environment in zip(processes, kept, strict=True):
        process.environment = environment
        process.restart()


async def test_without_lock_and_constraint_a_double_booking_is_seen(
    unguarded: None, http: httpx.AsyncClient, api: Api, sink: Sink
) -> None:
    """The negative control: the test above can fail."""
    owner = await asyncio.to_thread(new_owner, api, sink)
    venue = await asyncio.to_thread(_one_table, owner)
    for evening in range(CONTROL_ROUNDS):
        day = guests.next_service_day(days_ahead=5 + 2 * evening)
        slots = await asyncio.to_thread(guests.search, api, venue, date=day, party_size=2)
        # Not all at one time: a table's rows of one start are also told apart by their primary key.
        starts = [slot["start"] for slot in slots if slot["bookable"]][:4]
        wishes = [
            _wish(venue, start=starts[each % len(starts)], party_size=2, number=each)
            for each in range(GUESTS)
        ]
        await _book_all(http, wishes)
        if await asyncio.to_thread(_doubles, owner, venue, day):
            return
    pytest.fail("nobody was seated twice, so the test above proves nothing")


def _day() -> str:
    return guests.next_service_day(days_ahead=5)


def _one_table(owner: Owner) -> Venue:
    """A restaurant with a single table for two."""
    venue = owner.api.post(
        "/v1/venues",
        {
            "name": "One table",
            "slug": f"one-{owner.organization_id[-8:]}",
            "time_zone": "Europe/Paris",
            "currency": "EUR",
            "address": "",
        },
    )
    base = f"/v1/venues/{venue['id']}"
    table = owner.api.post(
        f"{base}/resources", {"name": "T1", "kind": "table", "min_party": 1, "max_party": 2}
    )
    dinner = {"name": "Dinner", "turn_times": [{"max_party": 10, "minutes": 90}]}
    offering = owner.api.post(f"{base}/offerings", dinner)["id"]
    shift = {"offering_id": offering, "weekdays": [1, 2, 3, 4, 5, 6, 7]}
    owner.api.post(f"{base}/shifts", shift | {"opens": "18:00", "last_start": "21:00", "closes": "23:00"})
    return Venue(venue["id"], venue["slug"], offering, {"T1": table["id"]})


def _doubles(owner: Owner, venue: Venue, day: str) -> list[tuple[str, str]]:
    """Pairs of live bookings that occupy one resource at one time."""
    bookings = owner.api.get("/v1/bookings", venue_id=venue.id, date=day, page_size=200)["items"]
    live = [each for each in bookings if each["status"] in {"held", "confirmed"}]
    return [
        (one["id"], other["id"])
        for position, one in enumerate(live)
        for other in live[position + 1 :]
        if set(one["resource_ids"]) & set(other["resource_ids"])
        and one["start"] < other["end"]
        and other["start"] < one["end"]
    ]
