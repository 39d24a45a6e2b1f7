"""A gateway in this process before small real services: gRPC, guard and signatures are the real ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

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
    site_pb2,
    sso_pb2,
    sso_pb2_grpc,
)
from comptoir.booking.v1 import booking_pb2, booking_pb2_grpc, venue_pb2, venue_pb2_grpc
from comptoir.payment.v1 import payment_pb2, payment_pb2_grpc
from gateway.app import open_gateway
from gateway.edge import Edge as HttpEdge
from gateway.limits import RateSettings
from gateway.settings import Settings
from servicekit import identity, ids, permissions
from servicekit.contract import CONTEXTS
from servicekit.errors import AppError
from servicekit.identity import Caller
from testkit.edge import Edge
from testkit.keys import Keys

from .directories import directories

BODY_LIMIT = 8 * 1024


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

    def forget(self) -> None:
        """Back to the start."""
        self.request = self.caller = self.answer = self.refusal = self.gate = self.acts_refusal = None
        self.metadata, self.calls, self.revoked, self.acts, self.replays = {}, 0, set(), [], False


class Availability(booking_pb2_grpc.AvailabilityServiceServicer):
    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def SearchAvailability(self, request: Any, context: Any) -> Any:  # noqa: N802
        default = booking_pb2.SearchAvailabilityResponse(date=request.date)
        answer = self.backend.seen(request, context, default)
        if self.backend.gate is not None:
            await self.backend.gate.wait()
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


@pytest.fixture(scope="session")
def access_key() -> OKPKey:
    """The key that auth signs access tokens with."""
    return OKPKey.generate_key("Ed25519", {"kid": "access-1"}, private=True)


@dataclass
class AccessTokens:
    """Makes access tokens as auth does, and others."""

    key: OKPKey
    organization: UUID = field(default_factory=ids.new)
    user: UUID = field(default_factory=ids.new)
    session: UUID = field(default_factory=ids.new)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a good token says."""
        now = int(time.time())
        good = {
            "iss": "comptoir-auth",
            "aud": "comptoir",
            "sub": str(self.user),
            "org": str(self.organization),
            "sid": str(self.session),
            "role": "owner",
            "scope": " ".join(permissions.of_role(str(changes.get("role", "owner")))),
            "auth_time": now,
            "iat": now,
            "exp": now + 600,
            "amr": ["pwd"],
        }
        return good | changes

    def sign(self, **changes: Any) -> str:
        """A token."""
        header = {"alg": "Ed25519", "kid": self.key.kid, "typ": "at+jwt"}
        return jwt.encode(header, self.claims(**changes), self.key, algorithms=["Ed25519"])

    def operator(self, *, typ: str = "op+jwt", role: str = "admin", **changes: Any) -> dict[str, str]:
        """The header that carries a token of an operator of the platform."""
        scope = " ".join(permissions.OPERATOR_ROLES[role])
        mine = {"aud": "comptoir-platform", "org": None, "role": role, "scope": scope, "amr": ["otp", "pwd"]}
        claims = {name: value for name, value in self.claims(**mine | changes).items() if value is not None}
        header = {"alg": "Ed25519", "kid": self.key.kid, "typ": typ}
        return {"Authorization": f"Bearer {jwt.encode(header, claims, self.key, algorithms=['Ed25519'])}"}

    def break_glass(self, *, write: bool = False, **changes: Any) -> dict[str, str]:
        """The header that carries a token by which an operator acts in the organization."""
        allowed = permissions.BREAK_GLASS_WRITE if write else permissions.BREAK_GLASS_READ
        mine = {"role": "operator", "scope": " ".join(allowed), "amr": ["otp"], "auth_time": 0}
        return self.bearer(**mine | {"opr": str(self.user)} | changes)

    def bearer(self, **changes: Any) -> dict[str, str]:
        """The header that carries one."""
        return {"Authorization": f"Bearer {self.sign(**changes)}"}


@pytest.fixture(scope="session")
def access(access_key: OKPKey) -> AccessTokens:
    return AccessTokens(access_key)


@pytest.fixture(scope="session")
def backends() -> Backend:
    return Backend()


@pytest.fixture
def backend(backends: Backend) -> Backend:
    backends.forget()
    return backends


