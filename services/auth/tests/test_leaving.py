"""Deleting one's account: what goes, what stays, and who may not."""

import asyncio
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind, Author
from auth.domain.invitations import InvitationTokenInvalid
from auth.domain.members import NoOrganization
from auth.domain.people import SoleOwner
from auth.domain.sessions import RefreshToken, RefreshTokenInvalid, Session
from auth.store import audit
from auth.store import people as store
from auth.tables import (
    ACCOUNT_MAILS,
    INVITATIONS,
    KNOWN_DEVICES,
    MEMBERSHIPS,
    REGISTRATIONS,
    SESSIONS,
    USERS,
)
from auth.usecases import credentials, leaving, own_sessions, sessions
from servicekit import ids
from servicekit.errors import Unauthenticated
from testkit.waiting import eventually, waiting_for_locks

from .conftest import PLACE, People
from .mailbox import the_only, written
from .staff import invite, link, log_in
from .staff import join as staff_join

EMAIL = "paulette@example.org"
OTHER = "marcel@example.org"


async def leave(app: App, session: Session) -> None:
    by = Author(ActorKind.USER, session.user_id, address=PLACE)
    await leaving.delete_account(app, session.user_id, by=by)


async def session_of(people: People, email: str) -> Session:
    return await people.session(await people.log_in(email))


async def join(app: App, organization: UUID, user_id: UUID, *, role: str) -> None:
    row = {"organization_id": organization, "user_id": user_id, "role": role}
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        await tx.execute(sa.insert(MEMBERSHIPS).values(row))


async def of_two_owners(app: App, people: People) -> tuple[UUID, Session]:
    """An organization with two owners, and a session of the first."""
    organization = await people.own(EMAIL)
    session = await session_of(people, EMAIL)
    await people.own(OTHER)
    await join(app, organization, (await session_of(people, OTHER)).user_id, role="owner")
    return organization, session


async def owners(app: App, organization: UUID) -> int:
    query = sa.select(sa.func.count()).where(
        MEMBERSHIPS.c.organization_id == organization, MEMBERSHIPS.c.role == "owner"
    )
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        found: int = (await tx.execute(query)).scalar_one()
        return found


async def test_an_account_goes_with_all_that_is_its_own_and_the_log_keeps_the_id(
    app: App, people: People
) -> None:
    organization = await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    session = await people.session(tokens)
    await people.own(OTHER)
    await join(app, organization, (await session_of(people, OTHER)).user_id, role="owner")
    by = Author(ActorKind.NOBODY, address=PLACE)
    await credentials.forget_password(app, EMAIL, by=by)
    await leave(app, session)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        for table in (USERS, MEMBERSHIPS, SESSIONS, KNOWN_DEVICES):
            column = table.c.id if table is USERS else table.c.user_id
            assert (await tx.execute(sa.select(table).where(column == session.user_id))).all() == []
        kept = (await tx.execute(sa.select(ACCOUNT_MAILS.c.kind).where(ACCOUNT_MAILS.c.email == EMAIL))).all()
        log = await audit.list_entries(tx, PLATFORM_CHAIN)
    assert [row.kind for row in kept] == ["account_deleted"]
    assert session.id in (await own_sessions.list_revocations(app, None))[0]
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    with pytest.raises(InvalidCredentials):
        await people.log_in(EMAIL)
    last = [log[-1], (await people.log(organization))[-1]]
    for entry in last:
        assert (entry.action, entry.target) == (Action.ACCOUNT_DELETED, ids.show("usr", session.user_id))
        assert (entry.actor_id, entry.address, entry.after) == (session.user_id, "", None)
        assert entry.before in (None, {"api_keys": 0})  # an organization's says how many keys hold on
    mail = await the_only(app, MailKind.ACCOUNT_DELETED)
    assert (mail.email, mail.display_name, mail.token) == (EMAIL, "Paulette", "")
    assert await written(app, MailKind.PASSWORD_RESET) == []


