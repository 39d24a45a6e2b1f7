"""The people of an organization for tests: callers as the gateway says them, and how others join."""

from dataclasses import replace
from uuid import UUID

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.connections import Connection, Provider, Rules
from auth.domain.invitations import Invitation
from auth.domain.roles import Role
from auth.store import accounts as account_store
from auth.usecases import acceptance, connections, invitations, roles
from servicekit.identity import Caller
from testkit.callers import member

from .conftest import PASSWORD, PLACE, People

NOBODY = Author(ActorKind.NOBODY, address=PLACE)


def by(caller: Caller) -> Author:
    """The caller as the audit log says them."""
    return Author(ActorKind.USER, caller.user, address=PLACE)


async def log_in(people: People, email: str) -> Caller:
    """Logs in, and answers the caller whom the access token speaks for."""
    session = await people.session(await people.log_in(email))
    async with people.app.db.begin_platform(reason="look into the database in a test") as tx:
        profile = await account_store.find_profile(tx, session.organization_id, session.user_id)
    assert profile is not None
    return replace(
        member(session.organization_id),
        user=session.user_id,
        session=session.id,
        role=profile.grant.role,
        permissions=profile.grant.permissions,
        venues=profile.grant.venues or None,
    )


async def invite(
    app: App, caller: Caller, email: str, role: str = "host", *, venues: frozenset[UUID] = frozenset()
) -> Invitation:
    """Invites."""
    return await invitations.create_invitation(
        app, caller, email=email, role=role, venues=venues, language="fr", by=by(caller)
    )


async def link(app: App, invitation: Invitation) -> str:
    """The secret of a link."""
    mail = await invitations.issue_invitation(app, invitation.id)
    assert mail is not None
    return mail.token


async def join(app: App, token: str, *, password: str = PASSWORD, name: str = "Odette") -> UUID:
    """Accepts without a session."""
    return await acceptance.join_organization(
        app, token, password=password, display_name=name, language="", by=NOBODY
    )


async def hire(
    people: People,
    caller: Caller,
    email: str,
    role: str = "host",
    *,
    venues: frozenset[UUID] = frozenset(),
) -> Caller:
    """Has a new person join, and log in."""
    await join(
        people.app, await link(people.app, await invite(people.app, caller, email, role, venues=venues))
    )
    return await log_in(people, email)


async def own_role(app: App, caller: Caller, name: str, *allowed: str) -> Role:
    """Makes a role."""
    return await roles.create_role(app, caller, name=name, allowed=allowed, by=by(caller))


async def own_connection(app: App, caller: Caller, *domains: str) -> Connection:
    """Makes a connection to a provider that nobody asks."""
    provider = Provider("Corp", "https://login.corp.example", "comptoir")
    return await connections.create_connection(
        app, caller, provider, Rules("viewer"), secret="a secret", domains=domains, by=by(caller)
    )
