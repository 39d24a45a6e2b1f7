"""An auth service on a real database, and people who use it."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from joserfc.jwk import OKPKey

from auth.app import App
from auth.clients.guests import Guests
from auth.clients.social import Providers
from auth.domain.accounts import Registration
from auth.domain.audit import ActorKind, Author, Entry
from auth.domain.sessions import EndReason, Lifetimes, RefreshToken, Session, SessionTokens
from auth.hashing import Passwords
from auth.relying_party import RelyingParty
from auth.sealing import Seal
from auth.settings import HashingSettings, SsoSettings, WebAuthnSettings
from auth.store import audit
from auth.store import registrations as registration_store
from auth.store import sessions as session_store
from auth.tables import REGISTRATIONS, SESSIONS
from auth.tokens import Keyring
from auth.usecases import own_sessions, registration, sessions
from comptoir.booking.v1 import privacy_pb2 as booking_privacy
from comptoir.booking.v1 import privacy_pb2_grpc as booking_grpc
from comptoir.payment.v1 import privacy_pb2 as payment_privacy
from comptoir.payment.v1 import privacy_pb2_grpc as payment_grpc
from testkit.plugin import OpenDatabase, StartEdge

PASSWORD = "seven herons over the canal"
LOOPBACK_SSO = SsoSettings(
    public_url="https://api.example.org",
    app_origins=("https://book.example.org",),
    allow_http=True,
    allowed_networks=(ip_network("127.0.0.0/8"),),
)
PLACE = "192.0.2.7"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


@dataclass(frozen=True)
class People:
    """What tests do over and over, through the use cases, and looks at the rows behind them."""

    app: App

    async def register(self, email: str, *, password: str = PASSWORD, name: str = "Paulette") -> UUID:
        """Registers, and tells the id of the registration."""
        await registration.register(
            self.app,
            email=email,
            password=password,
            display_name=name,
            organization_name=f"Chez {name}",
            language="fr",
        )
        return (await self.registrations(email))[-1]

    async def token_for(self, registration_id: UUID) -> str:
        """The secret of a link."""
        mail = await registration.issue_verification(self.app, registration_id)
        assert mail is not None
        return mail.token

    async def own(self, email: str, *, password: str = PASSWORD) -> UUID:
        """Registers and verifies; answers the organization."""
        registered = await self.register(email, password=password)
        return await registration.verify_email(self.app, await self.token_for(registered))

    async def log_in(self, email: str, *, password: str = PASSWORD, address: str = PLACE) -> SessionTokens:
        """Logs in from the usual place."""
        by = Author(ActorKind.NOBODY, address=address, request_id="request-of-the-log-in")
        tokens = await sessions.log_in(self.app, email, password, by=by, user_agent=BROWSER)
        assert isinstance(tokens, SessionTokens)
        return tokens

    async def end(self, session: Session) -> None:
        """Logs out of a session."""
        by = Author(ActorKind.USER, session.user_id, address=PLACE)
        await own_sessions.end_session(
            self.app, session.user_id, session.id, reason=EndReason.LOGGED_OUT, by=by
        )

    async def log(self, chain: UUID) -> list[Entry]:
        """The audit log of an organization."""
        async with self.app.db.begin(chain) as tx:
            return await audit.list_entries(tx, chain)

    async def registrations(self, email: str) -> list[UUID]:
        """What was registered for the address, oldest first."""
        query = sa.select(REGISTRATIONS.c.id).where(REGISTRATIONS.c.email == email.lower())
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            return list((await tx.execute(query.order_by(REGISTRATIONS.c.created_at))).scalars())

    async def registration(self, registration_id: UUID) -> Registration | None:
        """One of them."""
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            return await registration_store.lock_registration(tx, registration_id)

    async def session(self, tokens: SessionTokens) -> Session:
        """The session that a refresh token belongs to."""
        session_id = RefreshToken.parse(tokens.refresh_token).session_id
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            found = await session_store.lock_session(tx, session_id)
        assert found is not None
        return found[0]

    async def age(self, table: sa.Table, by: timedelta) -> None:
        """Makes every row of the table older, all its times."""
        times = {column.name: column - by for column in table.c if isinstance(column.type, sa.DateTime)}
        async with self.app.db.begin_platform(reason="let time pass in a test") as tx:
            await tx.execute(sa.update(table).values(times))

    async def age_sessions(self, by: timedelta) -> None:
        """As if the last use of every session were so long ago."""
        await self.age(SESSIONS, by)


@dataclass
class Expected(booking_grpc.GuestDirectoryServiceServicer, payment_grpc.OpenMoneyServiceServicer):
    """Booking's and payment's side of the contract: what guests have open."""

    bookings: dict[str, list[str]] = field(default_factory=dict)
    """Address, or number and name → bookings that are over."""
    to_come: dict[str, list[str]] = field(default_factory=dict)
    payments: dict[str, str] = field(default_factory=dict)
    """Booking → its open payment."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Number → the names that bookings have it by."""

    async def ListBookingsOfGuest(  # noqa: N802
        self, request: Any, _: Any
    ) -> booking_privacy.ListBookingsOfGuestResponse:
        name = request.email or f"{request.phone} {request.name}"
        to_come = self.to_come.get(name, [])
        return booking_privacy.ListBookingsOfGuestResponse(
            booking_ids=[*self.bookings.get(name, []), *to_come], to_come_booking_ids=to_come
        )

    async def ListNamesOfNumber(  # noqa: N802
        self, request: Any, _: Any
    ) -> booking_privacy.ListNamesOfNumberResponse:
        names = [booking_privacy.NameOfNumber(name=each, bookings=3) for each in self.names[request.phone]]
        return booking_privacy.ListNamesOfNumberResponse(names=names)

    async def ListOpenPayments(  # noqa: N802
        self, request: Any, _: Any
    ) -> payment_privacy.ListOpenPaymentsResponse:
        found = [self.payments[each] for each in request.booking_ids if each in self.payments]
        return payment_privacy.ListOpenPaymentsResponse(payment_ids=found)


