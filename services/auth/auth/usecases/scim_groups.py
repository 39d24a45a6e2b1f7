"""Groups as a provider manages them by SCIM: what they make of their members follows at once."""

from collections.abc import Callable, Collection
from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, Author, Values
from auth.domain.connections import Connection
from auth.domain.scim import GroupWish, ScimGroup, ScimGroupNotFound, ScimMembersUnknown
from auth.store import audit
from auth.store import members as member_store
from auth.store import scim_groups as store
from auth.store import scim_users as user_store
from auth.store.scim_filters import Matching
from auth.usecases.scim_members import follow_groups, record_roles
from servicekit import ids
from servicekit.database import Transaction

_REASON = "a provider manages groups by SCIM"


async def create_group(app: App, connection: Connection, wish: GroupWish, *, by: Author) -> ScimGroup:
    """Keeps a group, and gives its members the role that it gives.

    Raises:
        ScimGroupNameTaken: another group of the connection has the name.
        ScimMembersUnknown: a member is nobody whom the connection manages.
        ScimRoleGone: the role does not exist any more.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        await member_store.lock_organization(tx, connection.organization_id)
        await _refuse_unknown(tx, connection, wish.members)
        id_ = ids.new()
        await store.insert_group(tx, connection, id_, wish)
        group = await _find(tx, connection, id_)
        changes = await follow_groups(tx, connection, wish.members)
        await _record(tx, connection, group, by, Action.SCIM_GROUP_CREATED, after=_said(group))
        await record_roles(tx, connection, changes, by=by)
    return group


async def get_group(app: App, connection: Connection, id_: UUID) -> ScimGroup:
    """A group of the connection.

    Raises:
        ScimGroupNotFound: there is no such group.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        return await _find(tx, connection, id_)


async def list_groups(
    app: App, connection: Connection, matching: Matching, *, skip: int, most: int
) -> tuple[list[ScimGroup], int]:
    """Those that fit, in the order in which they came, and how many fit in all.

    Raises:
        InvalidFilterException: the filter asks for what is not offered.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        found = await store.list_groups(tx, connection, matching, skip=skip, most=most) if most else []
        return found, await store.count_groups(tx, connection, matching)


async def change_group(
    app: App, connection: Connection, id_: UUID, change: Callable[[ScimGroup], GroupWish], *, by: Author
) -> ScimGroup:
    """Makes a group what `change` says of what it is; whatever it raises changes nothing.

    Raises like `create_group`, and:
        ScimGroupNotFound: there is no such group.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        await member_store.lock_organization(tx, connection.organization_id)
        before = await _find(tx, connection, id_)
        wish = change(before)
        if wish == before.wish:
            return before
        await _refuse_unknown(tx, connection, wish.members - before.members)
        await store.save_group(tx, connection, before, wish)
        group = await _find(tx, connection, id_)
        changes = await follow_groups(tx, connection, before.members | wish.members)
        await _record(
            tx, connection, group, by, Action.SCIM_GROUP_CHANGED, before=_said(before), after=_said(group)
        )
        await record_roles(tx, connection, changes, by=by)
    return group


async def delete_group(
    app: App, connection: Connection, id_: UUID, check: Callable[[ScimGroup], None], *, by: Author
) -> None:
    """Forgets a group, and takes the role away that it gave. Unless `check` raises.

    Raises:
        ScimGroupNotFound: there is no such group (any more).
        ScimRoleGone: the connection's default role does not exist any more.
    """
    async with app.db.begin_platform(reason=_REASON) as tx:
        await member_store.lock_organization(tx, connection.organization_id)
        group = await _find(tx, connection, id_)
        check(group)
        await store.delete_group(tx, connection, id_)
        changes = await follow_groups(tx, connection, group.members)
        await _record(tx, connection, group, by, Action.SCIM_GROUP_DELETED, before=_said(group))
        await record_roles(tx, connection, changes, by=by)


async def _find(tx: Transaction, connection: Connection, id_: UUID) -> ScimGroup:
    found = await store.find_group(tx, connection, id_)
    if found is None:
        raise ScimGroupNotFound
    return found


async def _refuse_unknown(tx: Transaction, connection: Connection, members: Collection[UUID]) -> None:
    if set(members) - await user_store.known_users(tx, connection, members):
        raise ScimMembersUnknown


async def _record(
    tx: Transaction,
    connection: Connection,
    group: ScimGroup,
    by: Author,
    action: Action,
    *,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    target = ids.show(store.PREFIX, group.id)
    await audit.record(tx, connection.organization_id, by, action, target=target, before=before, after=after)


def _said(group: ScimGroup) -> Values:
    return {"name": group.display_name, "members": len(group.members)}
