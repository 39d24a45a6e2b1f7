"""A storm: guests who book while something is killed, each trying again with a key until heard."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.demo.partner import Partner
from testkit import eventually

GUESTS = 16
_PATIENCE = 90.0
_RETRIED = {408, 429, 500, 502, 503, 504}


@dataclass
class Storm:
    """What was wished, by the guests' addresses."""

    venue: Venue
    wishes: list[dict[str, Any]]
    bookings: dict[str, str]
    """Address → booking id, as the platform answered."""
    unanswered: int = 0
    """Tries that got no answer, or one that asks to try again."""


async def blow(http: httpx.AsyncClient, api: Api, venue: Venue, fault: Callable[[], None]) -> Storm:
    """Lets all guests book, and `fault` happen when a quarter of them are served."""
    storm = Storm(venue, await asyncio.to_thread(_wishes, api, venue), {})
    booking = [asyncio.create_task(_insist(http, storm, wish)) for wish in storm.wishes]
    await eventually(lambda: len(storm.bookings) >= GUESTS // 4, timeout=_PATIENCE)
    await asyncio.to_thread(fault)
    await asyncio.wait_for(asyncio.gather(*booking), _PATIENCE)
    return storm


def _wishes(api: Api, venue: Venue) -> list[dict[str, Any]]:
    """One table for two, each guest on a day of their own."""
    wishes = []
    name = secrets.token_hex(4)
    for number in range(GUESTS):
        day = guests.next_service_day(days_ahead=20 + 2 * number)
        slots = guests.search(api, venue, date=day, party_size=2)
        start = secrets.choice([slot["start"] for slot in slots if slot["bookable"]])
        guest = {"name": "Stormy", "email": f"storm-{name}-{number}@guest.example", "language": "en"}
        wishes.append(
            {
                "venue_id": venue.id,
                "offering_id": venue.offering_id,
                "start": start,
                "party_size": 2,
                "guest": guest,
            }
        )
    return wishes


async def _insist(http: httpx.AsyncClient, storm: Storm, wish: dict[str, Any]) -> None:
    key = secrets.token_hex(8)
    while True:
        try:
            answer = await http.post("/v1/bookings", json=wish, headers={"idempotency-key": f'"{key}"'})
        except httpx.TransportError:
            storm.unanswered += 1
            continue
        if answer.status_code not in _RETRIED:
            assert answer.status_code == 201, answer.text
            storm.bookings[wish["guest"]["email"]] = answer.json()["booking"]["id"]
            return
        assert answer.status_code == 503, answer.text
        storm.unanswered += 1
        await eventually(lambda: True)


async def assert_nothing_lost_or_doubled(storm: Storm, owner: Owner, sink: Sink, partner: Partner) -> None:
    """Each guest has one booking and one mail, and the partner was told of each once."""
    assert len(set(storm.bookings.values())) == GUESTS
    await eventually(lambda: asyncio.to_thread(_all_mailed, storm, sink), timeout=_PATIENCE)
    await eventually(
        lambda: _told(storm, partner) == dict.fromkeys(storm.bookings.values(), 1), timeout=_PATIENCE
    )
    assert await asyncio.to_thread(_booked, storm, owner) == Counter(storm.bookings.keys())
    assert await asyncio.to_thread(_mails, storm, sink) == Counter(storm.bookings.keys())


def _booked(storm: Storm, owner: Owner) -> Counter[str]:
    found: Counter[str] = Counter()
    for day in {wish["start"][:10] for wish in storm.wishes}:
        items = owner.api.get("/v1/bookings", venue_id=storm.venue.id, date=day)["items"]
        found.update(item["guest"]["email"] for item in items if item["guest"]["email"] in storm.bookings)
    return found


def _mails(storm: Storm, sink: Sink) -> Counter[str]:
    found: Counter[str] = Counter()
    for email in storm.bookings:
        found[email] += len(sink.http.get("/mails", params={"to": email}).json())
    return found


def _all_mailed(storm: Storm, sink: Sink) -> bool:
    return all(_mails(storm, sink)[email] for email in storm.bookings)


def _told(storm: Storm, partner: Partner) -> dict[str, int]:
    ours = set(storm.bookings.values())
    told = Counter(
        each["data"]["booking_id"] for each in list(partner.received) if each["type"] == "booking.confirmed"
    )
    return {booking: count for booking, count in told.items() if booking in ours}
