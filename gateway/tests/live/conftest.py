"""Streams on a real socket and a real Redis, before small services that know some venues and tickets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message
from websockets.asyncio.client import ClientConnection, connect

from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc, events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events_pb2
from comptoir.support.v1 import events_pb2 as support_events_pb2
from comptoir.support.v1 import ticket_pb2, ticket_pb2_grpc
from gateway.live.publishing import Telling
from gateway.live.settings import LiveSettings
from gateway.live.store import Store, client
from gateway.serving import listen
from gateway.settings import Settings
from servicekit import identity, ids
from servicekit.errors import AppError, Kind, VenueNotFound
from servicekit.events import Event
from servicekit.settings import RedisSettings
from testkit.edge import Edge
from testkit.keys import Keys

SECONDS = 20.0


class TicketNotFound(AppError):
    """As support refuses."""

    kind = Kind.NOT_FOUND
    reason = "TICKET_NOT_FOUND"
    detail = "There is no such ticket."


@dataclass
class House:
    """An organization with a venue and a ticket, as booking and support know them."""

    organization: UUID = field(default_factory=ids.new)
    venue_id: UUID = field(default_factory=ids.new)
    ticket_id: UUID = field(default_factory=ids.new)

    @property
    def venue(self) -> str:
        return ids.show("ven", self.venue_id)

    @property
    def ticket(self) -> str:
        return ids.show("tkt", self.ticket_id)

    @property
    def room(self) -> str:
        """The topic of the venue."""
        return f"venue:{self.venue}"


def event(house: House, message: Message) -> Event:
    """As the follower hands it on."""
    return Event(
        id=ids.new(),
        type=message.DESCRIPTOR.full_name,
        organization=house.organization,
        time=datetime.now(UTC),
        subject="",
        message=message,
    )


def confirmed(house: House, *, party_size: int = 2, venue: str = "") -> Event:
    """A booking at the house's venue."""
    snapshot = events_pb2.BookingSnapshot(
        booking_id=ids.show("bkg", ids.new()),
        venue_id=venue or house.venue,
        party_size=party_size,
        status=booking_pb2.BOOKING_STATUS_CONFIRMED,
    )
    return event(house, events_pb2.BookingConfirmed(booking=snapshot))


def answered(house: House) -> Event:
    """Staff answered the house's ticket."""
    return event(house, support_events_pb2.TicketAnswered(ticket_id=house.ticket, message_id="tms_1"))


def paid(house: House) -> Event:
    """A deposit came."""
    return event(house, payment_events_pb2.PaymentSucceeded(payment_id="pay_1", booking_id="bkg_1"))


class Bookings(booking_pb2_grpc.BookingServiceServicer):
    def __init__(self, houses: list[House]) -> None:
        self.houses = houses

    async def ListBookings(self, request: Any, _context: Any) -> Any:  # noqa: N802
        organization = identity.caller().organization
        if not any(
            (each.organization, each.venue) == (organization, request.venue_id) for each in self.houses
        ):
            raise VenueNotFound
        return booking_pb2.ListBookingsResponse()


class Tickets(ticket_pb2_grpc.TicketServiceServicer):
    def __init__(self, houses: list[House]) -> None:
        self.houses = houses

    async def GetTicket(self, request: Any, _context: Any) -> Any:  # noqa: N802
        organization = identity.caller().organization
        if not any(
            (each.organization, each.ticket) == (organization, request.ticket_id) for each in self.houses
        ):
            raise TicketNotFound
        return ticket_pb2.GetTicketResponse()


@pytest.fixture(scope="session")
def houses() -> list[House]:
    return []


@pytest.fixture
def house(houses: list[House]) -> House:
    houses.append(House())
    return houses[-1]


@pytest.fixture(scope="session")
async def live_settings(
    settings: Settings, keys: Keys, houses: list[House], redis_url: str
) -> AsyncIterator[Settings]:
    """Settings with Redis, and with services that say who may read what."""
    booking = await Edge.start(
        "booking",
        keys,
        [lambda s: booking_pb2_grpc.add_BookingServiceServicer_to_server(Bookings(houses), s)],
    )
    support = await Edge.start(
        "support", keys, [lambda s: ticket_pb2_grpc.add_TicketServiceServicer_to_server(Tickets(houses), s)]
    )
    peers = {"booking": f"127.0.0.1:{booking.port}", "support": f"127.0.0.1:{support.port}"}
    yield settings.model_copy(
        update={
            "peers": settings.peers | peers,
            "redis": RedisSettings.model_validate({"url": redis_url}),
            "live": LiveSettings(check_seconds=1, heartbeat_seconds=5),
        }
    )
    await booking.stop()
    await support.stop()


class Listener:
    """A WebSocket client that reads one message after the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **said: Any) -> None:
        await self.socket.send(json.dumps(said))

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        async with asyncio.timeout(SECONDS):
            heard: dict[str, Any] = json.loads(await self.socket.recv())
            return heard

    async def listen(self, topic: str, since: dict[str, Any] | None = None) -> dict[str, Any]:
        """Subscribes; the answer."""
        await self.say(subscribe=[topic], **({"since": {topic: since}} if since else {}))
        return await self.hear()

    async def silent(self) -> None:
        """Fails if anything but the answer to this ping is heard."""
        await self.say(ping="silent?")
        assert await self.hear() == {"control": "pong", "ping": "silent?"}

    async def closed(self) -> tuple[int | None, str]:
        """Waits for the end."""
        async with asyncio.timeout(SECONDS):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason or ""


@dataclass
class Served:
    """A gateway that serves streams."""

    address: str
    access: Any
    server: Any

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def ticket(self, house: House, **claims: Any) -> str:
        """A ticket of a member."""
        headers = self.access.bearer(org=str(house.organization), **claims)
        async with httpx.AsyncClient(base_url=self.url) as http:
            answer = await http.post("/v1/stream/tickets", headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["ticket"])

    @asynccontextmanager
    async def listener(self, house: House, **claims: Any) -> AsyncIterator[Listener]:
        """A member who listens by WebSocket."""
        ticket = await self.ticket(house, **claims)
        async with connect(f"ws://{self.address}/v1/stream?ticket={ticket}", max_queue=None) as socket:
            yield Listener(socket)


Serve = Callable[..., Any]


@pytest.fixture
def serve(live_settings: Settings, access: Any, backend: Any) -> Serve:
    """Opens a gateway with some settings of streams changed, and `others`."""
    assert backend is not None

    @asynccontextmanager
    async def served(
        *, redis: str = "", others: dict[str, Any] | None = None, **changes: Any
    ) -> AsyncIterator[Served]:
        update: dict[str, Any] = {"live": live_settings.live.model_copy(update=changes)} | (others or {})
        if redis:
            update["redis"] = RedisSettings.model_validate({"url": redis})
        async with listen(live_settings.model_copy(update=update), asyncio.Event()) as server:
            host, port = server.servers[0].sockets[0].getsockname()[:2]
            yield Served(f"{host}:{port}", access, server)

    return served


@pytest.fixture
async def served(serve: Serve, live_settings: Settings) -> AsyncIterator[Served]:
    """A gateway with a log of its own."""
    async with serve(others={"http": live_settings.http.model_copy(update={"access_log": True})}) as opened:
        yield opened


@pytest.fixture
async def publish(live_settings: Settings) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Tells events as the follower does."""
    redis = client(live_settings.redis)
    telling = Telling(Store(redis, live_settings.live))

    async def tell(*events: Event) -> None:
        await telling(events)

    yield tell
    assert redis
    await redis.aclose()
