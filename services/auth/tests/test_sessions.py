"""Refreshing, logging out and who one is, on a real database."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.members import NoOrganization
from auth.domain.sessions import (
    EndReason,
    RefreshToken,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionNotFound,
)
from auth.store import sessions as store
from auth.tables import MEMBERSHIPS, SESSIONS
from auth.usecases import own_sessions, sessions
from servicekit import ids
from servicekit.errors import Unauthenticated
from testkit import eventually
from testkit.waiting import waiting_for_locks

from .conftest import People
from .test_tokens import read

EMAIL = "paulette@example.org"


async def log_out(app: App, user: UUID, session: UUID) -> None:
    by = Author(ActorKind.USER, user)
    await own_sessions.end_session(app, user, session, reason=EndReason.LOGGED_OUT, by=by)


async def test_each_refresh_gives_a_new_pair(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    seen = {tokens.refresh_token}
    for counter in range(1, 5):
        tokens = await sessions.refresh_session(app, tokens.refresh_token)
        assert RefreshToken.parse(tokens.refresh_token).counter == counter
        seen.add(tokens.refresh_token)
    assert len(seen) == 5


async def test_a_client_that_lost_the_answer_gets_the_newest_token_again(app: App, people: People) -> None:
    await people.own(EMAIL)
    first = await people.log_in(EMAIL)
    second = await sessions.refresh_session(app, first.refresh_token)
    again = await sessions.refresh_session(app, first.refresh_token)
    assert again.refresh_token == second.refresh_token
    assert again.access_token != second.access_token
    assert (await people.session(again)).counter == 1


async def test_a_token_two_generations_old_ends_the_session(app: App, people: People) -> None:
    await people.own(EMAIL)
    stolen = await people.log_in(EMAIL)
    second = await sessions.refresh_session(app, stolen.refresh_token)
    third = await sessions.refresh_session(app, second.refresh_token)
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, stolen.refresh_token)
    for tokens in (stolen, second, third):
        with pytest.raises(RefreshTokenInvalid):
            await sessions.refresh_session(app, tokens.refresh_token)
    assert (await people.session(third)).ended_at is not None


async def test_many_tabs_refreshing_at_once_make_one_step(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    for step in (1, 2, 3):
        answers = await asyncio.gather(
            *(sessions.refresh_session(app, tokens.refresh_token) for _ in range(25))
        )
        assert len({each.refresh_token for each in answers}) == 1
        tokens = answers[0]
        assert (await people.session(tokens)).counter == step


async def test_a_refresh_waits_for_the_one_before_it(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    session_id = RefreshToken.parse(tokens.refresh_token).session_id
    async with app.db.begin_platform(reason="hold a session in a test") as tx:
        found = await store.lock_session(tx, session_id)
        assert found is not None
        waiting = asyncio.create_task(sessions.refresh_session(app, tokens.refresh_token))
        blocked: Callable[[], Any] = partial(waiting_for_locks, app.db)
        assert await eventually(blocked)
        assert not waiting.done()
        held = found[0].trade(0, now=tx.now, idle=app.lifetimes.idle)
        await store.save_session(tx, held)
    assert (await waiting).refresh_token == app.keyring.refresh_token(held)
    assert (await people.session(tokens)).counter == 1


async def test_without_the_lock_the_counter_would_go_back(app: App, people: People) -> None:
    """The control of the test above: the same steps on a row that was read without the lock."""
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    session_id = RefreshToken.parse(tokens.refresh_token).session_id
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        row = (await tx.execute(sa.select(SESSIONS).where(SESSIONS.c.id == session_id))).mappings().one()
        unlocked = Session(**dict(row))
        newest = await sessions.refresh_session(app, tokens.refresh_token)
        newest = await sessions.refresh_session(app, newest.refresh_token)
        await store.save_session(tx, unlocked.trade(0, now=tx.now, idle=app.lifetimes.idle))
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, newest.refresh_token)


async def test_tokens_that_we_did_not_make_are_refused(app: App, people: People) -> None:
    await people.own(EMAIL)
    mine = RefreshToken.parse((await people.log_in(EMAIL)).refresh_token)
    other = RefreshToken.parse((await people.log_in(EMAIL)).refresh_token)
    session = await people.session(await people.log_in(EMAIL))
    right_key = app.keyring.refresh_keys(session)[0]
    forged = [
        RefreshToken(mine.session_id, 0, other.mac),
        RefreshToken.sign(mine.session_id, 0, b"a guessed key"),
        RefreshToken.sign(ids.new(), 0, right_key),
        RefreshToken.sign(session.id, 1, right_key),
    ]
    for token in forged:
        with pytest.raises(RefreshTokenInvalid):
            await sessions.refresh_session(app, token.text())
    assert (await sessions.refresh_session(app, mine.text())).refresh_token


@pytest.mark.parametrize(("unused", "holds"), [(timedelta(days=6), True), (timedelta(days=7), False)])
async def test_a_session_holds_for_a_week_unused(
    app: App, people: People, unused: timedelta, *, holds: bool
) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    await people.age_sessions(unused)
    if holds:
        assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token
    else:
        with pytest.raises(RefreshTokenInvalid):
            await sessions.refresh_session(app, tokens.refresh_token)


async def test_a_refresh_carries_the_role_of_today(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    async with app.db.begin(organization) as tx:
        await tx.execute(sa.update(MEMBERSHIPS).values(role="viewer"))
    tokens = await sessions.refresh_session(app, tokens.refresh_token)
    (public,) = json.loads(app.keyring.public_set())["keys"]
    _, claims = read(tokens.access_token, public)
    assert claims["role"] == "viewer"
    assert "bookings.write" not in claims["scope"].split()


async def test_whoever_left_the_organization_cannot_refresh_nor_log_in(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    async with app.db.begin(organization) as tx:
        await tx.execute(sa.delete(MEMBERSHIPS))
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    with pytest.raises(NoOrganization):
        await people.log_in(EMAIL)


async def test_logging_out_ends_the_session_and_doing_so_again_changes_nothing(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    tokens, elsewhere = await people.log_in(EMAIL), await people.log_in(EMAIL)
    session = await people.session(tokens)
    await log_out(app, session.user_id, session.id)
    ended = await people.session(tokens)
    await log_out(app, session.user_id, session.id)
    assert await people.session(tokens) == ended
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    assert (await sessions.refresh_session(app, elsewhere.refresh_token)).access_token


async def test_nobody_logs_somebody_else_out(app: App, people: People) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    tokens = await people.log_in(EMAIL)
    session = await people.session(tokens)
    stranger = (await people.session(await people.log_in("marcel@example.org"))).user_id
    for user in (ids.new(), stranger):
        with pytest.raises(SessionNotFound):
            await log_out(app, user, session.id)
    assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token


async def test_a_profile_is_that_of_the_member_in_the_organization(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    foreign = await people.own("marcel@example.org")
    user = (await people.session(await people.log_in(EMAIL))).user_id
    profile = await sessions.get_profile(app, organization, user)
    assert (profile.email, profile.display_name, profile.grant.role) == (EMAIL, "Paulette", "owner")
    assert profile.organization_name == "Chez Paulette"
    with pytest.raises(Unauthenticated):
        await sessions.get_profile(app, foreign, user)
