"""A session that a connection opened goes on for as long as that connection speaks for its person."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.connections import Connection
from auth.domain.sessions import EndReason, RefreshTokenInvalid, SessionTokens
from auth.domain.sso import SsoRequired
from auth.store import connections as store
from auth.store import members as member_store
from auth.tables import REVOCATIONS, SESSIONS, USERS
from auth.timers import TIMERS
from auth.usecases import connections, own_sessions, sessions
from auth.usecases.domains import LOOK_FOR_DOMAIN
from servicekit import ids
from servicekit.identity import Caller
from testkit import eventually, timers
from testkit.waiting import waiting_for_locks

from .conftest import PASSWORD, People
from .providers_of_people import connect, with_dns
from .staff import by, hire, log_in
from .test_domains_looked_at_again import Dns, look
from .test_reach_of_connections import SWANN, VISITOR, arrive, require

OWNER = "paulette@corp.example"


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


@pytest.fixture
async def connection(app: App, people: People, owner: Caller) -> Connection:
    await hire(people, owner, SWANN)
    return await connect(app, owner, "corp.example")


async def by_way_of(app: App, connection: Connection) -> SessionTokens:
    tokens = await arrive(app, connection, SWANN)
    assert isinstance(tokens, SessionTokens)
    return tokens


async def delete(app: App, owner: Caller, connection: Connection) -> None:
    await connections.delete_connection(app, owner, connection.id, by=by(owner))


async def over(app: App, people: People, tokens: SessionTokens) -> None:
    """Ended, said so in the log, and its access token is revoked."""
    session = await people.session(tokens)
    assert session.end_reason is EndReason.CONNECTION_GONE
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        revoked = set((await tx.execute(sa.select(REVOCATIONS.c.id))).scalars())
    assert session.id in revoked
    said = [each for each in await people.log(session.organization_id) if each.action == "session.revoked"]
    assert (said[-1].target, said[-1].after) == (
        ids.show("ses", session.id),
        {"reason": "connection_gone", "device": "Firefox on Linux"},
    )


async def test_a_session_knows_its_connection_whatever_is_given_since(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    """Own credentials add to the connection, where it is required: they do not take its place."""
    await require(app, owner, connection)
    session = await people.session(await by_way_of(app, connection))
    assert session.connection_id == connection.id
    renewed = await own_sessions.reauthenticate(
        app, session.user_id, session.id, password=PASSWORD, by=VISITOR
    )
    going_on = await people.session(await sessions.refresh_session(app, renewed.refresh_token))
    assert (going_on.connection_id, going_on.methods) == (connection.id, ("pwd",))


@pytest.mark.parametrize("of_before", [False, True])
async def test_whoever_deletes_a_connection_ends_its_sessions_and_no_others(
    app: App, people: People, owner: Caller, connection: Connection, *, of_before: bool
) -> None:
    by_connection, by_password = await by_way_of(app, connection), await people.log_in(SWANN)
    if of_before:
        async with app.db.begin_platform(reason="make sessions of before in a test") as tx:
            await tx.execute(sa.update(SESSIONS).values(connection_id=None))
    assert (await sessions.refresh_session(app, by_connection.refresh_token)).access_token
    await delete(app, owner, connection)
    await over(app, people, by_connection)
    assert (await sessions.refresh_session(app, by_password.refresh_token)).access_token


async def test_own_credentials_do_not_have_the_session_outlive_its_connection(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    session = await people.session(await by_way_of(app, connection))
    renewed = await own_sessions.reauthenticate(
        app, session.user_id, session.id, password=PASSWORD, by=VISITOR
    )
    await delete(app, owner, connection)
    await over(app, people, renewed)


async def test_another_connection_that_is_required_says_so(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    """The first was deleted, since its provider was not to be trusted any more: its sessions went on."""
    tokens = await by_way_of(app, connection)
    await delete(app, owner, connection)
    other = await connect(app, owner, "corp.example")
    await require(app, owner, other)
    await over(app, people, tokens)
    assert (await sessions.refresh_session(app, (await by_way_of(app, other)).refresh_token)).access_token


async def test_whoever_takes_a_domain_from_a_connection_ends_its_sessions(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    tokens = await by_way_of(app, connection)
    await connections.update_connection(
        app,
        owner,
        connection.id,
        connection.provider,
        connection.rules,
        secret="",
        domains=["other.example"],
        by=by(owner),
    )
    await over(app, people, tokens)


async def test_a_lost_domain_ends_the_sessions_of_its_people(
    app: App, people: People, connection: Connection
) -> None:
    dns = Dns(app)
    tokens = await by_way_of(app, connection)
    looking = replace(app, look_up_txt=dns.look_up)
    await look(looking)
    assert (await people.session(tokens)).ended_at is None
    dns.records = False
    await look(looking, times=7)
    assert (await people.session(tokens)).ended_at is None
    (timer,) = await timers.scheduled(app.db, LOOK_FOR_DOMAIN)
    await TIMERS[LOOK_FOR_DOMAIN](looking, timer)
    await over(app, people, tokens)


@pytest.mark.parametrize("required", [False, True])
async def test_a_refresh_asks_whether_the_connection_speaks_for_the_address_by_now(
    app: App, people: People, owner: Caller, connection: Connection, *, required: bool
) -> None:
    """Nobody ends a session when an address changes: its refresh does. Another connection is named."""
    tokens = await by_way_of(app, connection)
    other = await connect(app, owner, "second.example")
    if required:
        await require(app, owner, other)
    session = await people.session(tokens)
    async with app.db.begin_platform(reason="give another address in a test") as tx:
        moved = sa.update(USERS).where(USERS.c.id == session.user_id)
        await tx.execute(moved.values(email="swann@second.example"))
    with pytest.raises(SsoRequired if required else RefreshTokenInvalid) as refused:
        await sessions.refresh_session(app, tokens.refresh_token)
    assert refused.value.metadata.get("connection") == (ids.show("con", other.id) if required else None)
    await over(app, people, tokens)


async def test_a_refresh_that_comes_while_the_connection_is_deleted_sees_that(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    tokens = await by_way_of(app, connection)
    session = await people.session(tokens)
    async with app.db.begin_platform(reason="hold a session in a test") as tx:
        await tx.execute(sa.select(SESSIONS).where(SESSIONS.c.id == session.id).with_for_update())
        refreshing = asyncio.create_task(sessions.refresh_session(app, tokens.refresh_token))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        async with app.db.begin_platform(reason="delete a connection in a test") as deleting:
            await member_store.lock_organization(deleting, owner.tenant)
            await store.delete_connection(deleting, connection)
    with pytest.raises(RefreshTokenInvalid):
        await refreshing
    await over(app, people, tokens)


async def test_a_deletion_that_comes_while_the_session_is_refreshed_ends_it(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    """The other order: what the refresh hands out is of a session that is over right after."""
    tokens = await by_way_of(app, connection)
    session = await people.session(tokens)
    async with app.db.begin_platform(reason="refresh a session in a test") as tx:
        await tx.execute(sa.select(SESSIONS).where(SESSIONS.c.id == session.id).with_for_update())
        deleting = asyncio.create_task(delete(app, owner, connection))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        await tx.execute(sa.update(SESSIONS).where(SESSIONS.c.id == session.id).values(counter=1))
    await deleting
    await over(app, people, tokens)


async def test_refreshes_and_a_deletion_at_once_leave_nothing_that_goes_on(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    opened = [await by_way_of(app, connection) for _ in range(6)]
    answers = await asyncio.gather(
        *(sessions.refresh_session(app, each.refresh_token) for each in opened[:3]),
        delete(app, owner, connection),
        *(sessions.refresh_session(app, each.refresh_token) for each in opened[3:]),
        return_exceptions=True,
    )
    assert {type(each) for each in answers} <= {SessionTokens, RefreshTokenInvalid, type(None)}
    for each in opened:
        assert (await people.session(each)).end_reason is EndReason.CONNECTION_GONE
