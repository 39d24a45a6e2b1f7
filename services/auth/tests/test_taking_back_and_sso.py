"""Taking an address back leads nobody around a connection that an organization requires."""

from dataclasses import replace
from uuid import UUID

import pytest

from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.audit import Action, ActorKind, Author
from auth.domain.connections import Connection
from auth.domain.members import OrganizationNotFound
from auth.domain.sessions import SessionTokens
from auth.domain.sso import SsoRequired
from auth.store import members as member_store
from auth.usecases import addresses, connections, credentials, organizations, sessions
from servicekit.identity import Caller

from .conftest import BROWSER, PASSWORD, PLACE, People
from .mailbox import the_only, written
from .providers_of_people import connect, with_dns
from .staff import by, hire, log_in

OWNER = "paulette@corp.example"
PRIVATE, CAPTURED = "swann@private.example", "swann@corp.example"
VISITOR = Author(ActorKind.NOBODY, address=PLACE)


@pytest.fixture
def app(app: App) -> App:
    return with_dns(app)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def move(app: App, user: UUID, email: str) -> str:
    """Moves the account; answers the token that takes it back."""
    await addresses.ask_to_change_email(app, user, email, by=VISITOR)
    await addresses.confirm_email_change(app, (await the_only(app, MailKind.EMAIL_CHANGE)).token, by=VISITOR)
    return (await written(app, MailKind.EMAIL_CHANGED))[-1].token


async def require(app: App, owner: Caller, connection: Connection) -> None:
    """Only the connection leads its people into the organization."""
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


async def captured(app: App, people: People, owner: Caller, *domains: str) -> tuple[UUID, UUID, str]:
    """A member, with an organization of their own, who moved under the required connection.

    Answers them, their own organization, and the token that takes the address back.
    """
    private = await people.own(PRIVATE)
    user = (await hire(people, owner, PRIVATE)).user
    assert user is not None
    await require(app, owner, await connect(app, owner, *domains))
    token = await move(app, user, CAPTURED)
    with pytest.raises(SsoRequired):
        await sessions.log_in(app, CAPTURED, PASSWORD, by=VISITOR, user_agent=BROWSER)
    return user, private, token


async def is_member(app: App, organization: UUID, user: UUID) -> bool:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return await member_store.lock_member(tx, organization, user) is not None


async def test_whoever_takes_their_address_back_has_no_password_session_where_sso_is_required(
    app: App, people: People, owner: Caller
) -> None:
    user, private, token = await captured(app, people, owner, "corp.example")
    await addresses.revert_email_change(app, token, by=VISITOR)
    reset = (await written(app, MailKind.PASSWORD_RESET))[-1]
    await credentials.reset_password(app, reset.token, new=PASSWORD + "!", by=VISITOR)
    tokens = await sessions.log_in(app, PRIVATE, PASSWORD + "!", by=VISITOR, user_agent=BROWSER)
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    assert session.organization_id == private
    with pytest.raises(OrganizationNotFound):
        await organizations.switch_organization(
            app, user, session.id, owner.tenant, by=VISITOR, user_agent=BROWSER
        )
    assert not await is_member(app, owner.tenant, user)
    last = (await people.log(owner.tenant))[-1]
    assert (last.action, last.before) == (Action.MEMBER_REMOVED, {"role": "host", "api_keys": 0})


async def test_an_address_that_the_connection_speaks_for_as_well_keeps_the_member(
    app: App, people: People, owner: Caller
) -> None:
    user, _, token = await captured(app, people, owner, "corp.example", "private.example")
    await addresses.revert_email_change(app, token, by=VISITOR)
    assert await is_member(app, owner.tenant, user)


async def test_a_connection_that_is_not_required_keeps_the_member(
    app: App, people: People, owner: Caller
) -> None:
    await people.own(PRIVATE)
    user = (await hire(people, owner, PRIVATE)).user
    assert user is not None
    await connect(app, owner, "corp.example")
    token = await move(app, user, CAPTURED)
    await addresses.revert_email_change(app, token, by=VISITOR)
    assert await is_member(app, owner.tenant, user)


async def test_owners_stay(app: App, people: People, owner: Caller) -> None:
    await people.own(PRIVATE)
    other = await log_in(people, PRIVATE)
    assert other.user is not None
    await require(app, other, await connect(app, other, "corp.example"))
    token = await move(app, other.user, CAPTURED)
    await addresses.revert_email_change(app, token, by=VISITOR)
    assert await is_member(app, other.tenant, other.user)
