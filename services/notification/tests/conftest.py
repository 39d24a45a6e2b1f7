"""A notification service on a real database, a real mail sink, and the three services it asks, in process."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from aiohttp import web
from google.protobuf.message import Message

from comptoir.auth.v1 import (
    account_pb2_grpc,
    credential_pb2_grpc,
    invitation_pb2_grpc,
)
from comptoir.booking.v1 import (
    booking_pb2,
    booking_pb2_grpc,
    events_pb2,
    venue_pb2,
    waitlist_pb2_grpc,
)
from comptoir.common.v1 import values_pb2
from comptoir.support.v1 import ticket_pb2_grpc
from devstack.engines import SinkEngine
from notification.app import App
from notification.clients.directory import Directory
from notification.clients.partners import Partners
from notification.clients.seal import Seal
from notification.clients.smtp import MailServer
from notification.consumer import HANDLERS
from notification.domain.mails import Mail, MailKind, MailStatus
from notification.settings import SmtpSettings, WebhookSettings
from notification.store import mails as mail_store
from notification.tables import NOTIFICATIONS, WEBHOOK_DELIVERIES
from notification.timers import TIMERS
from notification.usecases import webhooks
from servicekit import ids
from servicekit.events import Event
from servicekit.inbox import AlreadyHandled
from testkit.events import event_of
from testkit.plugin import OpenDatabase, StartEdge
from testkit.privacy import PrivacyOffice
from testkit.timers import scheduled

from .owners import Owners

PUBLIC_URL = "https://book.example"
PAYMENT_REQUEST_DELAY = timedelta(minutes=2)
MAIL_FROM = "Comptoir <bookings@book.example>"
STARTS_AT = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@dataclass
class Desk:
    """What tests do over and over: bookings that change, events that arrive, timers that come due."""

    app: App
    owners: Owners
    organization: UUID
    email: str
    language: str = "en"
    booking: UUID = field(default_factory=ids.new)
    version: int = 0
    starts_at: datetime = STARTS_AT
    status: "booking_pb2.BookingStatus.ValueType" = booking_pb2.BOOKING_STATUS_CONFIRMED
    guest_name: str = "Camille"

    @property
    def reference(self) -> str:
        return ids.show("bkg", self.booking)

    def change(self, message: type[Any], **values: Any) -> Event:
        """Changes the booking at its owner, and answers the event of it. Delivers nothing."""
        self.version += 1
        if "starts_at" in values:
            self.starts_at = values.pop("starts_at")
        self.status = values.pop("status", _STATUS[message])
        self.owners.bookings[self.reference] = self.described()
        return event_of(message(booking=self.snapshot(), **values), self.organization)

    async def happens(self, message: type[Any], **values: Any) -> Event:
        """Changes the booking and delivers the event."""
        event = self.change(message, **values)
        await self.deliver(event)
        return event

    async def deliver(self, event: Event) -> bool:
        """As the consumer loop does. False when the event was handled before."""
        handlers: Mapping[str, Any] = {
            each.DESCRIPTOR.full_name: handler for each, handler in HANDLERS.items()
        }
        try:
            await handlers[event.type](self.app, event)
        except AlreadyHandled:
            return False
        return True

    async def tell(self, message: Message) -> Event:
        """Delivers another event of the organization."""
        event = event_of(message, self.organization)
        await self.deliver(event)
        return event

    async def run_due(self, kind: str | None = None) -> int:
        """Handles every timer that is due, once. Tells how many there were."""
        due = [timer for timer in await scheduled(self.app.db, kind) if timer.due_at <= datetime.now(UTC)]
        for timer in due:
            await TIMERS[timer.kind](self.app, timer)
        return len(due)

    async def fire(self, kind: str) -> None:
        """Handles the timers of a kind as if they were due."""
        for timer in await scheduled(self.app.db, kind):
            await TIMERS[timer.kind](self.app, timer)

    async def mails(self) -> list[Mail]:
        """Every mail there is, oldest first."""
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            found = (await tx.execute(sa.select(NOTIFICATIONS.c.id).order_by(NOTIFICATIONS.c.id))).scalars()
            mails = [await mail_store.get_mail(tx, mail) for mail in found]
        return [mail for mail in mails if mail]

    async def kinds(self) -> list[tuple[MailKind, MailStatus]]:
        """Kind and status of every mail."""
        return [(mail.kind, mail.status) for mail in await self.mails()]

    async def listens(self, url: str, *event_types: str) -> tuple[UUID, str]:
        """Registers an endpoint; answers its id and its secret."""
        endpoint, secret = await webhooks.create_endpoint(
            self.app, self.organization, url=url, event_types=event_types
        )
        return endpoint.id, secret

    async def deliveries(self) -> list[Any]:
        """The rows of all deliveries, oldest first."""
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            query = sa.select(WEBHOOK_DELIVERIES).order_by(WEBHOOK_DELIVERIES.c.id)
            return list(await tx.execute(query))

    def snapshot(self) -> events_pb2.BookingSnapshot:
        """The booking as events carry it."""
        return events_pb2.BookingSnapshot(
            booking_id=self.reference,
            venue_id=ids.show("ven", self.organization),
            status=self.status,
            party_size=7,
            start=_offset(self.starts_at),
            end=_offset(self.starts_at + timedelta(hours=2)),
            service_date=self.starts_at.date().isoformat(),
            version=self.version,
        )

    def described(self) -> booking_pb2.DescribeBookingResponse:
        """The booking as its owner describes it."""
        snapshot = self.snapshot()
        return booking_pb2.DescribeBookingResponse(
            booking=booking_pb2.Booking(
                id=snapshot.booking_id,
                venue_id=snapshot.venue_id,
                status=self.status,
                party_size=snapshot.party_size,
                start=snapshot.start,
                end=snapshot.end,
                service_date=snapshot.service_date,
                time_zone="Europe/Paris",
                guest=booking_pb2.Guest(name=self.guest_name, email=self.email, language=self.language),
                deposit=values_pb2.Money(amount=7000, currency="EUR"),
                hold_expires_at=_offset(datetime.now(UTC) + timedelta(minutes=15))
                if self.status == booking_pb2.BOOKING_STATUS_HELD
                else None,
                version=self.version,
            ),
            venue=venue_pb2.Venue(
                id=snapshot.venue_id,
                name="Chez Paulette",
                time_zone="Europe/Paris",
                currency="EUR",
                address="12 rue des Martyrs, 75009 Paris",
            ),
            offering_name="Dinner",
        )


_STATUS: Mapping[type[Any], "booking_pb2.BookingStatus.ValueType"] = {
    events_pb2.BookingHeld: booking_pb2.BOOKING_STATUS_HELD,
    events_pb2.BookingConfirmed: booking_pb2.BOOKING_STATUS_CONFIRMED,
    events_pb2.BookingMoved: booking_pb2.BOOKING_STATUS_CONFIRMED,
    events_pb2.BookingCancelled: booking_pb2.BOOKING_STATUS_CANCELLED,
    events_pb2.BookingExpired: booking_pb2.BOOKING_STATUS_EXPIRED,
    events_pb2.BookingRequested: booking_pb2.BOOKING_STATUS_REQUESTED,
    events_pb2.BookingDeclined: booking_pb2.BOOKING_STATUS_DECLINED,
    events_pb2.BookingSeated: booking_pb2.BOOKING_STATUS_SEATED,
    events_pb2.BookingNoShow: booking_pb2.BOOKING_STATUS_NO_SHOW,
}


def _offset(moment: datetime) -> values_pb2.OffsetDateTime:
    return values_pb2.OffsetDateTime(epoch_seconds=int(moment.timestamp()), offset_minutes=120)


@dataclass
class MailSink:
    """The mail sink's other side."""

    url: str

    def received(self, email: str) -> list[dict[str, Any]]:
        """The mails to an address, oldest first."""
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            found = client.get("/mails", params={"to": email}).json()
            return [client.get(f"/mails/{mail['id']}").json() for mail in reversed(found)]

    def fault(self, code: str) -> None:
        """Refuses mails with a code, or "off"."""
        httpx.post(f"{self.url}/faults", json={"smtp": code}, trust_env=False).raise_for_status()


