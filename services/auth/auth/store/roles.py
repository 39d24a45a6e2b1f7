"""The roles that organizations made. A tenant's transaction sees its own."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.roles import Grant, Role, RoleInUse, RoleNameTaken, RoleNotFound
from auth.store import grants
from auth.tables import INVITATIONS, MEMBERSHIPS, ROLES
from servicekit import database, permissions
from servicekit.database import Transaction

_COLUMNS = (ROLES.c.organization_id, ROLES.c.id, ROLES.c.name, ROLES.c.permissions, ROLES.c.version)
_organization = sa.bindparam("organization", type_=sa.Uuid)
_of_id = sa.and_(
    ROLES.c.organization_id == _organization, ROLES.c.id == sa.bindparam("wanted", type_=sa.Uuid)
)
_LIST = (
    sa.select(*_COLUMNS).where(ROLES.c.organization_id == _organization).order_by(ROLES.c.name, ROLES.c.id)
)
_FIND = sa.select(*_COLUMNS).where(_of_id)
_INSERT = sa.insert(ROLES)
_SAVE = (
    sa.update(ROLES)
    .where(_of_id)
    .values(
        name=sa.bindparam("called", type_=sa.Text),
        permissions=sa.bindparam("allowed", type_=ROLES.c.permissions.type),
        version=sa.bindparam("changed_to", type_=sa.Integer),
    )
)
_DELETE = sa.delete(ROLES).where(_of_id)
# What is not open any more keeps no role from going.
_FORGET_INVITATIONS = sa.delete(INVITATIONS).where(
    INVITATIONS.c.organization_id == _organization,
    INVITATIONS.c.role_id == sa.bindparam("wanted", type_=sa.Uuid),
    sa.or_(
        INVITATIONS.c.accepted_at.is_not(None),
        INVITATIONS.c.revoked_at.is_not(None),
        INVITATIONS.c.expires_at <= sa.func.now(),
    ),
)


async def list_roles(tx: Transaction, organization_id: UUID) -> list[Role]:
    """The organization's own roles, by name."""
    found = await tx.execute(_LIST, {"organization": organization_id})
    return [_role(row) for row in found.mappings()]


async def find_role(tx: Transaction, organization_id: UUID, role_id: UUID) -> Role | None:
    """One of them."""
    found = await tx.execute(_FIND, {"organization": organization_id, "wanted": role_id})
    row = found.mappings().one_or_none()
    return _role(row) if row else None


async def get_grant(
    tx: Transaction, organization_id: UUID, role: str, venues: frozenset[UUID] = frozenset()
) -> Grant:
    """What a role grants in these venues, a built-in one by its name or an own one by its id.

    Raises:
        RoleNotFound: there is none.
    """
    if role in permissions.ROLES:
        return Grant(role, permissions.of_role(role), venues)
    role_id = grants.columns(role, RoleNotFound)["role_id"]
    assert isinstance(role_id, UUID)  # noqa: S101  # only built-in ones have none
    found = await find_role(tx, organization_id, role_id)
    if found is None:
        raise RoleNotFound
    return Grant(role, found.permissions, venues)


async def insert_role(tx: Transaction, role: Role) -> None:
    """Keeps a new role.

    Raises:
        RoleNameTaken: another one has its name.
    """
    try:
        await tx.execute(
            _INSERT,
            {
                "organization_id": role.organization_id,
                "id": role.id,
                "name": role.name,
                "permissions": sorted(role.permissions),
            },
        )
    except IntegrityError as error:
        raise _taken(error) from error


async def save_role(tx: Transaction, role: Role) -> None:
    """Keeps the new state of a role. Raises as `insert_role` does."""
    try:
        await tx.execute(
            _SAVE,
            {
                "organization": role.organization_id,
                "wanted": role.id,
                "called": role.name,
                "allowed": sorted(role.permissions),
                "changed_to": role.version,
            },
        )
    except IntegrityError as error:
        raise _taken(error) from error


async def delete_role(tx: Transaction, role: Role) -> None:
    """Forgets a role.

    Raises:
        RoleInUse: somebody has it, or is offered it.
    """
    wanted = {"organization": role.organization_id, "wanted": role.id}
    await tx.execute(_FORGET_INVITATIONS, wanted)
    try:
        await tx.execute(_DELETE, wanted)
    except IntegrityError as error:
        if database.constraint(error) in (f"{MEMBERSHIPS.name}_of_role", f"{INVITATIONS.name}_of_role"):
            raise RoleInUse from error
        raise


def _role(row: sa.RowMapping) -> Role:
    return Role(row["organization_id"], row["id"], row["name"], frozenset(row["permissions"]), row["version"])


def _taken(error: IntegrityError) -> Exception:
    return RoleNameTaken() if database.constraint(error) == "roles_name_taken" else error
