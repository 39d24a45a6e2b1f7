"""How far an organization's connection reaches: into that organization, by whatever steps, and no further."""

from dataclasses import replace

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import ActorKind, Author
from auth.domain.challenges import ChallengeInvalid, Factor, PendingLogIn
from auth.domain.connections import Connection
from auth.domain.roles import OwnersOnly
from auth.domain.sessions import SessionTokens
from auth.domain.sso import Arrival, Assertion, Attempt, SsoRequired, new_secret, pkce_challenge
from auth.store import accounts
from auth.store import sso as store
from auth.usecases import addresses, connections, organizations, own_sessions, sessions, sso_arrivals
from servicekit import ids
from servicekit.errors import FreshAuthenticationRequired
from servicekit.identity import Caller
from servicekit.permissions import BY_CONNECTION

from .conftest import BROWSER, PASSWORD, PLACE, People
from .holders import Holder
from .mailbox import the_only
from .providers_of_people import connect, with_dns
from .staff import by, hire, log_in, own_role

OWNER = "paulette@corp.example"
SWANN = "swann@corp.example"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def arrive(app: App, connection: Connection, email: str) -> SessionTokens | PendingLogIn:
    """A log-in by a connection, from where the browser is back from its provider."""
    verifier, name = new_secret(), ids.show("con", connection.id)
    assertion = Assertion(connection.provider.issuer, email, email, "Somebody")
    async with app.db.begin_platform(reason="come back from a provider in a test") as tx:
        challenge = pkce_challenge(verifier)
        attempt = Attempt(b"", b"", name, "", b"", challenge, "https://book.example.org/in", tx.now)
        code, arrival = Arrival.of(attempt, assertion, tx.now)
        await store.insert_arrival(tx, arrival)
    return await sso_arrivals.trade_code(app, code, verifier, device_token="", by=VISITOR, user_agent=BROWSER)


async def with_factor(app: App, people: People) -> Holder:
    """Swann, who has an organization of his own, which is older than his membership, and a second factor."""
    return await (await Holder.register(app, people, SWANN)).add_totp()


async def test_the_second_step_leads_into_the_organization_of_the_connection(
    app: App, people: People, owner: Caller
) -> None:
    swann = await with_factor(app, people)
    pending = await arrive(app, await connect(app, owner, "corp.example"), SWANN)
    assert isinstance(pending, PendingLogIn)
    await swann.let_codes_pass()
    tokens, _ = await swann.answer(pending, Factor.TOTP, swann.code())
    session = await people.session(tokens)
    assert (session.organization_id, session.methods) == (owner.tenant, (BY_CONNECTION, "otp"))


async def test_a_connection_that_is_gone_at_the_second_step_opens_nothing(
    app: App, people: People, owner: Caller
) -> None:
    swann = await with_factor(app, people)
    connection = await connect(app, owner, "corp.example")
    pending = await arrive(app, connection, SWANN)
    assert isinstance(pending, PendingLogIn)
    await connections.delete_connection(app, owner, connection.id, by=by(owner))
    await swann.let_codes_pass()
    with pytest.raises(ChallengeInvalid):
        await swann.answer(pending, Factor.TOTP, swann.code())


async def test_a_password_whose_second_step_comes_after_sso_was_required_opens_nothing(
    app: App, people: People, owner: Caller
) -> None:
    member = await hire(people, owner, SWANN)
    assert member.user is not None
    swann = await Holder(app, member.user, SWANN).add_totp()
    connection = await connect(app, owner, "corp.example")
    pending = await sessions.log_in(app, SWANN, PASSWORD, by=VISITOR, user_agent=BROWSER)
    assert isinstance(pending, PendingLogIn)
    await require(app, owner, connection)
    await swann.let_codes_pass()
    with pytest.raises(SsoRequired):
        await swann.answer(pending, Factor.TOTP, swann.code())


async def test_a_connection_vouches_in_no_other_organization_until_own_credentials_are_given(
    app: App, people: People, owner: Caller
) -> None:
    private = await people.own(SWANN)
    tokens = await arrive(app, await connect(app, owner, "corp.example"), SWANN)
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)

    async def switch() -> SessionTokens:
        return await organizations.switch_organization(
            app, session.user_id, session.id, private, by=VISITOR, user_agent=BROWSER
        )

    with pytest.raises(FreshAuthenticationRequired):
        await switch()
    await own_sessions.reauthenticate(app, session.user_id, session.id, password=PASSWORD, by=VISITOR)
    switched = await people.session(await switch())
    assert (switched.organization_id, switched.methods) == (private, ("pwd",))


