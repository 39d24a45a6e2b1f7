"""A rolling restart of every program under load: a client that repeats what failed once notices nothing."""

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from devstack.demo import guest as guests
from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner, Venue
from devstack.platform import Platform
from devstack.topology import GATEWAY, PROGRAMS
from testkit import eventually

from .conftest import new_owner, new_restaurant

_REPEATED = {502, 503, 504}
_BOOKERS = 2
_DAYS = range(5, 80)
"""From today: the house opens them for bookings."""
_BETWEEN = 15
"""So many requests are answered before, between and after the restarts of two processes."""
_PATIENCE = 90.0

pytestmark = pytest.mark.timeout(600)  # the first waits for eighteen processes


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Two processes of every program, as replicas are."""
    running = Platform(tmp_path_factory.mktemp("pair"), durable=False, processes=dict.fromkeys(PROGRAMS, 2))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        running.forget_data()


@dataclass
class Town:
    """A house that is open, and its owner."""

    platform: Platform
    owner: Owner
    venue: Venue
    days: Iterator[int] = field(default_factory=lambda: itertools.cycle(_DAYS))


@pytest.fixture(scope="module")
def town(pair: Platform) -> Iterator[Town]:
    api, sink = Api(pair.gateway_url), Sink(pair.engines.sink.url)
    owner = new_owner(api, sink)
    yield Town(pair, owner, new_restaurant(owner))
    api.close()
    sink.close()


@dataclass
class Load:
    """Clients at work, each asking the two gateways in turn, and what they heard."""

    town: Town
    gateways: list[httpx.AsyncClient]
    answered: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    failed: list[str] = field(default_factory=list)
    """What failed twice."""
    booked: dict[str, str] = field(default_factory=dict)
    """Guest → the day of their booking."""
    _turn: Iterator[int] = field(default_factory=itertools.count)

    async def ask(
        self, method: str, path: str, *, member: bool = False, **options: Any
    ) -> httpx.Response | None:
        """The answer to the request, or to its only repetition, which goes to the other gateway."""
        headers = {"idempotency-key": f'"{secrets.token_hex(8)}"'} if method != "GET" else {}
        if member:
            headers |= self.town.owner.api.headers
        for client in (turn := next(self._turn)) % 2, (turn + 1) % 2:
            told = await _ask(self.gateways[client], method, path, headers=headers, **options)
            if isinstance(told, httpx.Response) and told.status_code not in _REPEATED:
                if told.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or told.status_code == 429:
                    break
                self.answered[f"{method} {path.split('/')[2].partition('?')[0]}"] += 1
                return told
            self.repeated += 1
        self.failed.append(f"{method} {path}: {told.text if isinstance(told, httpx.Response) else told!r}")
        return None

    async def look_around(self) -> None:
        """What members read, in every service, again and again."""
        venue, day = self.town.venue.id, guests.next_service_day()
        for path in itertools.cycle(
            (
                "/v1/me",
                f"/v1/bookings?venue_id={venue}&date={day}",
                "/v1/payments?page_size=5",
                "/v1/webhook-endpoints",
                "/v1/tickets?page_size=5",
                f"/v1/analytics/overview?venue_id={venue}",
            )
        ):
            seen = await self.ask("GET", path, member=True)
            assert seen is None or seen.is_success, seen.text

    async def book(self) -> None:
        """What guests do: look for a time, book it, look at it, cancel it."""
        while True:
            day = guests.next_service_day(days_ahead=next(self.town.days))
            path = f"/v1/venues/{self.town.venue.slug}/availability?date={day}&party_size=2"
            found = await self.ask("GET", path)
            if found is None:
                continue
            start = next(slot["start"] for slot in found.json()["slots"] if slot["bookable"])
            email = f"rolling-{secrets.token_hex(6)}@guest.example"
            wish = {
                "venue_id": self.town.venue.id,
                "offering_id": self.town.venue.offering_id,
                "start": start,
                "party_size": 2,
                "guest": {"name": "Rolanda Rollwagen", "email": email, "language": "en"},
            }
            made = await self.ask("POST", "/v1/bookings", json=wish)
            if made is None:
                continue
            assert made.status_code == httpx.codes.CREATED, made.text
            self.booked[email] = day
            seen = await self.ask("GET", f"/v1/manage/{made.json()['manage_token']}")
            assert seen is None or seen.is_success, seen.text
            cancelled = await self.ask("POST", f"/v1/manage/{made.json()['manage_token']}/cancel", json={})
            assert cancelled is None or cancelled.is_success, cancelled.text

    async def more(self) -> None:
        """Waits until some more requests were answered."""
        wanted = self.answered.total() + _BETWEEN
        await eventually(lambda: self.answered.total() >= wanted or self.failed, timeout=_PATIENCE)


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, **options: Any
) -> httpx.Response | httpx.TransportError:
    try:
        return await client.request(method, path, **options)
    except httpx.TransportError as error:
        return error


@asynccontextmanager
async def _under_load(town: Town) -> AsyncIterator[Load]:
    urls = [f"http://{town.platform.process(GATEWAY, number).address}" for number in (1, 2)]
    async with (
        httpx.AsyncClient(base_url=urls[0], timeout=30) as one,
        httpx.AsyncClient(base_url=urls[1], timeout=30) as other,
    ):
        load = Load(town, [one, other])
        working = [asyncio.create_task(load.book()) for _ in range(_BOOKERS)]
        working.append(asyncio.create_task(load.look_around()))
        try:
            yield load
        finally:
            for task in working:
                task.cancel()
            ended = await asyncio.gather(*working, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


@pytest.mark.parametrize("program", PROGRAMS)
async def test_one_repetition_hides_a_rolling_restart(program: str, town: Town) -> None:
    async with _under_load(town) as load:
        await load.more()
        for number in (1, 2):
            process = town.platform.process(program, number)
            before = process.pid
            await asyncio.to_thread(process.restart)
            assert process.pid != before
            await load.more()
        assert load.failed == []
    assert set(load.answered) >= {"GET me", "GET bookings", "POST bookings", "GET manage", "POST manage"}


async def test_without_its_repetition_a_request_fails_when_its_gateway_is_gone(town: Town) -> None:
    """The negative control: the load does meet what is away."""
    gateway = town.platform.process(GATEWAY, 2)
    async with _under_load(town) as load:
        await load.more()
        await asyncio.to_thread(gateway.stop)
        try:
            await eventually(lambda: load.repeated > 0, timeout=_PATIENCE)
        finally:
            await asyncio.to_thread(gateway.start)
        assert load.failed == []


async def test_no_booking_was_doubled_meanwhile(town: Town) -> None:
    async with _under_load(town) as load:
        await load.more()
        await asyncio.to_thread(town.platform.process("booking", 1).restart)
        await asyncio.to_thread(town.platform.process(GATEWAY, 1).restart)
        await load.more()
        await load.more()
    listed = await asyncio.to_thread(_listed, town, set(load.booked.values()))
    assert load.booked
    assert {email: listed[email] for email in load.booked} == dict.fromkeys(load.booked, 1)


def _listed(town: Town, days: set[str]) -> Counter[str]:
    """How many bookings each guest has, as the house sees them."""
    found: Counter[str] = Counter()
    for day in days:
        page = town.owner.api.get("/v1/bookings", venue_id=town.venue.id, date=day, page_size=200)
        found.update(each["guest"]["email"] for each in page["items"])
        assert not page["next_page_token"]
    return found
