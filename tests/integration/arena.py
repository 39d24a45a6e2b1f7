"""Small houses made to be fought for: who books, moves, cancels and rebuilds, all through HTTP."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from devstack.demo.owner import Owner
from devstack.platform import Platform

from .insisting import insist
from .invariants import Bookkeeping, bookkeeping

_PARIS = ZoneInfo("Europe/Paris")
_NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Arena:
    """A venue with its tables and combinations by name."""

    http: httpx.AsyncClient
    owner: Owner
    books: Bookkeeping
    venue: str
    offering: str
    tables: dict[str, str]
    combinations: dict[str, str]
    shift: str
    day: int = 5
    """The evening that is fought for, in days from today."""

    def at(self, hour: int = 19, minute: int = 0, *, days: int = 0) -> str:
        """A local time of that evening, or of a later one."""
        day = datetime.now(UTC).date() + timedelta(days=self.day + days)
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=_PARIS).isoformat()

    async def book(self, party_size: int, start: str, *, key: str = "", email: str = "") -> httpx.Response:
        """A guest books; told that too many try, they try again."""
        guest = {"name": "Fighter", "email": email or f"fighter-{next(_NUMBERS)}@guest.example"}
        wish = {"venue_id": self.venue, "offering_id": self.offering, "start": start}
        headers = {"idempotency-key": f'"{key}"'} if key else {}
        body = wish | {"party_size": party_size, "guest": guest}
        return await insist(lambda: self.http.post("/v1/bookings", json=body, headers=headers))

    async def booked(self, party_size: int, start: str) -> dict[str, Any]:
        """A guest books, and nothing stands in the way."""
        answer = await self.book(party_size, start)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        booking: dict[str, Any] = answer.json()["booking"]
        return booking

    async def open_evening(self, *, days: int = 0) -> None:
        """Somebody comes at ten, when all others have left: the evening is in the database."""
        await self.booked(2, self.at(22, days=days))

    async def staff(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Staff do something; `path` is below /v1."""
        return await self.http.request(method, f"/v1/{path}", json=body, headers=self.owner.api.headers)

    async def act(self, booking: str, step: str, **body: Any) -> httpx.Response:
        """Staff take a step with a booking."""
        return await self.staff("POST", f"bookings/{booking}/{step}", body)

    async def rebuild(self, method: str, part: str, body: Any = None) -> httpx.Response:
        """Staff change something of the venue."""
        return await self.staff(method, f"venues/{self.venue}/{part}", body)

    async def see(self, booking: str) -> dict[str, Any]:
        """A booking as staff see it."""
        found: dict[str, Any] = (await self.staff("GET", f"bookings/{booking}")).raise_for_status().json()
        return found

    async def assert_sound(self, *, paced: bool = True) -> None:
        """No invariant is broken."""
        assert await asyncio.to_thread(lambda: self.books.violations(paced=paced)) == []


async def verdicts(attempts: Iterable[Awaitable[httpx.Response]]) -> Counter[tuple[int, str]]:
    """Status and reason of everything that is done at once, with no reason for what succeeds."""
    answers = await asyncio.gather(*attempts)
    return Counter((answer.status_code, answer.json().get("reason", "")) for answer in answers)


def open_arena(
    http: httpx.AsyncClient,
    owner: Owner,
    platform: Platform,
    *,
    tables: Sequence[tuple[str, int, int]],
    joined: Sequence[tuple[str, str, int, int]] = (),
    deposit: bool = False,
) -> Arena:
    """Dinner from 18:00, at 22:00 at the latest: two stay for an hour, four for three."""
    slug = f"arena-{next(_NUMBERS)}-{owner.organization_id[-8:].lower()}"
    place = {"name": "Arena", "slug": slug, "time_zone": "Europe/Paris", "currency": "EUR", "address": ""}
    api = owner.api
    venue = api.post("/v1/venues", place)["id"]
    base = f"/v1/venues/{venue}"
    made = {}
    for name, least, most in tables:
        table = {"name": name, "kind": "table", "min_party": least, "max_party": most}
        made[name] = api.post(f"{base}/resources", table)["id"]
    combinations = {}
    for one, other, least, most in joined:
        both = {"name": f"{one}+{other}", "resource_ids": [made[one], made[other]]}
        wanted = both | {"min_party": least, "max_party": most}
        combinations[f"{one}+{other}"] = api.post(f"{base}/combinations", wanted)["id"]
    dinner: dict[str, Any] = {
        "name": "Dinner",
        "turn_times": [{"max_party": 2, "minutes": 60}, {"max_party": 10, "minutes": 180}],
        "slot_minutes": 15,
        "max_advance_days": 90,
    }
    if deposit:
        price = {"amount": 1000, "currency": "EUR"}
        dinner["deposit"] = {"from_party": 6, "per_person": price, "free_cancellation_hours": 24}
    offering = api.post(f"{base}/offerings", dinner)["id"]
    shift = {"offering_id": offering, "weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "18:00"}
    hours = api.post(f"{base}/shifts", shift | {"last_start": "22:00", "closes": "23:30"})["id"]
    return Arena(http, owner, bookkeeping(platform, venue), venue, offering, made, combinations, hours)