async def test_nothing_keeps_the_address_of_whoever_has_left(app: App, people: People) -> None:
    await people.own(OTHER)
    owner = await log_in(people, OTHER)
    await staff_join(app, await link(app, await invite(app, owner, EMAIL, "admin")), name="Paulette")
    admin = await log_in(people, EMAIL)
    sent = await link(app, await invite(app, admin, "luc@example.org"))
    await people.own("another@example.org")
    stranger = await log_in(people, "another@example.org")
    await invite(app, stranger, EMAIL)
    await people.register(EMAIL)
    await leave(app, await session_of(people, EMAIL))
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        for table in (INVITATIONS, REGISTRATIONS):
            assert (await tx.execute(sa.select(table).where(table.c.email == EMAIL))).all() == []
    with pytest.raises(InvitationTokenInvalid):
        await staff_join(app, sent)


async def test_a_session_that_is_just_being_opened_is_revoked_with_the_others(
    app: App, people: People
) -> None:
    organization, session = await of_two_owners(app, people)
    async with app.db.begin_platform(reason="open a session slowly in a test") as tx:
        by = Author(ActorKind.NOBODY, address=PLACE)
        tokens = await sessions.open_session(
            app, tx, session.user_id, methods=("pwd",), by=by, user_agent="", organization_id=organization
        )
        leaving_now = asyncio.create_task(leave(app, session))
        await eventually(lambda: waiting_for_locks(app.db))
        assert not leaving_now.done()
    await leaving_now
    opened = RefreshToken.parse(tokens.refresh_token).session_id
    assert {opened, session.id} <= set((await own_sessions.list_revocations(app, None))[0])


async def test_no_session_is_opened_for_whoever_is_just_leaving(app: App, people: People) -> None:
    _, session = await of_two_owners(app, people)

    async def open_one() -> None:
        async with app.db.begin_platform(reason="open a session in a test") as other:
            by = Author(ActorKind.NOBODY, address=PLACE)
            await sessions.open_session(app, other, session.user_id, methods=("pwd",), by=by, user_agent="")

    async with app.db.begin_platform(reason="leave slowly in a test") as tx:
        await store.lock_memberships(tx, session.user_id)
        opening = asyncio.create_task(open_one())
        await eventually(lambda: waiting_for_locks(app.db))
        await store.delete_user(tx, session.user_id)
    with pytest.raises(NoOrganization):
        await opening


async def test_the_only_owner_stays_alone_or_not(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    session = await session_of(people, EMAIL)
    with pytest.raises(SoleOwner):
        await leave(app, session)
    await people.own(OTHER)
    other = await session_of(people, OTHER)
    await join(app, organization, other.user_id, role="admin")
    with pytest.raises(SoleOwner):
        await leave(app, session)
    assert (await people.log_in(EMAIL)).access_token
    assert await written(app, MailKind.ACCOUNT_DELETED) == []


async def test_of_two_owners_who_leave_at_once_one_stays(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    theirs = await people.own(OTHER)
    first, second = await session_of(people, EMAIL), await session_of(people, OTHER)
    await join(app, organization, second.user_id, role="owner")
    await join(app, theirs, first.user_id, role="owner")
    answers = await asyncio.gather(leave(app, first), leave(app, second), return_exceptions=True)
    assert sorted(type(each).__name__ for each in answers) == ["NoneType", "SoleOwner"]
    assert [await owners(app, each) for each in (organization, theirs)] == [1, 1]


async def test_whoever_has_left_leaves_no_more(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    await people.own(OTHER)
    session = await session_of(people, EMAIL)
    await join(app, organization, (await session_of(people, OTHER)).user_id, role="owner")
    await leave(app, session)
    with pytest.raises(Unauthenticated):
        await leave(app, session)
    await people.own(EMAIL)
    assert (await people.log_in(EMAIL)).access_token
