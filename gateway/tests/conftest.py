"""A gateway in this process before small real services: gRPC, guard and signatures are the real ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from comptoir.auth.v1 import (
    account_pb2_grpc,
    credential_pb2_grpc,
    operator_pb2_grpc,
    organization_pb2_grpc,
    scim_pb2_grpc,
    sso_pb2_grpc,
)
from comptoir.booking.v1 import booking_pb2_grpc, venue_pb2_grpc
from comptoir.payment.v1 import payment_pb2_grpc
from gateway.app import open_gateway
from gateway.edge import Edge as HttpEdge
from gateway.limits import RateSettings
from gateway.settings import Settings
from servicekit import ids, permissions
from servicekit.contract import CONTEXTS
from testkit.edge import Edge
from testkit.keys import Keys

from .directories import directories
from .rated import Limited, limited_by
from .stand_ins import (
    Accounts,
    Availability,
    Backend,
    Bookings,
    Credentials,
    Deposits,
    Directories,
    GuestBookings,
    Operators,
    Organizations,
    SsoRedirects,
    VenueDirectory,
    Venues,
)

BODY_LIMIT = 8 * 1024


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
                lambda s: scim_pb2_grpc.add_ScimServiceServicer_to_server(Directories(backends), s),
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
            # A log is written late, into the output of whatever test runs then: who reads one asks for it.
            "http": {"listen": "127.0.0.1:0", "drain_seconds": 0, "access_log": False},
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
def limited(settings: Settings, backend: Backend) -> Limited:
    """Opens gateways with quotas of their own."""
    assert backend is not None
    return limited_by(settings)


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
