"""Memberships that follow a provider: made, given another role by groups, ended. The callers lock."""

from collections.abc import Iterable
from uuid import UUID

from auth.app import App
from auth.domain.accounts import Membership
from auth.domain.audit import Action, Author, Values
from auth.domain.connections import Connection
from auth.domain.roles import Grant, Role, RoleNotFound
from auth.domain.scim import ScimOwnerKept, ScimRoleGone, ScimUser, role_of_groups
from auth.store import api_keys as key_store
from auth.store import audit
from auth.store import invitations as invitation_store
from auth.store import members as member_store
from auth.store import roles as role_store
from auth.store import scim_users as store
from auth.usecases.invitations import refuse_crowd
from auth.usecases.members import end_membership, withdraw_invitations
from servicekit import ids
from servicekit.database import Transaction
from servicekit.permissions import OWNER


async def enrol(app: App, tx: Transaction, connection: Connection, user: ScimUser) -> None:
    """Makes somebody a member, with the role of their groups, else the connection's default one.

    Whoever was limited to venues when they went comes back to these.

    Raises:
        PlanLimitReached: the organization has as many members as its plan allows.
        ScimRoleGone: the role does not exist any more.
    """
    granted = role_of_groups(connection.rules, await _own_roles(tx, connection), user.groups)
    grant = await _grant(tx, connection, granted or connection.rules.default_role, user.venues)
    await invitation_store.revoke_invitations_to(tx, connection.organization_id, user.email)
    membership = Membership(connection.organization_id, user.user_id, grant.role, grant.venues)
    await member_store.insert_member(tx, membership)
    await refuse_crowd(app, tx, connection.organization_id)
    await store.save_role(tx, connection, user.id, granted)


async def dismiss(tx: Transaction, connection: Connection, user: ScimUser) -> int | None:
    """Ends a membership, its sessions at once, and the invitations that they sent or did not accept.

    Answers how many of the API keys that they made hold on; None, and does nothing, for no member.

    Raises:
        ScimOwnerKept: they own the organization.
    """
    member = await member_store.lock_member(tx, connection.organization_id, user.user_id)
    if member is None:
        return None
    if member.owns:
        raise ScimOwnerKept
    await end_membership(tx, connection.organization_id, member)
    await withdraw_invitations(tx, connection.organization_id, member)
    return await key_store.count_keys_of(tx, connection.organization_id, user.user_id)


async def follow_groups(
    tx: Transaction, connection: Connection, people: Iterable[UUID]
) -> list[tuple[UUID, Values, Values]]:
    """Gives these the role of their groups, if that is another one than before: who had what, and has now.

    Whom groups gave a role, and do not any more, gets the connection's default one. Owners stay owners.

    Raises:
        ScimRoleGone: the role does not exist any more.
    """
    changes: list[tuple[UUID, Values, Values]] = []
    own_roles = await _own_roles(tx, connection)
    for user in await store.find_users(tx, connection, people):
        granted = role_of_groups(connection.rules, own_roles, user.groups)
        if granted == user.granted_role:
            continue
        await store.save_role(tx, connection, user.id, granted)
        member = await member_store.lock_member(tx, connection.organization_id, user.user_id)
        role = granted or connection.rules.default_role
        if member is None or member.grant.role in (OWNER, role):
            continue
        grant = await _grant(tx, connection, role, member.grant.venues)
        changed = Membership(connection.organization_id, user.user_id, grant.role, grant.venues)
        await member_store.save_member(tx, changed)
        keys = await key_store.count_keys_of(tx, connection.organization_id, user.user_id)
        changes.append((user.user_id, {"role": member.grant.role}, {"role": role, "api_keys": keys}))
    return changes


async def record_roles(
    tx: Transaction, connection: Connection, changes: Iterable[tuple[UUID, Values, Values]], *, by: Author
) -> None:
    """Records what `follow_groups` has changed."""
    for user_id, before, after in changes:
        target = ids.show("usr", user_id)
        await audit.record(
            tx,
            connection.organization_id,
            by,
            Action.MEMBER_CHANGED,
            target=target,
            before=before,
            after=after,
        )


async def _own_roles(tx: Transaction, connection: Connection) -> list[Role]:
    """The organization's own roles, where groups may be called like them."""
    return [] if connection.rules.roles else await role_store.list_roles(tx, connection.organization_id)


async def _grant(
    tx: Transaction, connection: Connection, role: str, venues: frozenset[UUID] = frozenset()
) -> Grant:
    try:
        return await role_store.get_grant(tx, connection.organization_id, role, venues)
    except RoleNotFound as error:
        raise ScimRoleGone from error
