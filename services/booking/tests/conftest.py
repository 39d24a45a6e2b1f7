"""A restaurant, people who book there, and a payment service that does what a test tells it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import grpc
import pytest
import sqlalchemy as sa

from booking.app import App
from booking.clients import Allowances, Deposits
from booking.domain.bookings import Booking, Guest, Wish
from booking.domain.offerings import (
    DepositRule,
    Offering,
)
from booking.domain.terms import Terms
from booking.domain.turns import TurnTime
from booking.domain.venues import (
    Combination,
    Resource,
    ResourceKind,
    VenueRef,
)
from booking.servicer import servicers
from booking.tables import ALLOCATIONS, BOOKING_CHANGES, BOOKINGS
from booking.timers import TIMERS
from booking.usecases import bookings, venues
from booking.usecases.bookings import Made
from comptoir.auth.v1 import account_pb2, account_pb2_grpc
from comptoir.booking.v1 import (
    availability_pb2_grpc,
    blocks_pb2_grpc,
    capacity_pb2_grpc,
    hours_pb2_grpc,
    privacy_pb2_grpc,
    series_pb2_grpc,
    venue_pb2_grpc,
    waitlist_pb2_grpc,
)
from comptoir.booking.v1 import booking_pb2_grpc as booking_grpc
from comptoir.common.v1 import values_pb2
from comptoir.payment.v1 import payment_pb2_grpc
from servicekit import idempotency, ids
from servicekit.cache import Cache
from servicekit.errors import AppError
from servicekit.identity import Caller
from servicekit.money import Money
from servicekit.settings import RedisSettings
from testkit import outbox, timers
from testkit.callers import anonymous
from testkit.edge import Edge
from testkit.plugin import OpenDatabase, StartEdge
from testkit.privacy import PrivacyOffice

from .payment_side import Payments

PARIS = ZoneInfo("Europe/Paris")


@dataclass
class PlanDesk(account_pb2_grpc.AccountDirectoryServiceServicer):
    """Auth, as far as plans go: all organizations have the same one."""

    venues: int = 1_000
    down: bool = False

    async def GetPlan(  # noqa: N802
        self, _request: account_pb2.GetPlanRequest, context: Any
    ) -> account_pb2.GetPlanResponse:
        if self.down:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "down for a test")
        return account_pb2.GetPlanResponse(venues=self.venues)


@dataclass
class House:
    """A venue and how to book there, through the use cases."""

    app: App
    organization: UUID
    venue_id: UUID
    offering: Offering
    tables: dict[str, Resource]
    combinations: dict[str, Combination]
    payments: Payments

    @property
    def ref(self) -> VenueRef:
        """How callers name it."""
        return VenueRef(self.venue_id)

    def start(self, hour: int = 19, minute: int = 0, *, days: int = 7) -> int:
        """A local time in some days, as epoch seconds."""
        day = datetime.now(PARIS).date() + timedelta(days=days)
        return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=PARIS).timestamp())

    def day(self, days: int = 7) -> date:
        """The service day of `start`."""
        return datetime.now(PARIS).date() + timedelta(days=days)

    def wish(self, party_size: int = 2, start: int | None = None) -> Wish:
        """A wish of somebody called Claire."""
        guest = Guest.meet(
            ids.new(), name="Claire", email="claire@example.org", phone="+33612345678", language="fr"
        )
        return Wish.of(
            guest,
            offering_id=self.offering.id,
            start=self.start() if start is None else start,
            party_size=party_size,
            notes="By the window\nif possible",
        )

    async def book(
        self,
        party_size: int = 2,
        start: int | None = None,
        *,
        caller: Caller | None = None,
        key: str | None = None,
        app: App | None = None,
    ) -> Made:
        """Books, as anybody who is not signed in."""
        fingerprint = f"{party_size} {start}".encode()
        idempotency.bind(idempotency.Key(key, fingerprint) if key else None)
        try:
            return await bookings.create_booking(
                app or self.app, self.ref, self.wish(party_size, start), caller=caller or anonymous()
            )
        finally:
            idempotency.bind(None)

    async def run_out(self, made: Made) -> None:
        """Lets the time of a hold be over, for the database too."""
        over = datetime.now(UTC) - timedelta(seconds=1)
        async with self.app.db.begin(self.organization) as tx:
            await tx.execute(
                sa.update(BOOKINGS).where(BOOKINGS.c.id == made.booking.id).values(hold_expires_at=over)
            )
            await tx.execute(
                sa.update(ALLOCATIONS)
                .where(ALLOCATIONS.c.booking_id == made.booking.id)
                .values(expires_at=over)
            )

    async def begin(self, booking: Booking, *, minutes_ago: float = 0) -> None:
        """Lets a booking have begun a while ago, for the database too."""
        start = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).replace(microsecond=0)  # like any start
        times = {"start_at": start, "end_at": start + (booking.end - booking.start)}
        async with self.app.db.begin(self.organization) as tx:
            await tx.execute(sa.update(BOOKINGS).where(BOOKINGS.c.id == booking.id).values(**times))
            await tx.execute(
                sa.update(ALLOCATIONS).where(ALLOCATIONS.c.booking_id == booking.id).values(**times)
            )

    async def read(self, booking_id: UUID) -> Booking:
        """A booking as it stands."""
        return await bookings.get_booking(self.app, self.organization, booking_id)

    async def seats_of(self, booking_id: UUID) -> set[str]:
        """The names of what a booking occupies."""
        query = sa.select(ALLOCATIONS.c.resource_id).where(ALLOCATIONS.c.booking_id == booking_id)
        async with self.app.db.begin(self.organization) as tx:
            found = set((await tx.execute(query)).scalars())
        return {name for name, table in self.tables.items() if table.id in found}

    async def told(self) -> list[str]:
        """The events about bookings so far, without their common prefix."""
        names = [type(event).__name__ for event in await outbox.published(self.app.db)]
        return [name.removeprefix("Booking") for name in names if name.startswith("Booking")]

    async def ring(self, kind: str, booking_id: UUID) -> None:
        """Lets the timer of a booking ring, as the loop would."""
        found = await timers.scheduled(self.app.db, kind)
        (timer,) = [each for each in found if each.key == str(booking_id)]
        await TIMERS[kind](self.app, timer)

    async def offer(self, terms: Terms, *, deposit: DepositRule | None = None) -> "House":
        """The same house with another offering: the same dinner under other terms."""
        offering = await venues.add_offering(
            self.app,
            self.organization,
            self.ref,
            name=f"Dinner {ids.new()}",
            turn_times=self.offering.turn_times,
            deposit=deposit,
            slot_minutes=15,
            min_notice_minutes=60,
            max_advance_days=90,
            terms=terms,
        )
        await venues.add_shift(
            self.app,
            self.organization,
            self.ref,
            offering_id=offering.id,
            weekdays=range(1, 8),
            opens="19:00",
            last_start="22:00",
            closes="23:30",
        )
        return replace(self, offering=offering)

    async def occupied(self) -> list[tuple[UUID, datetime, datetime]]:
        """What is occupied, by anything live or not."""
        query = sa.select(ALLOCATIONS.c.resource_id, ALLOCATIONS.c.start_at, ALLOCATIONS.c.end_at)
        async with self.app.db.begin(self.organization) as tx:
            return [(row.resource_id, row.start_at, row.end_at) for row in await tx.execute(query)]

    async def history(self, booking_id: UUID) -> list[tuple[str, str]]:
        """What happened to a booking and who did it."""
        query = (
            sa.select(BOOKING_CHANGES.c.kind, BOOKING_CHANGES.c.actor)
            .where(BOOKING_CHANGES.c.booking_id == booking_id)
            .order_by(BOOKING_CHANGES.c.version)
        )
        async with self.app.db.begin(self.organization) as tx:
            return [(row.kind, row.actor) for row in await tx.execute(query)]

    async def double_bookings(self) -> int:
        """Pairs of live allocations of one resource that overlap. Never more than none."""
        one, other = ALLOCATIONS.alias(), ALLOCATIONS.alias()
        query = sa.select(sa.func.count()).where(
            one.c.resource_id == other.c.resource_id,
            sa.func.coalesce(one.c.booking_id, one.c.block_id)
            < sa.func.coalesce(other.c.booking_id, other.c.block_id),
            one.c.start_at < other.c.end_at,
            other.c.start_at < one.c.end_at,
        )
        async with self.app.db.begin(self.organization) as tx:
            found: int = (await tx.execute(query)).scalar_one()
        return found


@pytest.fixture
def payments() -> Payments:
    return Payments()


@pytest.fixture
def plan_desk() -> PlanDesk:
    return PlanDesk()


@pytest.fixture
async def allowances(rpc_edge: StartEdge, plan_desk: PlanDesk) -> AsyncIterator[Allowances]:
    edge = await rpc_edge(
        "auth",
        [lambda server: account_pb2_grpc.add_AccountDirectoryServiceServicer_to_server(plan_desk, server)],
    )
    peer = edge.peer_of("booking")
    yield Allowances(peer)
    await peer.close()


@pytest.fixture
async def app(
    service_database: OpenDatabase,
    rpc_edge: StartEdge,
    payments: Payments,
    privacy_office: PrivacyOffice,
    allowances: Allowances,
) -> AsyncIterator[App]:
    edge = await rpc_edge(
        "payment",
        [lambda server: payment_pb2_grpc.add_DepositServiceServicer_to_server(payments, server)],
    )
    peer = edge.peer_of("booking")
    cache = Cache(RedisSettings(), prefix="booking:")
    yield App(
        await service_database("booking"),
        cache,
        Deposits(peer),
        hold_ttl=timedelta(minutes=15),
        privacy=privacy_office.desk_of("booking"),
        allowances=allowances,
    )
    await peer.close()


@pytest.fixture
async def house(app: App, payments: Payments) -> House:
    return await open_house(app, payments)


async def open_house(
    app: App,
    payments: Payments,
    *,
    tables: tuple[tuple[str, int, int], ...] = (("T1", 1, 2), ("T2", 1, 2), ("T3", 2, 4), ("T4", 4, 6)),
    joined: tuple[tuple[str, str, int, int], ...] = (("T3", "T4", 7, 10),),
    slug: str = "",
) -> House:
    """Chez Paulette, smaller: dinner every day from 19:00 to 22:00, 10 EUR a person ahead from six up."""
    organization = ids.new()
    venue = await venues.create_venue(
        app,
        organization,
        name="Chez Paulette",
        slug=slug or f"chez-{organization.hex[-12:]}",
        time_zone="Europe/Paris",
        currency="EUR",
        address="12 rue des Martyrs, 75009 Paris",
    )
    ref = VenueRef(venue.id)
    made = {
        name: await venues.add_resource(
            app,
            organization,
            ref,
            name=name,
            kind=ResourceKind.TABLE,
            min_party=least,
            max_party=most,
            area_id=None,
        )
        for name, least, most in tables
    }
    combinations = {
        f"{first}+{second}": await venues.add_combination(
            app,
            organization,
            ref,
            name=f"{first}+{second}",
            resource_ids=[made[first].id, made[second].id],
            min_party=least,
            max_party=most,
        )
        for first, second, least, most in joined
    }
    offering = await venues.add_offering(
        app,
        organization,
        ref,
        name="Dinner",
        turn_times=[TurnTime(2, 90), TurnTime(4, 120), TurnTime(10, 150)],
        deposit=DepositRule(6, Money(1000, "EUR"), 24),
        slot_minutes=15,
        min_notice_minutes=60,
        max_advance_days=90,
    )
    await venues.add_shift(
        app,
        organization,
        ref,
        offering_id=offering.id,
        weekdays=range(1, 8),
        opens="19:00",
        last_start="22:00",
        closes="23:30",
    )
    return House(app, organization, venue.id, offering, made, combinations, payments)


_STUBS = {
    "CapacityService": capacity_pb2_grpc.CapacityServiceStub,
    "VenueService": venue_pb2_grpc.VenueServiceStub,
    "HoursService": hours_pb2_grpc.HoursServiceStub,
    "AvailabilityService": booking_grpc.AvailabilityServiceStub,
    "AvailabilityLookupService": availability_pb2_grpc.AvailabilityLookupServiceStub,
    "BookingService": booking_grpc.BookingServiceStub,
    "BlockService": blocks_pb2_grpc.BlockServiceStub,
    "SeriesService": series_pb2_grpc.SeriesServiceStub,
    "GuestBookingService": booking_grpc.GuestBookingServiceStub,
    "BookingDirectoryService": booking_grpc.BookingDirectoryServiceStub,
    "GuestDirectoryService": privacy_pb2_grpc.GuestDirectoryServiceStub,
    "WaitlistService": waitlist_pb2_grpc.WaitlistServiceStub,
    "GuestWaitlistService": waitlist_pb2_grpc.GuestWaitlistServiceStub,
    "WaitlistDirectoryService": waitlist_pb2_grpc.WaitlistDirectoryServiceStub,
}


@pytest.fixture
async def edge(house: House, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("booking", servicers(house.app), house.app.db)


async def call(edge: Edge, name: str, request: Any, **how: Any) -> Any:
    """Calls "BookingService/CreateBooking"."""
    stub, method = name.split("/")
    return await edge.call(_STUBS[stub], method, request, **how)


async def refusal(edge: Edge, name: str, request: Any, **how: Any) -> AppError:
    """Calls, and answers what it was refused with."""
    with pytest.raises(AppError) as caught:
        await call(edge, name, request, **how)
    return caught.value


def start_of(house: House, hour: int = 19) -> values_pb2.OffsetDateTime:
    """A start in seven days, as requests carry it."""
    return values_pb2.OffsetDateTime(epoch_seconds=house.start(hour), offset_minutes=0)