async def test_an_own_factor_beside_the_connection_is_not_enough_to_go_elsewhere(
    app: App, people: People, owner: Caller
) -> None:
    swann = await with_factor(app, people)
    pending = await arrive(app, await connect(app, owner, "corp.example"), SWANN)
    assert isinstance(pending, PendingLogIn)
    await swann.let_codes_pass()
    tokens, _ = await swann.answer(pending, Factor.TOTP, swann.code())
    session = await people.session(tokens)
    async with app.db.begin_platform(reason="look for an organization in a test") as tx:
        oldest = await accounts.find_first_organization(tx, swann.user)
    assert oldest is not None
    with pytest.raises(FreshAuthenticationRequired):
        await organizations.switch_organization(
            app, swann.user, session.id, oldest, by=VISITOR, user_agent=BROWSER
        )


async def require(app: App, owner: Caller, connection: Connection) -> None:
    """From now on members of the domain log in by the connection alone."""
    await connections.update_connection(
        app,
        owner,
        connection.id,
        connection.provider,
        replace(connection.rules, required=True),
        secret="",
        domains=[each.name for each in connection.domains],
        by=by(owner),
    )


async def test_sessions_of_before_end_when_the_connection_is_required(
    app: App, people: People, owner: Caller
) -> None:
    private = await people.own(SWANN)
    await hire(people, owner, SWANN)
    elsewhere = await people.log_in(SWANN)
    at_home = await people.session(elsewhere)
    assert at_home.organization_id == private

    async def switch() -> SessionTokens:
        return await organizations.switch_organization(
            app, at_home.user_id, at_home.id, owner.tenant, by=VISITOR, user_agent=BROWSER
        )

    before = await switch()
    connection = await connect(app, owner, "corp.example")
    by_connection = await arrive(app, connection, SWANN)
    assert isinstance(by_connection, SessionTokens)
    await require(app, owner, connection)
    with pytest.raises(SsoRequired):
        await sessions.refresh_session(app, before.refresh_token)
    with pytest.raises(SsoRequired):
        await switch()
    for tokens in (by_connection, elsewhere):
        assert (await sessions.refresh_session(app, tokens.refresh_token)).access_token


async def test_nobody_leaves_a_required_connection_by_another_address(
    app: App, people: People, owner: Caller
) -> None:
    swann = await hire(people, owner, SWANN)
    assert swann.user is not None
    connection = await connect(app, owner, "corp.example")
    await addresses.ask_to_change_email(app, swann.user, "swann@private.example", by=VISITOR)
    link = (await the_only(app, MailKind.EMAIL_CHANGE)).token
    await require(app, owner, connection)
    with pytest.raises(SsoRequired):
        await addresses.confirm_email_change(app, link, by=VISITOR)
    with pytest.raises(SsoRequired):
        await addresses.ask_to_change_email(app, swann.user, "swann@private.example", by=VISITOR)
    await addresses.ask_to_change_email(app, swann.user, "charles@corp.example", by=VISITOR)
    link = (await the_only(app, MailKind.EMAIL_CHANGE)).token
    await addresses.confirm_email_change(app, link, by=VISITOR)


async def test_a_role_of_ones_own_sets_up_no_connection(app: App, people: People, owner: Caller) -> None:
    """Whoever runs the provider of a domain is in as everybody of it, owners too."""
    connection = await connect(app, owner, "corp.example")
    role = await own_role(app, owner, "Computers", "organization.write", "venues.read")
    swann = await hire(people, owner, SWANN, ids.show("rol", role.id))
    assert "organization.write" in swann.permissions
    with pytest.raises(OwnersOnly):
        await connect(app, swann, "other.example")
    with pytest.raises(OwnersOnly):
        await require(app, swann, connection)
    with pytest.raises(OwnersOnly):
        await connections.verify_domains(app, swann, connection.id, by=by(swann))
    with pytest.raises(OwnersOnly):
        await connections.delete_connection(app, swann, connection.id, by=by(swann))
