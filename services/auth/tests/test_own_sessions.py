"""Looking at one's sessions, ending them, giving the password anew, and what gateways are told."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.audit import ActorKind, Author
from auth.domain.sessions import (
    REUSE_INTERVAL,
    EndReason,
    RefreshTokenInvalid,
    RefreshTokenReused,
    Session,
    SessionNotFound,
    SessionTokens,
)
from auth.servicer import servicers
from auth.tables import REVOCATIONS, SESSIONS
from auth.usecases import own_sessions, sessions
from comptoir.auth.v1 import account_pb2, session_pb2
from comptoir.auth.v1.account_pb2_grpc import AccountServiceStub
from comptoir.auth.v1.session_pb2_grpc import SessionDirectoryServiceStub, SessionServiceStub
from servicekit import ids, paging
from servicekit.errors import AppError, InvalidPageToken, Unauthenticated
from servicekit.identity import Caller
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import BROWSER, PASSWORD, PLACE, People
from .test_tokens import read

EMAIL = "paulette@example.org"
WRONG = "a guess and another"


@pytest.fixture
async def edge(app: App, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("auth", servicers(app), app.db)


def by(session: Session) -> Author:
    return Author(ActorKind.USER, session.user_id, address=PLACE)


def in_session(session: Session) -> Caller:
    return replace(member(session.organization_id), user=session.user_id, session=session.id)


async def revoked(app: App) -> set[UUID]:
    return set((await own_sessions.list_revocations(app, None))[0])


async def end(app: App, session: Session, reason: EndReason = EndReason.REVOKED) -> None:
    await own_sessions.end_session(app, session.user_id, session.id, reason=reason, by=by(session))


def claims_of(app: App, tokens: SessionTokens) -> dict[str, Any]:
    (public,) = json.loads(app.keyring.public_set())["keys"]
    return read(tokens.access_token, public)[1]


async def test_a_log_in_says_how_when_and_from_where(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    session = await people.session(tokens)
    assert (session.methods, session.device, session.address) == (("pwd",), "Firefox on Linux", PLACE)
    assert session.authenticated_at == session.created_at
    claims = claims_of(app, tokens)
    assert (claims["amr"], claims["auth_time"]) == (["pwd"], int(session.created_at.timestamp()))
    columns = {column.name for column in SESSIONS.c}
    assert "user_agent" not in columns


async def test_one_sees_the_sessions_that_hold_and_which_is_the_own(
    app: App, people: People, edge: Edge
) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    await people.log_in("marcel@example.org")
    over = await people.session(await people.log_in(EMAIL))
    older = await people.session(await people.log_in(EMAIL, address="198.51.100.9"))
    mine = await people.session(await people.log_in(EMAIL))
    await end(app, over)
    shown = await edge.call(
        SessionServiceStub, "ListSessions", session_pb2.ListSessionsRequest(), caller=in_session(mine)
    )
    assert [each.id for each in shown.items] == [ids.show("ses", each.id) for each in (mine, older)]
    assert [each.current for each in shown.items] == [True, False]
    assert [each.address for each in shown.items] == [PLACE, "198.51.100.9"]
    assert {each.device for each in shown.items} == {"Firefox on Linux"}
    assert shown.items[0].created_at.ToMicroseconds() == int(mine.created_at.timestamp() * 1e6)
    assert shown.items[0].methods == ["pwd"]
    assert shown.next_page_token == ""


async def test_sessions_come_in_pages(app: App, people: People) -> None:
    await people.own(EMAIL)
    opened = [await people.session(await people.log_in(EMAIL)) for _ in range(3)]
    user = opened[0].user_id
    first, token = await own_sessions.list_sessions(app, user, paging.page(2, "", keys=1))
    rest, last = await own_sessions.list_sessions(app, user, paging.page(2, token, keys=1))
    assert [each.id for each in (*first, *rest)] == [each.id for each in reversed(opened)]
    assert last == ""
    nonsense = paging.page(2, paging.page(2, "", keys=1).next_token(["nonsense"]), keys=1)
    with pytest.raises(InvalidPageToken):
        await own_sessions.list_sessions(app, user, nonsense)


@pytest.mark.parametrize("unused", [timedelta(days=7), timedelta(days=31)])
async def test_sessions_that_ran_out_are_not_shown(app: App, people: People, unused: timedelta) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await people.age_sessions(unused)
    assert await own_sessions.list_sessions(app, session.user_id, paging.page(0, "", keys=1)) == ([], "")


async def test_a_revoked_session_neither_refreshes_nor_passes_a_gateway(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens, elsewhere = await people.log_in(EMAIL), await people.log_in(EMAIL)
    session = await people.session(tokens)
    assert await revoked(app) == set()
    await end(app, session)
    assert await revoked(app) == {session.id}
    ended = await people.session(tokens)
    assert (ended.ended_at is not None, ended.end_reason) == (True, EndReason.REVOKED)
    await end(app, session, EndReason.LOGGED_OUT)
    assert await people.session(tokens) == ended
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, tokens.refresh_token)
    assert (await sessions.refresh_session(app, elsewhere.refresh_token)).access_token


async def test_the_session_of_a_stolen_token_is_revoked(app: App, people: People) -> None:
    await people.own(EMAIL)
    stolen = await people.log_in(EMAIL)
    tokens = await sessions.refresh_session(app, stolen.refresh_token)
    await sessions.refresh_session(app, tokens.refresh_token)
    await people.age_sessions(REUSE_INTERVAL)
    with pytest.raises(RefreshTokenReused):
        await sessions.refresh_session(app, stolen.refresh_token)
    session = await people.session(stolen)
    assert session.end_reason is EndReason.TOKEN_REUSED
    assert await revoked(app) == {session.id}


async def test_nobody_ends_a_foreign_session_and_it_looks_like_none(
    app: App, people: People, edge: Edge
) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    tokens = await people.log_in(EMAIL)
    theirs = await people.session(tokens)
    marcel = in_session(await people.session(await people.log_in("marcel@example.org")))
    told = set()
    for text in (ids.show("ses", theirs.id), ids.show("ses", ids.new()), "org_nonsense"):
        request = session_pb2.RevokeSessionRequest(session_id=text)
        with pytest.raises(AppError) as caught:
            await edge.call(SessionServiceStub, "RevokeSession", request, caller=marcel)
        told.add((caught.value.reason, caught.value.kind.http_status, caught.value.detail))
    assert told == {("SESSION_NOT_FOUND", 404, SessionNotFound.detail)}
    assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token


@pytest.mark.parametrize("keep", [True, False])
async def test_logging_out_everywhere_ends_all_but_the_one_to_keep(
    app: App, people: People, edge: Edge, *, keep: bool
) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    foreign = await people.log_in("marcel@example.org")
    present, *others = [await people.log_in(EMAIL) for _ in range(3)]
    caller = in_session(await people.session(present))
    request = session_pb2.LogOutEverywhereRequest(keep_current=keep)
    answer = await edge.call(SessionServiceStub, "LogOutEverywhere", request, caller=caller)
    over = others if keep else [present, *others]
    assert answer.ended == len(over)
    assert await revoked(app) == {(await people.session(each)).id for each in over}
    assert {(await people.session(each)).end_reason for each in over} == {EndReason.LOGGED_OUT_EVERYWHERE}
    assert (await sessions.refresh_session(app, foreign.refresh_token)).access_token
    if keep:
        assert (await sessions.refresh_session(app, present.refresh_token)).access_token


async def test_two_who_log_out_everywhere_at_once_end_each_session_once(app: App, people: People) -> None:
    await people.own(EMAIL)
    opened = [await people.session(await people.log_in(EMAIL)) for _ in range(4)]
    user = opened[0].user_id
    ended = await asyncio.gather(
        *(own_sessions.log_out_everywhere(app, user, keep=None, by=by(opened[0])) for _ in range(4))
    )
    assert sum(ended) == 4
    log = await people.log(opened[0].organization_id)
    assert sum(each.action == "session.revoked" for each in log) == 4


async def test_the_password_given_anew_is_fresh_and_steps_the_session(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    await people.age_sessions(timedelta(hours=2))
    old = await people.session(tokens)
    stale = claims_of(app, await sessions.refresh_session(app, tokens.refresh_token))
    assert stale["iat"] - stale["auth_time"] >= 7200
    renewed = await own_sessions.reauthenticate(app, old.user_id, old.id, password=PASSWORD, by=by(old))
    claims = claims_of(app, renewed)
    assert claims["sid"] == str(old.id)
    assert 0 <= claims["iat"] - claims["auth_time"] <= 1
    session = await people.session(renewed)
    assert session.authenticated_at - old.authenticated_at >= timedelta(hours=2)
    assert session.counter == 2
    again = claims_of(app, await sessions.refresh_session(app, renewed.refresh_token))
    assert again["auth_time"] == claims["auth_time"]


async def test_another_password_renews_nothing_and_is_counted(app: App, people: People) -> None:
    await people.own(EMAIL)
    tokens = await people.log_in(EMAIL)
    session = await people.session(tokens)

    async def attempt(password: str) -> None:
        await own_sessions.reauthenticate(app, session.user_id, session.id, password=password, by=by(session))

    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await attempt(WRONG)
    for password in (WRONG, PASSWORD):
        with pytest.raises(TooManyAttempts):
            await attempt(password)
    assert await people.session(tokens) == session
    await people.log_in(EMAIL)  # whoever guesses in a session locks nobody out elsewhere


async def test_who_gives_the_password_must_be_in_the_session(app: App, people: People) -> None:
    await people.own(EMAIL)
    await people.own("marcel@example.org")
    session = await people.session(await people.log_in(EMAIL))
    other = await people.session(await people.log_in("marcel@example.org"))
    for user, session_id in ((session.user_id, other.id), (ids.new(), session.id)):
        with pytest.raises(Unauthenticated):
            await own_sessions.reauthenticate(app, user, session_id, password=PASSWORD, by=by(session))
    await end(app, session)
    with pytest.raises(Unauthenticated):
        await own_sessions.reauthenticate(app, session.user_id, session.id, password=PASSWORD, by=by(session))


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("ListSessions", session_pb2.ListSessionsRequest()),
        ("RevokeSession", session_pb2.RevokeSessionRequest(session_id="ses_x")),
        ("LogOutEverywhere", session_pb2.LogOutEverywhereRequest()),
        ("Reauthenticate", session_pb2.ReauthenticateRequest(password=PASSWORD)),
    ],
)
async def test_neither_keys_nor_operators_handle_the_sessions_of_people(
    people: People, edge: Edge, method: str, request_: Any
) -> None:
    await people.own(EMAIL)
    mine = in_session(await people.session(await people.log_in(EMAIL)))
    key, operator = replace(mine, session=None, key=ids.new()), replace(mine, operator=ids.new())
    for caller in (key, operator):
        with pytest.raises(AppError) as caught:
            await edge.call(SessionServiceStub, method, request_, caller=caller)
        assert caught.value.reason == "PERMISSION_DENIED"


async def test_the_edge_names_the_device_and_takes_the_password_anew(people: People, edge: Edge) -> None:
    await people.own(EMAIL)
    login = account_pb2.LogInRequest(email=EMAIL, password=PASSWORD)
    visitor = replace(anonymous(), address=PLACE)
    answer = await edge.call(AccountServiceStub, "LogIn", login, caller=visitor, user_agent=BROWSER)
    tokens = SessionTokens(answer.tokens.access_token, answer.tokens.refresh_token, answer.tokens.expires_in)
    session = await people.session(tokens)
    assert (session.device, session.address) == ("Firefox on Linux", PLACE)
    renewed = await edge.call(
        SessionServiceStub,
        "Reauthenticate",
        session_pb2.ReauthenticateRequest(password=PASSWORD),
        caller=replace(in_session(session), address=PLACE),
    )
    assert renewed.tokens.access_token
    assert renewed.tokens.refresh_token != tokens.refresh_token


async def test_gateways_learn_what_was_revoked_since_they_asked(app: App, people: People, edge: Edge) -> None:
    await people.own(EMAIL)
    first, second = [await people.session(await people.log_in(EMAIL)) for _ in range(2)]

    async def ask(request: session_pb2.ListRevocationsRequest) -> Any:
        return await edge.call(
            SessionDirectoryServiceStub, "ListRevocations", request, caller=service("gateway")
        )

    await end(app, first)
    told = await ask(session_pb2.ListRevocationsRequest())
    assert list(told.ids) == [first.id.bytes]
    await people.age(REVOCATIONS, timedelta(seconds=30))
    await end(app, second)
    assert list((await ask(session_pb2.ListRevocationsRequest(since=told.as_of))).ids) == [second.id.bytes]
    await people.age(REVOCATIONS, timedelta(minutes=12))
    assert list((await ask(session_pb2.ListRevocationsRequest())).ids) == []


async def test_revocations_that_are_over_are_swept(app: App, people: People) -> None:
    await people.own(EMAIL)
    first, second = [await people.session(await people.log_in(EMAIL)) for _ in range(2)]
    await end(app, first)
    await people.age(REVOCATIONS, timedelta(hours=3))
    await end(app, second)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.select(REVOCATIONS.c.id))).scalars().all() == [second.id]