@dataclass
class Partner:
    """Another company's web server: answers what it is told to, and remembers what it was sent."""

    url: str = ""
    answers: list[web.Response] = field(default_factory=list)
    """What to answer, in order; 204 once there is none left."""
    posts: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    """While set and unfired, no answer comes."""

    async def take(self, request: web.Request) -> web.Response:
        self.posts.append((dict(request.headers), await request.read()))
        if self.hangs is not None:
            await self.hangs.wait()
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    def types(self) -> list[str]:
        """The types of the events that arrived."""
        return [json.loads(body)["type"] for _, body in self.posts]


@pytest.fixture
def sink(sink_engine: SinkEngine) -> Iterator[MailSink]:
    mailbox = MailSink(sink_engine.url)
    yield mailbox
    mailbox.fault("off")


@asynccontextmanager
async def _serving() -> AsyncIterator[Partner]:
    served = Partner()
    site = web.Application()
    site.router.add_post("/hook", served.take)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield served
    if served.hangs is not None:
        served.hangs.set()
    await runner.cleanup()


@pytest.fixture
async def partner() -> AsyncIterator[Partner]:
    async with _serving() as served:
        yield served


@pytest.fixture
async def another_partner() -> AsyncIterator[Partner]:
    async with _serving() as served:
        yield served


