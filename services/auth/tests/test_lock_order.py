"""Whoever changes memberships and whoever ends or opens sessions wait for each other, never in a circle."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from auth.app import App
from auth.domain.audit import Author
from auth.domain.connections import Connection
from auth.store import grants, scim_tokens
from auth.store import members as member_store
from auth.store import people as people_store
from auth.store import sessions as session_store
from auth.usecases import members
from auth.usecases import scim_tokens as token_cases
from servicekit.identity import Caller
from testkit.waiting import eventually, waiting_for_locks

from .conftest import People
from .providers_of_people import connect, token_of, with_dns
from .staff import by, hire, log_in

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def test_a_switch_into_an_organization_beside_a_change_of_oneself_there(
    app: App, people: People, owner: Caller
) -> None:
    """It holds the membership and wants the session; the change must not hold the session by then."""
    admin = await hire(people, owner, SWANN, "admin")
    assert admin.user is not None
    assert admin.session is not None
    async with app.db.begin_platform(reason="switch slowly in a test") as tx:
        await grants.hold_grant(tx, admin.tenant, admin.user)
        changing = asyncio.create_task(
            members.update_member(app, admin, admin.user, role="host", venues=frozenset(), by=by(admin))
        )
        assert await eventually(lambda: waiting_for_locks(app.db))
        assert await session_store.lock_session(tx, admin.session) is not None
    changed, _ = await changing
    assert changed.grant.role == "host"


@pytest.mark.parametrize("act", ["rotate", "revoke"])
async def test_the_end_of_a_connection_beside_its_token(
    app: App, people: People, owner: Caller, act: str
) -> None:
    """It holds the organization and the token, and wants the sessions that the connection has opened."""
    connection = await connect(app, owner, "corp.example")
    await token_of(app, owner, connection)
    assert owner.session is not None
    async with app.db.begin_platform(reason="delete a connection slowly in a test") as tx:
        await member_store.lock_organization(tx, owner.tenant)
        assert await scim_tokens.lock_token(tx, owner.tenant, connection.id) is not None
        acting = asyncio.create_task(_act(app, owner, connection, act))
        assert await eventually(lambda: waiting_for_locks(app.db))
        assert await session_store.lock_session(tx, owner.session) is not None
    await acting


async def test_deleting_the_account_beside_a_change_of_oneself(
    app: App, people: People, owner: Caller
) -> None:
    """Deleting locks the organizations before memberships and sessions: so the change waits there."""
    admin = await hire(people, owner, SWANN, "admin")
    assert admin.user is not None
    assert admin.session is not None
    async with app.db.begin_platform(reason="delete an account slowly in a test") as tx:
        await people_store.lock_user(tx, admin.user)
        await people_store.lock_owned_alone(tx, admin.user)
        changing = asyncio.create_task(
            members.update_member(app, admin, admin.user, role="host", venues=frozenset(), by=by(admin))
        )
        assert await eventually(lambda: waiting_for_locks(app.db))
        await people_store.lock_memberships(tx, admin.user)
        await session_store.lock_sessions(tx, admin.user)
    await changing


async def _act(app: App, owner: Caller, connection: Connection, act: str) -> None:
    if act == "rotate":
        await token_cases.rotate_token(app, owner, connection.id, grace=timedelta(0), by=author(owner))
    else:
        await token_cases.revoke_token(app, owner, connection.id, by=author(owner))


def author(owner: Caller) -> Author:
    """With the session, as servicers say it."""
    return replace(by(owner), session=owner.session)
