"""Another issuer or client of a connection: what the provider of before vouched for is over."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.challenges import ChallengeInvalid, Factor, PendingLogIn
from auth.domain.connections import Connection
from auth.domain.sessions import EndReason, RefreshTokenInvalid, SessionTokens
from auth.domain.sso import Arrival, Assertion, Attempt, CodeInvalid, new_secret, pkce_challenge
from auth.store import sso as store
from auth.tables import IDENTITIES, SESSIONS
from auth.usecases import connections, own_sessions, sessions, sso_arrivals
from servicekit import ids
from servicekit.identity import Caller

from .conftest import BROWSER, PASSWORD, People
from .holders import Holder
from .providers_of_people import connect, roles_of, with_dns
from .staff import by, hire, log_in
from .test_reach_of_connections import SWANN, VISITOR, arrive

OWNER = "paulette@corp.example"
ANOTHER = pytest.mark.parametrize(
    "another", [{"issuer": "https://login.other.example"}, {"client_id": "another"}], ids=["issuer", "client"]
)


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


async def change(
    app: App, owner: Caller, connection: Connection, *, secret: str = PASSWORD, **another: Any
) -> Connection:
    return await connections.update_connection(
        app,
        owner,
        connection.id,
        replace(connection.provider, **another),
        connection.rules,
        secret=secret,
        domains=[each.name for each in connection.domains],
        by=by(owner),
    )


async def by_way_of(app: App, connection: Connection) -> SessionTokens:
    tokens = await arrive(app, connection, SWANN)
    assert isinstance(tokens, SessionTokens)
    return tokens


async def holds(app: App, tokens: SessionTokens) -> bool:
    try:
        await sessions.refresh_session(app, tokens.refresh_token)
    except RefreshTokenInvalid:
        return False
    return True


@ANOTHER
@pytest.mark.parametrize("of_before", [False, True], ids=["", "that does not say which"])
async def test_another_provider_ends_what_the_one_of_before_has_opened_and_nothing_else(
    app: App, people: People, owner: Caller, connection: Connection, another: Any, *, of_before: bool
) -> None:
    opened, own = await by_way_of(app, connection), await people.log_in(SWANN)
    if of_before:
        async with app.db.begin_platform(reason="make sessions of before in a test") as tx:
            await tx.execute(sa.update(SESSIONS).values(connection_id=None))
    changed = await change(app, owner, connection, **another)
    assert not await holds(app, opened)
    assert (await people.session(opened)).end_reason is EndReason.PROVIDER_CHANGED
    assert await holds(app, own)
    assert (await roles_of(app, owner.tenant))[SWANN] == "host"
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert len((await tx.execute(sa.select(IDENTITIES))).all()) == 1
    assert all(each.verified_at for each in changed.domains)
    assert await holds(app, await by_way_of(app, changed))


@ANOTHER
async def test_own_credentials_do_not_have_the_session_outlive_its_provider(
    app: App, people: People, owner: Caller, connection: Connection, another: Any
) -> None:
    session = await people.session(await by_way_of(app, connection))
    renewed = await own_sessions.reauthenticate(
        app, session.user_id, session.id, password=PASSWORD, by=VISITOR
    )
    await change(app, owner, connection, **another)
    assert not await holds(app, renewed)


async def test_another_name_or_secret_ends_nothing(
    app: App, people: People, owner: Caller, connection: Connection
) -> None:
    second = await connect(app, owner, "second.example")
    tokens = await by_way_of(app, connection)
    await change(app, owner, connection, name="Corporation", secret="another secret")
    await change(app, owner, second, client_id="another")
    assert await holds(app, tokens)


@ANOTHER
async def test_a_second_step_after_the_provider_of_before_opens_nothing(
    app: App, people: People, owner: Caller, another: Any
) -> None:
    swann = await (await Holder.register(app, people, SWANN)).add_totp()
    connection = await connect(app, owner, "corp.example")
    before = await arrive(app, connection, SWANN)
    changed = await change(app, owner, connection, **another)
    after = await arrive(app, changed, SWANN)
    assert isinstance(before, PendingLogIn)
    assert isinstance(after, PendingLogIn)
    await swann.let_codes_pass()
    with pytest.raises(ChallengeInvalid):
        await swann.answer(before, Factor.TOTP, swann.code())
    await swann.let_codes_pass()
    tokens, _ = await swann.answer(after, Factor.TOTP, swann.code())
    assert await holds(app, tokens)


@ANOTHER
async def test_a_code_of_the_provider_of_before_is_traded_for_nothing(
    app: App, owner: Caller, connection: Connection, another: Any
) -> None:
    codes = [await came_back(app, connection) for _ in range(2)]
    tokens = await trade(app, *codes[0])
    assert isinstance(tokens, SessionTokens)
    await change(app, owner, connection, **another)
    with pytest.raises(CodeInvalid):
        await trade(app, *codes[1])


async def came_back(app: App, connection: Connection) -> tuple[str, str]:
    """A code and its verifier, of a browser that was at the connection's provider of now."""
    verifier, name = new_secret(), ids.show("con", connection.id)
    assertion = Assertion(connection.provider.issuer, SWANN, SWANN, "Somebody")
    async with app.db.begin_platform(reason="come back from a provider in a test") as tx:
        attempt = Attempt(
            b"", b"", name, "", b"", pkce_challenge(verifier), "https://book.example.org/in", tx.now
        )
        asked = connection.provider.identity
        code, arrival = Arrival.of(attempt, assertion, tx.now, provider=asked)
        await store.insert_arrival(tx, arrival)
    return code, verifier


async def trade(app: App, code: str, verifier: str) -> SessionTokens | PendingLogIn:
    return await sso_arrivals.trade_code(app, code, verifier, device_token="", by=VISITOR, user_agent=BROWSER)
