"""A password that was compared counts only if it is the password still when something comes of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import ActorKind, Author
from auth.hashing import Passwords, Verdict
from auth.settings import HashingSettings
from auth.usecases import addresses, credentials, members, operator_log_in, own_sessions, sessions
from servicekit import paging
from servicekit.errors import Busy

from .conftest import BROWSER, PASSWORD, PLACE, People
from .mailbox import the_only
from .operating import OTHER_WORDS, WORDS, Agent
from .staff import invite, join, link, log_in

EMAIL = "paulette@example.org"
NEW = "nine kingfishers by the weir"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)

Meanwhile: TypeAlias = Callable[[], Awaitable[None]]


class Interrupted(Passwords):
    """Lets something happen between the comparison of a password and what comes of it."""

    def __init__(self) -> None:
        super().__init__(HashingSettings())
        self.meanwhile: list[Meanwhile] = []
        self.weak = False
        """Whether parameters were raised, so that what is right is hashed anew."""

    async def verify(self, kept: str | None, password: str) -> Verdict:
        verdict = await super().verify(kept, password)
        if self.meanwhile:
            await self.meanwhile.pop()()
        return replace(verdict, stronger_hash=await self.hash(password)) if self.weak else verdict


@dataclass(frozen=True)
class Slow:
    """The app as it is for whoever is interrupted."""

    app: App
    passwords: Interrupted = field(default_factory=Interrupted)

    def let(self, meanwhile: Meanwhile) -> App:
        """The app; `meanwhile` happens after the next comparison."""
        self.passwords.meanwhile = [meanwhile]
        return replace(self.app, passwords=self.passwords)


@pytest.fixture
async def slow(app: App) -> AsyncIterator[Slow]:
    made = Slow(app)
    yield made
    made.passwords.close()


@pytest.fixture
async def resetting(app: App, people: People) -> Meanwhile:
    """What the owner does: sets another password by the link that was mailed."""
    await people.own(EMAIL)
    await credentials.forget_password(app, EMAIL, by=VISITOR)
    mail = await the_only(app, MailKind.PASSWORD_RESET)

    async def reset() -> None:
        await credentials.reset_password(app, mail.token, new=NEW, by=VISITOR)

    return reset


async def nothing() -> None:
    """Nothing happens."""


@pytest.mark.parametrize("weak", [False, True], ids=["as strong as today", "to be hashed anew"])
async def test_who_logs_in_with_the_old_password_while_it_is_reset_is_refused(
    slow: Slow, people: People, resetting: Meanwhile, *, weak: bool
) -> None:
    slow.passwords.weak = weak
    with pytest.raises(InvalidCredentials):
        await sessions.log_in(slow.let(resetting), EMAIL, PASSWORD, by=VISITOR, user_agent=BROWSER)
    with pytest.raises(InvalidCredentials):
        await people.log_in(EMAIL)
    assert (await people.log_in(EMAIL, password=NEW)).access_token


async def test_control_who_logs_in_while_nothing_happens_is_let_in(slow: Slow, people: People) -> None:
    await people.own(EMAIL)
    assert await sessions.log_in(slow.let(nothing), EMAIL, PASSWORD, by=VISITOR, user_agent=BROWSER)
    assert slow.passwords.meanwhile == []


async def test_the_session_that_changes_the_password_is_not_renewed_by_the_old_one(
    app: App, slow: Slow, people: People
) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    who, at = session.user_id, session.id

    async def change() -> None:
        await credentials.change_password(app, who, at, old=PASSWORD, new=NEW, by=VISITOR)

    with pytest.raises(InvalidCredentials):
        await own_sessions.reauthenticate(slow.let(change), who, at, password=PASSWORD, by=VISITOR)
    assert await own_sessions.reauthenticate(slow.let(nothing), who, at, password=NEW, by=VISITOR)


async def test_an_operator_who_gave_the_old_password_while_it_was_changed_is_refused(
    app: App, slow: Slow
) -> None:
    sylvie = await Agent.add(app)
    session = await sylvie.session(await sylvie.log_in())

    async def change() -> None:
        await operator_log_in.change_operator_password(
            app, sylvie.id, session.id, old=WORDS, new=OTHER_WORDS, by=sylvie.by
        )

    with pytest.raises(InvalidCredentials):
        await operator_log_in.log_in_operator(slow.let(change), sylvie.email, WORDS, by=VISITOR)
    assert await sylvie.knock(OTHER_WORDS)


@pytest.fixture
async def moving(app: App, people: People) -> Meanwhile:
    """What the owner does: moves the account to another address by the link that was mailed there."""
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await addresses.ask_to_change_email(app, session.user_id, "paulette@example.com", by=VISITOR)
    mail = await the_only(app, MailKind.EMAIL_CHANGE)

    async def move() -> None:
        await addresses.confirm_email_change(app, mail.token, by=VISITOR)

    return move


async def refused_to_join(slow: Slow, people: People, meanwhile: Meanwhile) -> None:
    """Has somebody invite the account, which changes while the password of the invited is compared."""
    host = "marcel@example.org"
    await people.own(host)
    owner = await log_in(people, host)
    token = await link(people.app, await invite(people.app, owner, EMAIL))
    with pytest.raises(Busy):
        await join(slow.let(meanwhile), token)
    found, _ = await members.list_members(people.app, owner.tenant, paging.page(0, "", keys=2))
    assert [each.email for each in found] == [host]


async def test_nobody_joins_by_a_password_that_is_reset_meanwhile(
    slow: Slow, people: People, resetting: Meanwhile
) -> None:
    await refused_to_join(slow, people, resetting)


async def test_nobody_joins_by_an_address_that_the_account_leaves_meanwhile(
    slow: Slow, people: People, moving: Meanwhile
) -> None:
    await refused_to_join(slow, people, moving)


async def test_control_whoever_is_invited_joins_while_nothing_happens(
    app: App, slow: Slow, people: People
) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    owner = await log_in(people, "marcel@example.org")
    token = await link(app, await invite(app, owner, EMAIL))
    assert await join(slow.let(nothing), token) == owner.tenant
    assert slow.passwords.meanwhile == []
