"""The services behind the gateway of these tests, in small: they note what comes, and answer as told."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc

from comptoir.auth.v1 import (
    account_pb2,
    account_pb2_grpc,
    credential_pb2,
    credential_pb2_grpc,
    key_pb2,
    operator_access_pb2,
    operator_pb2,
    operator_pb2_grpc,
    organization_pb2,
    organization_pb2_grpc,
    scim_pb2,
    scim_pb2_grpc,
    site_pb2,
    sso_pb2,
    sso_pb2_grpc,
)
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc, venue_pb2, venue_pb2_grpc
from comptoir.payment.v1 import payment_pb2, payment_pb2_grpc
from servicekit import identity
from servicekit.errors import AppError, Unauthenticated
from servicekit.identity import Caller

BODY_LIMIT = 8 * 1024
SCIM_TOKEN = "scim-token"  # of nobody


@dataclass
class Backend:
    """What the services saw last, and what they are to answer."""

    request: Any = None
    caller: Caller | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    answer: Any = None
    refusal: AppError | None = None
    calls: int = 0
    seconds: float | None = None
    """How long the last call might take when it arrived."""
    revoked: set[UUID] = field(default_factory=set)
    keys: dict[str, key_pb2.ExchangeKeyResponse] = field(default_factory=dict)
    """The API keys there are; they stay."""
    acts: list[tuple[UUID | None, operator_access_pb2.RecordOperatorActRequest]] = field(default_factory=list)
    """Organizations, and what auth was told that operators are about to do there."""
    acts_refusal: AppError | None = None
    """What auth answers to that."""
    sites: list[site_pb2.Site] = field(default_factory=list)
    """The origins and domains that auth tells of; they stay."""
    replays: bool = False
    """Whether it answers what it answered before."""
    gate: asyncio.Event | None = None
    """When set, a search waits for it before it answers."""
    cancelled: int = 0
    """How many searches were ended while they waited."""

    def seen(self, request: Any, context: grpc.aio.ServicerContext[Any, Any], default: Any) -> Any:
        """Notes the call, then answers or refuses."""
        self.request, self.caller = request, identity.caller()
        self.metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        self.calls += 1
        self.seconds = context.time_remaining()
        if self.refusal is not None:
            raise self.refusal
        if self.replays:
            context.set_trailing_metadata((("idempotency-replayed", "true"),))
        return default if self.answer is None else self.answer

    async def wait(self, gate: asyncio.Event) -> None:
        """Until the gate is open, or the call is ended."""
        try:
            await gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def forget(self) -> None:
        """Back to the start."""
        self.request = self.caller = self.answer = self.refusal = self.gate = self.acts_refusal = None
        self.metadata, self.calls, self.revoked, self.acts, self.replays = {}, 0, set(), [], False
        self.cancelled = 0


class Availability(booking_pb2_grpc.AvailabilityServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def SearchAvailability(self, request: Any, context: Any) -> Any:  # noqa: N802
        default = booking_pb2.SearchAvailabilityResponse(date=request.date)
        answer = self.backend.seen(request, context, default)
        if self.backend.gate is not None:
            await self.backend.wait(self.backend.gate)
        return answer


class Bookings(booking_pb2_grpc.BookingServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def CreateBooking(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, booking_pb2.CreateBookingResponse(manage_token="secret"))

    async def GetBooking(self, request: Any, context: Any) -> Any:  # noqa: N802
        booking = booking_pb2.Booking(id=request.booking_id)
        return self.backend.seen(request, context, booking_pb2.GetBookingResponse(booking=booking))

    async def CancelBooking(self, request: Any, context: Any) -> Any:  # noqa: N802
        booking = booking_pb2.Booking(id=request.booking_id)
        return self.backend.seen(request, context, booking_pb2.CancelBookingResponse(booking=booking))

    async def ListBookings(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, booking_pb2.ListBookingsResponse())

    async def ListBookingChanges(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, booking_pb2.ListBookingChangesResponse())


class GuestBookings(booking_pb2_grpc.GuestBookingServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def GetManagedBooking(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, booking_pb2.GetManagedBookingResponse())


class Accounts(account_pb2_grpc.AccountServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def LogIn(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, account_pb2.LogInResponse())

    async def RefreshSession(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, account_pb2.RefreshSessionResponse())

    async def LogOut(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, account_pb2.LogOutResponse())


class Credentials(credential_pb2_grpc.CredentialServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def ForgotPassword(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, credential_pb2.ForgotPasswordResponse())


class Operators(operator_pb2_grpc.OperatorSessionServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def GetOperator(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, operator_pb2.GetOperatorResponse())


class SsoRedirects(sso_pb2_grpc.SsoRedirectServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def BeginSso(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(
            request, context, sso_pb2.BeginSsoResponse(location="https://idp.example/go")
        )

    async def FinishSso(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(
            request, context, sso_pb2.FinishSsoResponse(location="https://app.example/in")
        )


class Directories(scim_pb2_grpc.ScimServiceServicer):
    """Knows one token of a directory."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def HandleScim(self, request: Any, context: Any) -> Any:  # noqa: N802
        answer = self.backend.seen(request, context, scim_pb2.HandleScimResponse(status=200, body=b"{}"))
        if request.token != SCIM_TOKEN:
            raise Unauthenticated
        return answer


class VenueDirectory(venue_pb2_grpc.VenueDirectoryServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def ListSiteVenues(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, venue_pb2.ListSiteVenuesResponse())


class Organizations(organization_pb2_grpc.OrganizationServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def UpdateOrganization(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, organization_pb2.UpdateOrganizationResponse())


class Venues(venue_pb2_grpc.VenueServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def UpdateVenue(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, venue_pb2.UpdateVenueResponse())


class Deposits(payment_pb2_grpc.DepositServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def ReceiveStripeEvent(self, request: Any, context: Any) -> Any:  # noqa: N802
        return self.backend.seen(request, context, payment_pb2.ReceiveStripeEventResponse())
