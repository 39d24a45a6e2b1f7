"""An organization's own roles. Nobody puts into one, or takes from it, what they do not have."""

from collections.abc import Iterable
from uuid import UUID

from auth.app import App
from auth.domain.audit import Action, Author
from auth.domain.roles import MOST_ROLES, Giver, Grant, Role, RoleNotFound, TooManyRoles
from auth.store import audit
from auth.store import roles as store
from auth.usecases.givers import enter
from servicekit import ids, permissions
from servicekit.database import Transaction
from servicekit.identity import Caller
from servicekit.paging import Page


async def list_roles(app: App, organization_id: UUID, page: Page) -> tuple[list[str], list[Role], str]:
    """A page of the names of the built-in roles and of the organization's own by name, and the next token."""
    async with app.db.begin(organization_id) as tx:
        found = await store.list_roles(tx, organization_id)
    built_in = {name: number for number, name in enumerate(permissions.ROLES)}
    whole: list[str | Role] = [*built_in, *found]
    shown, token = page.cut(
        whole,
        lambda each: (
            ("", f"{built_in[each]:02}", each) if isinstance(each, str) else ("own", each.name, each.id.hex)
        ),
    )
    names = [each for each in shown if isinstance(each, str)]
    return names, [each for each in shown if isinstance(each, Role)], token


async def get_role(app: App, organization_id: UUID, role_id: UUID) -> Role:
    """One of the organization's own roles. Raises RoleNotFound."""
    async with app.db.begin(organization_id) as tx:
        return await _get(tx, organization_id, role_id)


async def create_role(app: App, caller: Caller, *, name: str, allowed: Iterable[str], by: Author) -> Role:
    """Makes a role.

    Raises:
        PermissionUnknown, PermissionNotHeld: it would allow what there is not, or what the caller may not.
        RoleNameTaken: another one has the name.
        TooManyRoles: the organization has fifty.
    """
    role = Role.make(ids.new(), organization_id=caller.tenant, name=name, allowed=allowed)
    async with app.db.begin(caller.tenant) as tx:
        giver = await enter(app, tx, caller.tenant, caller)
        _give(giver, role)
        if len(await store.list_roles(tx, caller.tenant)) >= MOST_ROLES:
            raise TooManyRoles
        await store.insert_role(tx, role)
        await audit.record(
            tx, caller.tenant, by, Action.ROLE_CREATED, target=ids.show("rol", role.id), after=_said(role)
        )
    return role


async def update_role(
    app: App,
    caller: Caller,
    role_id: UUID,
    *,
    name: str,
    allowed: Iterable[str],
    expected_version: int = 0,
    by: Author,
) -> Role:
    """Changes a role for all who have it; the next access token of each of their sessions says so.

    Raises:
        RoleNotFound: there is no such role.
        PermissionUnknown: it would allow what there is not.
        PermissionNotHeld: it allows, or would allow, what the caller may not.
        RoleNameTaken: another one has the name.
        VersionMismatch: it has changed since that version; 0 expects nothing.
    """
    async with app.db.begin(caller.tenant) as tx:
        giver = await enter(app, tx, caller.tenant, caller)
        role = await _get(tx, caller.tenant, role_id)
        role.refuse_unless_version(expected_version)
        changed = role.change(name=name, allowed=allowed)
        _give(giver, role)
        _give(giver, changed)
        if changed != role:
            await store.save_role(tx, changed)
            await audit.record(
                tx,
                caller.tenant,
                by,
                Action.ROLE_CHANGED,
                target=ids.show("rol", role_id),
                before=_said(role),
                after=_said(changed),
            )
    return changed


async def delete_role(
    app: App, caller: Caller, role_id: UUID, *, expected_version: int = 0, by: Author
) -> None:
    """Deletes a role.

    Raises:
        RoleNotFound: there is no such role (any more).
        RoleInUse: somebody has it, or is offered it.
        PermissionNotHeld: it allows what the caller may not.
        VersionMismatch: it has changed since that version; 0 expects nothing.
    """
    async with app.db.begin(caller.tenant) as tx:
        giver = await enter(app, tx, caller.tenant, caller)
        role = await _get(tx, caller.tenant, role_id)
        role.refuse_unless_version(expected_version)
        _give(giver, role)
        await store.delete_role(tx, role)
        await audit.record(
            tx, caller.tenant, by, Action.ROLE_DELETED, target=ids.show("rol", role_id), before=_said(role)
        )


async def _get(tx: Transaction, organization_id: UUID, role_id: UUID) -> Role:
    role = await store.find_role(tx, organization_id, role_id)
    if role is None:
        raise RoleNotFound
    return role


def _give(giver: Giver, role: Role) -> None:
    giver.give(Grant("", role.permissions))


def _said(role: Role) -> dict[str, str | int | bool | list[str] | None]:
    return {"name": role.name, "permissions": sorted(role.permissions)}
