"""Operators for tests: how they come, enrol and log in, and what they may do then."""

import base64
import json
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import ActorKind, Author, Entry
from auth.domain.challenges import Factor, GivenFactor
from auth.domain.operator_access import OperatorAccess, Wish
from auth.domain.operators import Operator, OperatorRole
from auth.domain.sessions import RefreshToken, Session, SessionTokens
from auth.domain.totp import hotp
from auth.store import operator_accesses as access_store
from auth.store import operator_sessions as session_store
from auth.store import operators as operator_store
from auth.tables import OPERATOR_TOTPS
from auth.usecases import operator_access, operator_log_in, operators, own_sessions
from servicekit.identity import Caller, CallerKind

from .conftest import BROWSER, PLACE, People
from .staff import by, log_in

OWNER = "paulette@example.org"
WORDS = "four lanterns by the weir"
OTHER_WORDS = "nine kites above the estuary"
COMMAND = Author(ActorKind.SYSTEM)
NOBODY = Author(ActorKind.NOBODY, address=PLACE, request_id="request-of-the-operator")


@dataclass
class Agent:
    """An operator and what they hold in their hands."""

    app: App
    id: UUID
    email: str
    secret: bytes = b""
    recovery_codes: list[str] = field(default_factory=list)

    @classmethod
    async def add(cls, app: App, email: str = "sylvie@platform.example", role: str = "admin") -> "Agent":
        """Made by the command, and enrolled."""
        made, token = await operators.add_operator(
            app, email=email, display_name="Sylvie", role=OperatorRole(role), by=COMMAND
        )
        agent = cls(app, made.id, made.email)
        await agent.enrol(token)
        return agent

    @property
    def by(self) -> Author:
        return Author(ActorKind.OPERATOR, self.id, address=PLACE, request_id="request-of-the-operator")

    async def enrol(self, token: str, *, password: str = WORDS) -> None:
        """With an app of their own, a while ago."""
        enrolment = await operators.begin_enrolment(self.app, token)
        self.secret = base64.b32decode(enrolment.secret)
        self.recovery_codes = await operators.finish_enrolment(
            self.app, token, password=password, code=self.code(), by=NOBODY
        )
        await self.let_codes_pass()

    def code(self) -> str:
        """What the app shows now."""
        return hotp(self.secret, int(time.time()) // 30)

    async def let_codes_pass(self) -> None:
        """As if the last code had been given a while ago."""
        async with self.app.db.begin_platform(reason="let time pass in a test") as tx:
            await tx.execute(
                sa.update(OPERATOR_TOTPS).values(last_counter=OPERATOR_TOTPS.c.last_counter - 10)
            )

    async def knock(self, password: str = WORDS) -> str:
        """The first step of a log-in."""
        challenge, _ = await operator_log_in.log_in_operator(self.app, self.email, password, by=NOBODY)
        return challenge

    async def answer(self, challenge: str, factor: Factor, secret: str) -> SessionTokens:
        """The second."""
        return await operator_log_in.answer_operator_challenge(
            self.app, challenge, GivenFactor(factor, secret), by=NOBODY, user_agent=BROWSER
        )

    async def log_in(self, password: str = WORDS) -> SessionTokens:
        """Both, with a code."""
        tokens = await self.answer(await self.knock(password), Factor.TOTP, self.code())
        await self.let_codes_pass()
        return tokens

    async def session(self, tokens: SessionTokens) -> Session:
        """The session that a refresh token belongs to."""
        session_id = RefreshToken.parse(tokens.refresh_token).session_id
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            found = await session_store.lock_session(tx, session_id)
        assert found is not None
        return found

    async def state(self) -> Operator:
        """What is kept of them."""
        async with self.app.db.begin_platform(reason="look into the database in a test") as tx:
            found = await operator_store.get_operator(tx, self.id)
        assert found is not None
        return found

    async def caller(self) -> Caller:
        """Logged in just now, as the gateway says them."""
        session = await self.session(await self.log_in())
        operator = await self.state()
        return Caller(
            CallerKind.PLATFORM,
            "gateway",
            session=session.id,
            role=operator.role.value,
            permissions=operator.grant.permissions,
            authenticated_at=int(session.authenticated_at.timestamp()),
            methods=frozenset(session.methods),
            operator=self.id,
        )


WISH = Wish("The guests cannot book", "T-17", timedelta(minutes=30), write=False)
WRITE = replace(WISH, write=True)


@dataclass
class Scene:
    """An organization, and an operator at the door."""

    app: App
    people: People
    organization: UUID
    agent: Agent

    async def begin(
        self, wish: Wish = WISH, agent: Agent | None = None
    ) -> tuple[OperatorAccess, dict[str, Any]]:
        """Access in a session of its own, and what its token says."""
        who = agent or self.agent
        session = await who.session(await who.log_in())
        access, token, seconds = await operator_access.begin_access(
            self.app, who.id, session.id, self.organization, wish, by=who.by
        )
        claims = said(token)
        assert claims["exp"] - claims["iat"] == seconds
        return access, claims

    async def now(self, access: OperatorAccess) -> OperatorAccess:
        """What is kept of it."""
        async with self.app.db.begin(self.organization) as tx:
            found = await access_store.get_access(tx, access.id)
        assert found is not None
        return found

    async def end_by_owner(self, access: OperatorAccess) -> None:
        """As the organization wishes."""
        owner = await log_in(self.people, OWNER)
        await operator_access.end_access_to(self.app, self.organization, access.id, by=by(owner))

    async def entries(self, chain: UUID) -> list[Entry]:
        """What the log says of access."""
        return [each for each in await self.people.log(chain) if each.action.startswith("operator_access.")]

    async def revoked(self) -> set[UUID]:
        """What gateways refuse."""
        return set((await own_sessions.list_revocations(self.app, None))[0])


def said(token: str) -> dict[str, Any]:
    """The claims of a token, which is good."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
