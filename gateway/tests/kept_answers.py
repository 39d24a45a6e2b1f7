"""A gateway with a cache before a small booking service, whose answers say what they were asked."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from google.protobuf.message import Message
from redis.asyncio import Redis

from comptoir.booking.v1 import availability_pb2 as lookup_pb2
from comptoir.booking.v1 import (
    availability_pb2_grpc,
    booking_pb2,
    booking_pb2_grpc,
    venue_pb2,
    venue_pb2_grpc,
)
from gateway.app import open_gateway
from gateway.cache.tags import BEAT, Forgetting
from gateway.settings import CacheSettings, Settings
from servicekit import ids
from servicekit.errors import AppError, VenueNotFound
from servicekit.events import Event
from servicekit.settings import RedisSettings
from testkit.edge import Edge
from testkit.keys import Keys

VENUE = ids.show("ven", UUID("01a20000-0000-7000-8000-000000000001"))
"""The same in every process: tests are named after it."""
OTHER = ids.show("ven", ids.new())
SLUGS = {"chez-paulette": VENUE, "elsewhere": OTHER}


@dataclass
class Booking:
    """What the service was asked, and how it answers."""

    asked: list[str] = field(default_factory=list)
    """What searches and the like asked for, in order."""
    refusal: AppError | None = None
    gate: asyncio.Event | None = None
    """When set, an answer is made at once and handed out when the gate opens."""
    size: int = 0
    """Bytes that an answer has besides."""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def answer(self, asked: str) -> list[str]:
        """What was asked, and the how manieth answer this is."""
        self.asked.append(asked)
        if self.refusal is not None:
            raise self.refusal
        notes = [asked, f"answer {next(self.numbers)}", "x" * self.size]
        if self.gate is not None:
            await self.gate.wait()
        return notes


class Availability(booking_pb2_grpc.AvailabilityServiceServicer):
    def __init__(self, booking: Booking) -> None:
        self.booking = booking

    async def SearchAvailability(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        notes = await self.booking.answer(spelled(request))
        return booking_pb2.SearchAvailabilityResponse(date=request.date, notes=notes)


class Lookups(availability_pb2_grpc.AvailabilityLookupServiceServicer):
    def __init__(self, booking: Booking) -> None:
        self.booking = booking

    async def GetAvailabilityCalendar(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        notes = await self.booking.answer(spelled(request))
        return lookup_pb2.GetAvailabilityCalendarResponse(days=[{"date": request.to, "notes": notes}])


class Venues(venue_pb2_grpc.VenueServiceServicer):
    def __init__(self, booking: Booking) -> None:
        self.booking = booking

    async def GetVenue(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        venue = SLUGS.get(request.venue_id, request.venue_id)
        if not venue.startswith("ven_"):
            raise VenueNotFound
        name = "a venue" if request.venue_id in SLUGS else (await self.booking.answer(request.venue_id))[1]
        return venue_pb2.GetVenueResponse(venue=venue_pb2.Venue(id=venue, name=name))


def spelled(request: Message) -> str:
    """A request in one line."""
    return " ".join(f"{each.name}={value}" for each, value in request.ListFields())


@asynccontextmanager
async def booking_edge(keys: Keys, booking: Booking) -> AsyncIterator[str]:
    """The service, and its target."""
    edge = await Edge.start(
        "booking",
        keys,
        [
            lambda server: booking_pb2_grpc.add_AvailabilityServiceServicer_to_server(
                Availability(booking), server
            ),
            lambda server: availability_pb2_grpc.add_AvailabilityLookupServiceServicer_to_server(
                Lookups(booking), server
            ),
            lambda server: venue_pb2_grpc.add_VenueServiceServicer_to_server(Venues(booking), server),
        ],
    )
    try:
        yield f"127.0.0.1:{edge.port}"
    finally:
        await edge.stop()


@asynccontextmanager
async def gateway(
    settings: Settings, booking: str, redis_url: str, *, seconds: float = 10
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody before a gateway with a cache, whose Redis may take so long."""
    given = settings.model_copy(
        update={
            "cache": CacheSettings(timeout_seconds=seconds),
            "redis": RedisSettings.model_validate({"url": redis_url}),
            "peers": {**settings.peers, "booking": booking},
        }
    )
    async with open_gateway(given, lambda: True) as edge:
        transport = httpx.ASGITransport(app=edge, raise_app_exceptions=True, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client


@dataclass
class Scene:
    """All of it."""

    booking: Booking
    client: httpx.AsyncClient
    redis: Any

    async def search(
        self, venue: str = VENUE, day: str = "2027-10-31", size: int = 2, **options: Any
    ) -> httpx.Response:
        """A search that is answered."""
        where = f"/v1/venues/{venue}/availability?date={day}&party_size={size}"
        answer = await self.client.get(where, **options)
        assert answer.status_code == 200, answer.text
        return answer

    async def happens(self, *messages: Message) -> None:
        """The follower hears of events."""
        await Forgetting(self.redis)([event(each) for each in messages])

    async def beats(self) -> None:
        """A follower is alive, for as long as a test takes."""
        await self.redis.set(BEAT, b"1", px=60_000)


@asynccontextmanager
async def scene(settings: Settings, keys: Keys, redis_url: str) -> AsyncIterator[Scene]:
    """A gateway, its service, and a Redis that was empty."""
    booking = Booking()
    redis: Any = Redis.from_url(redis_url)
    await redis.flushdb()
    async with booking_edge(keys, booking) as target, gateway(settings, target, redis_url) as client:
        opened = Scene(booking, client, redis)
        await opened.beats()
        yield opened
    await redis.aclose()


def event(message: Message) -> Event:
    """As the follower reads it."""
    return Event(
        id=ids.new(),
        type=message.DESCRIPTOR.full_name,
        organization=ids.new(),
        subject="",
        time=datetime.now(UTC),
        message=message,
    )


def notes(answer: httpx.Response) -> Sequence[str]:
    """What the service said."""
    found: list[str] = answer.json()["notes"]
    return found


def status(answer: httpx.Response) -> str:
    """How the cache says it had the answer."""
    return str(answer.headers["cache-status"])