@pytest.fixture(scope="session")
async def settings(
    keys: Keys, backends: Backend, access_key: OKPKey, unused_target: str
) -> AsyncIterator[Settings]:
    """Settings that lead to small real services; notification, support and analytics are down."""
    services = [
        await Edge.start(
            "auth",
            keys,
            [
                lambda s: account_pb2_grpc.add_AccountServiceServicer_to_server(Accounts(backends), s),
                lambda s: credential_pb2_grpc.add_CredentialServiceServicer_to_server(
                    Credentials(backends), s
                ),
                lambda s: operator_pb2_grpc.add_OperatorSessionServiceServicer_to_server(
                    Operators(backends), s
                ),
                lambda s: organization_pb2_grpc.add_OrganizationServiceServicer_to_server(
                    Organizations(backends), s
                ),
                lambda s: sso_pb2_grpc.add_SsoRedirectServiceServicer_to_server(SsoRedirects(backends), s),
                *directories(backends, access_key),
            ],
        ),
        await Edge.start(
            "booking",
            keys,
            [
                lambda s: booking_pb2_grpc.add_AvailabilityServiceServicer_to_server(
                    Availability(backends), s
                ),
                lambda s: booking_pb2_grpc.add_BookingServiceServicer_to_server(Bookings(backends), s),
                lambda s: venue_pb2_grpc.add_VenueServiceServicer_to_server(Venues(backends), s),
                lambda s: booking_pb2_grpc.add_GuestBookingServiceServicer_to_server(
                    GuestBookings(backends), s
                ),
                lambda s: venue_pb2_grpc.add_VenueDirectoryServiceServicer_to_server(
                    VenueDirectory(backends), s
                ),
            ],
        ),
        await Edge.start(
            "payment",
            keys,
            [lambda s: payment_pb2_grpc.add_DepositServiceServicer_to_server(Deposits(backends), s)],
        ),
    ]
    targets = dict.fromkeys(CONTEXTS, unused_target)
    targets |= {each.service: f"127.0.0.1:{each.port}" for each in services}
    yield made_settings(keys.directory, targets)
    for each in services:
        await each.stop()


def made_settings(directory: Path, targets: dict[str, str], **limits: float) -> Settings:
    """Settings for tests."""
    return Settings.model_validate(
        {
            "environment": "development",
            "http": {"listen": "127.0.0.1:0", "drain_seconds": 0},
            "admin": {"listen": "127.0.0.1:0"},
            "identity": {
                "signing_key_file": directory / "internal-gateway.json",
                "trusted_keys_file": directory / "internal-keys.json",
            },
            "peers": targets,
            "limits": {"body_bytes": BODY_LIMIT, "timeout_seconds": 5} | limits,
            # All tests come from one address.
            "rates": dict.fromkeys(RateSettings.model_fields, "1000000/60"),
        }
    )


@pytest.fixture(scope="session")
async def unused_target() -> str:
    """An address where nobody listens."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
async def edge(settings: Settings) -> AsyncIterator[HttpEdge]:
    async with open_gateway(settings, lambda: True) as opened:
        yield opened


@pytest.fixture
async def client(edge: HttpEdge, backend: Backend) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody anonymous."""
    transport = httpx.ASGITransport(app=edge, raise_app_exceptions=True, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as opened:
        yield opened


@pytest.fixture
def bearer(access: AccessTokens) -> dict[str, str]:
    """The headers of an owner."""
    return access.bearer()


@pytest.fixture
def wish() -> dict[str, Any]:
    """A body that books."""
    return {
        "venue_id": "ven_1",
        "offering_id": "off_1",
        "start": "2027-10-31T02:30:00+02:00",
        "party_size": 2,
        "guest": {"name": "Zoé", "email": "zoe@example.com", "language": "fr"},
    }


@pytest.fixture
def problem() -> Callable[[httpx.Response, int, str], dict[str, Any]]:
    """Checks what all problems share, and hands out the body."""

    def check(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
        assert answer.headers["content-type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert (answer.status_code, body["status"], body["reason"]) == (status, status, reason)
        assert body["type"] == f"/errors/{reason}"
        assert body["title"]
        assert body["detail"]
        assert body["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        return body

    return check