@pytest.fixture
async def owners() -> Owners:
    return Owners()


@pytest.fixture
async def app(
    service_database: OpenDatabase,
    rpc_edge: StartEdge,
    owners: Owners,
    sink_engine: SinkEngine,
    privacy_office: PrivacyOffice,
) -> AsyncIterator[App]:
    registrations = {
        "auth": [
            account_pb2_grpc.add_AccountDirectoryServiceServicer_to_server,
            credential_pb2_grpc.add_AccountMailServiceServicer_to_server,
            invitation_pb2_grpc.add_InvitationDirectoryServiceServicer_to_server,
        ],
        "booking": [
            booking_pb2_grpc.add_BookingDirectoryServiceServicer_to_server,
            waitlist_pb2_grpc.add_WaitlistDirectoryServiceServicer_to_server,
        ],
        "support": [ticket_pb2_grpc.add_TicketDirectoryServiceServicer_to_server],
    }
    peers = {}
    for name, registers in registrations.items():
        edge = await rpc_edge(name, [partial(register, owners) for register in registers])
        peers[name] = edge.peer_of("notification")
    settings = WebhookSettings(
        allow_http=True,
        allowed_networks=("127.0.0.0/8",),  # type: ignore[arg-type]  # parsed
        retry_seconds=(0.01, 0.01, 0.01),
        timeout_seconds=2,
    )
    partners = Partners(settings)
    smtp = SmtpSettings(host=sink_engine.smtp_host, port=sink_engine.smtp_port, timeout_seconds=5)
    yield App(
        db=await service_database("notification"),
        directory=Directory(auth=peers["auth"], booking=peers["booking"], support=peers["support"]),
        mail_server=MailServer(smtp),
        partners=partners,
        seal=Seal(bytes(range(32))),
        mail_from=MAIL_FROM,
        public_url=PUBLIC_URL,
        webhooks=settings,
        payment_request_delay=PAYMENT_REQUEST_DELAY,
        privacy=privacy_office.desk_of("notification"),
    )
    await partners.close()
    for peer in peers.values():
        await peer.close()


@pytest.fixture
def desk(app: App, owners: Owners) -> Desk:
    email = f"guest-{ids.new().hex[-12:]}@example.org"
    return Desk(app, owners, ids.new(), email)