@pytest.fixture(scope="session")
def signing_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"use": "sig"}, private=True, auto_kid=True)


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    pool = Passwords(HashingSettings())
    yield pool
    pool.close()


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    opened = Providers(LOOPBACK_SSO)
    yield opened
    await opened.close()


@pytest.fixture
async def expected() -> Expected:
    return Expected()


@pytest.fixture
async def guests(rpc_edge: StartEdge, expected: Expected) -> AsyncIterator[Guests]:
    """Booking and payment, behind the real guard."""
    booking = await rpc_edge(
        "booking",
        [lambda server: booking_grpc.add_GuestDirectoryServiceServicer_to_server(expected, server)],
    )
    payment = await rpc_edge(
        "payment", [lambda server: payment_grpc.add_OpenMoneyServiceServicer_to_server(expected, server)]
    )
    peers = booking.peer_of("auth"), payment.peer_of("auth")
    yield Guests(booking=peers[0], payment=peers[1])
    for peer in peers:
        await peer.close()


@pytest.fixture
async def app(
    service_database: OpenDatabase,
    passwords: Passwords,
    signing_key: OKPKey,
    providers: Providers,
    guests: Guests,
) -> App:
    lifetimes = Lifetimes(
        access_token=timedelta(minutes=10), session=timedelta(days=30), idle=timedelta(days=7)
    )
    return App(
        db=await service_database("auth"),
        passwords=passwords,
        keyring=Keyring(signing_key),
        lifetimes=lifetimes,
        seal=Seal(bytes(range(32))),
        relying_party=RelyingParty(
            WebAuthnSettings(rp_id="example.org", origins=("https://book.example.org",))
        ),
        providers=providers,
        sso=LOOPBACK_SSO,
        guests=guests,
    )


@pytest.fixture
def people(app: App) -> People:
    return People(app)
