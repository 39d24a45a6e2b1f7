"""A support service on a real database, beside a booking service that knows a few manage tokens."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import pytest

from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError, Kind, Unavailable
from support.app import App
from support.clients import Bookings
from support.domain import Ticket
from support.usecases import tickets as usecases
from testkit.plugin import OpenDatabase, StartEdge
from testkit.privacy import PrivacyOffice


class ManageTokenInvalid(AppError):
    """As booking refuses a token that does not hold."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_INVALID"
    detail = "This link does not hold."


class Links(booking_pb2_grpc.BookingDirectoryServiceServicer):
    """Stands in for booking behind the real guard: tokens, and whose they are."""

    def __init__(self) -> None:
        self._bookings: dict[str, tuple[UUID, UUID]] = {}

    def give(self, organization: UUID, booking: UUID) -> str:
        """A token for a booking."""
        token = ids.new().hex
        self._bookings[token] = (organization, booking)
        return token

    async def DescribeBooking(  # noqa: N802
        self, _request: Any, _context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> booking_pb2.DescribeBookingResponse:
        """Not for support."""
        raise Unavailable

    async def ResolveManageToken(  # noqa: N802
        self, request: Any, _context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> booking_pb2.ResolveManageTokenResponse:
        """Like booking's."""
        if request.token not in self._bookings:
            raise ManageTokenInvalid
        organization, booking = self._bookings[request.token]
        return booking_pb2.ResolveManageTokenResponse(
            organization_id=ids.show("org", organization),
            booking=booking_pb2.Booking(id=ids.show("bkg", booking)),
        )


@dataclass
class Desk:
    """One organization with its guests' links, and what tests do over and over."""

    app: App
    links: Links
    organization: UUID = field(default_factory=ids.new)
    staff: UUID = field(default_factory=ids.new)

    def link(self, booking: UUID | None = None) -> str:
        """A guest's link to a booking; to a new one if none is given."""
        return self.links.give(self.organization, booking or ids.new())

    async def open(self, token: str | None = None, *, subject: str = "Allergies") -> Ticket:
        """A guest's ticket."""
        return await usecases.open_ticket(
            self.app, token or self.link(), subject=subject, text="Are there nuts?", key=None
        )

    async def answer(self, ticket: Ticket, text: str = "There are none.") -> Ticket:
        """An answer by staff."""
        return await usecases.answer_ticket(
            self.app, self.organization, ticket.id, staff_user_id=self.staff, text=text, key=None
        )

    def elsewhere(self) -> "Desk":
        """Another organization on the same platform."""
        return Desk(self.app, self.links)


@pytest.fixture
def links() -> Links:
    return Links()


@pytest.fixture
async def app(
    service_database: OpenDatabase, rpc_edge: StartEdge, links: Links, privacy_office: PrivacyOffice
) -> AsyncIterator[App]:
    booking = await rpc_edge(
        "booking",
        [lambda server: booking_pb2_grpc.add_BookingDirectoryServiceServicer_to_server(links, server)],
    )
    peer = booking.peer_of("support")
    desk = privacy_office.desk_of("support")
    yield App(await service_database("support"), Bookings(peer), privacy=desk)
    await peer.close()


@pytest.fixture
def desk(app: App, links: Links) -> Desk:
    return Desk(app, links)
