"""The organizations of a person: making one, looking, renaming, and working in another one."""

from dataclasses import replace
from uuid import UUID

from auth import events
from auth.app import App
from auth.domain.accounts import Membership
from auth.domain.audit import Action, Author
from auth.domain.devices import device_name
from auth.domain.members import MOST_OWNED, Organization, OrganizationNotFound, TooManyOrganizations
from auth.domain.plans import FREE, Plan
from auth.domain.sessions import Session, SessionTokens
from auth.store import audit
from auth.store import members as store
from auth.store import sessions as session_store
from auth.store.grants import hold_grant
from auth.usecases.holding import hold_session
from auth.usecases.sessions import tokens_of
from auth.usecases.ways_in import refuse_other_sessions
from servicekit import ids
from servicekit.errors import FreshAuthenticationRequired, Unauthenticated
from servicekit.paging import Page
from servicekit.permissions import BY_CONNECTION, OWNER


async def create_organization(app: App, user_id: UUID, name: str, *, by: Author) -> Organization:
    """Makes an organization that the user owns.

    Raises:
        TooManyOrganizations: they own twenty already.
        Unauthenticated: the session of the call is over.
    """
    organization = Organization(ids.new(), name.strip(), FREE)
    async with app.db.begin_platform(reason="make an organization") as tx:
        if await store.lock_owned(tx, user_id) >= MOST_OWNED:
            raise TooManyOrganizations
        await hold_session(app, tx, by)
        await store.insert_organization(tx, organization)
        await store.insert_member(tx, Membership(organization.id, user_id, OWNER))
        await events.organization_created(tx, organization.id, organization.name, owner=user_id)
        await audit.record(
            tx,
            organization.id,
            by,
            Action.ORGANIZATION_CREATED,
            target=ids.show("org", organization.id),
            after={"name": organization.name, "owner": ids.show("usr", user_id)},
        )
    return organization


async def list_organizations(
    app: App, user_id: UUID, page: Page, *, within: UUID | None = None
) -> tuple[list[tuple[Organization, str]], str]:
    """Those that the user belongs to with their role, the oldest membership first; the next page's token.

    `within`: this one alone.

    Raises:
        InvalidPageToken: the token is none of this list.
    """
    async with app.db.begin_platform(reason="list the caller's organizations") as tx:
        return await store.page_of_organizations(tx, user_id, page, within=within)


async def get_organization(app: App, organization_id: UUID) -> Organization:
    """The organization.

    Raises:
        OrganizationNotFound: it is gone.
    """
    async with app.db.begin(organization_id) as tx:
        found = await store.get_organization(tx, organization_id)
    if found is None:
        raise OrganizationNotFound
    return found


async def plan_of(app: App, organization_id: UUID) -> Plan:
    """What the organization may have by now. Raises OrganizationNotFound."""
    organization = await get_organization(app, organization_id)
    return app.plans.get(organization.plan, app.plans[FREE])


async def rename_organization(
    app: App, organization_id: UUID, name: str, *, expected_version: int = 0, by: Author
) -> Organization:
    """Gives the organization another name.

    Raises:
        OrganizationNotFound: it is gone.
        Unauthenticated: the session of the call is over.
        VersionMismatch: it has changed since that version; 0 expects nothing.
    """
    async with app.db.begin(organization_id) as tx:
        found = await store.lock_organization(tx, organization_id)
        if found is None:
            raise OrganizationNotFound
        await hold_session(app, tx, by)
        renamed = found.rename(name, expected_version=expected_version)
        if renamed == found:
            return found
        await store.save_organization(tx, renamed)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.ORGANIZATION_RENAMED,
            target=ids.show("org", organization_id),
            before={"name": found.name},
            after={"name": renamed.name},
        )
    return renamed


async def switch_organization(
    app: App, user_id: UUID, session_id: UUID, organization_id: UUID, *, by: Author, user_agent: str
) -> SessionTokens:
    """A session in another of the user's organizations: as old as theirs, and by the same credentials.

    The one they come from goes on, so that an answer that is lost locks nobody out.

    Raises:
        OrganizationNotFound: they do not belong to it.
        FreshAuthenticationRequired: a connection vouched for them, which counts in no other organization, or
            that one ended their sessions since: own credentials have to be given first.
        SsoRequired: they have to log in there by its connection.
        Unauthenticated: their session is over.
    """
    async with app.db.begin_platform(reason="switch to another organization") as tx:
        grant = await hold_grant(tx, organization_id, user_id)
        found = await session_store.lock_session(tx, session_id)
        if found is None or found[0].user_id != user_id:
            raise Unauthenticated
        present = found[0]
        if not present.holds(now=tx.now, idle=app.lifetimes.idle):
            raise Unauthenticated
        if grant is None:
            raise OrganizationNotFound
        if BY_CONNECTION in present.methods:
            raise FreshAuthenticationRequired
        ended = await store.sessions_ended_at(tx, organization_id, user_id)
        if ended is not None and present.authenticated_at <= ended:
            raise FreshAuthenticationRequired
        await refuse_other_sessions(tx, organization_id, user_id)
        opened = Session.open(
            ids.new(),
            organization_id=organization_id,
            user_id=user_id,
            methods=present.methods,
            device=device_name(user_agent) or present.device,
            address=by.address,
            now=tx.now,
            lifetimes=app.lifetimes,
        )
        session = replace(opened, authenticated_at=present.authenticated_at, expires_at=present.expires_at)
        await session_store.insert_session(tx, session)
        await audit.record(
            tx,
            organization_id,
            by,
            Action.SESSION_SWITCHED,
            target=ids.show("ses", session.id),
            after={"methods": list(session.methods), "device": session.device},
        )
    return tokens_of(app, session, grant, now=session.created_at)
