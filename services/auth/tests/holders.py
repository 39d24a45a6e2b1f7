"""People with second factors, as the tests of several doors need them."""

import base64
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.challenges import Factor, GivenFactor, PendingLogIn
from auth.domain.sessions import SessionTokens
from auth.domain.totp import hotp
from auth.tables import TOTP_FACTORS
from auth.usecases import factors, passkeys, second_steps, sessions
from testkit.authenticator import Authenticator

from .conftest import BROWSER, PASSWORD, PLACE, People

EMAIL = "paulette@example.org"


@dataclass
class Holder:
    """Somebody with an account, and the factors that they add."""

    app: App
    user: UUID
    email: str
    secret: bytes = b""
    recovery_codes: list[str] = field(default_factory=list)

    @classmethod
    async def register(cls, app: App, people: People, email: str = EMAIL) -> "Holder":
        """With a password alone."""
        await people.own(email)
        return cls(app, (await people.session(await people.log_in(email))).user_id, email)

    @property
    def by(self) -> Author:
        return Author(ActorKind.USER, self.user, address=PLACE, request_id="request-of-the-holder")

    async def add_totp(self) -> "Holder":
        """An authenticator app, confirmed half a minute ago."""
        enrolment = await factors.begin_totp(self.app, self.user, by=self.by)
        (shown,) = parse_qs(urlsplit(enrolment.uri).query)["secret"]
        assert shown == enrolment.secret
        self.secret = base64.b32decode(shown)
        codes = await factors.confirm_totp(self.app, self.user, self.code(), by=self.by)
        self.recovery_codes = codes or self.recovery_codes
        await self.let_codes_pass()
        return self

    async def add_passkey(self, device: Authenticator, name: str = "My phone") -> "Holder":
        """A passkey on the device."""
        credential = device.create(await passkeys.begin_passkey(self.app, self.user, by=self.by))
        _, codes = await passkeys.add_passkey(
            self.app, self.user, name=name, credential=credential, by=self.by
        )
        self.recovery_codes = codes or self.recovery_codes
        return self

    def code(self, steps: int = 0) -> str:
        """What the authenticator app shows now, or will."""
        return hotp(self.secret, int(time.time()) // 30 + steps)

    async def let_codes_pass(self) -> None:
        """As if the last code had been given a while ago."""
        async with self.app.db.begin_platform(reason="let time pass in a test") as tx:
            await tx.execute(sa.update(TOTP_FACTORS).values(last_counter=TOTP_FACTORS.c.last_counter - 10))

    async def knock(
        self, *, password: str = PASSWORD, device_token: str = ""
    ) -> SessionTokens | PendingLogIn:
        """The first step of a log-in."""
        by = Author(ActorKind.NOBODY, address=PLACE)
        return await sessions.log_in(
            self.app, self.email, password, by=by, user_agent=BROWSER, device_token=device_token
        )

    async def challenge(self) -> PendingLogIn:
        """The same, when a second is sure to follow."""
        pending = await self.knock()
        assert isinstance(pending, PendingLogIn)
        return pending

    async def answer(
        self, pending: PendingLogIn, factor: Factor, secret: str, *, remember: bool = False
    ) -> tuple[SessionTokens, str]:
        """The second step."""
        by = Author(ActorKind.NOBODY, address=PLACE)
        return await second_steps.answer_challenge(
            self.app,
            pending.challenge,
            GivenFactor(factor, secret),
            remember_device=remember,
            by=by,
            user_agent=BROWSER,
        )
