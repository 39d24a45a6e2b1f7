"""What memberships and invitations grant: roles in their columns and back."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from auth.domain.roles import Grant
from auth.tables import MEMBERSHIPS, ROLES
from servicekit import ids, permissions
from servicekit.database import Transaction
from servicekit.errors import AppError

CUSTOM = "custom"

GRANT_COLUMNS = (
    MEMBERSHIPS.c.role,
    MEMBERSHIPS.c.role_id,
    MEMBERSHIPS.c.venues,
    ROLES.c.permissions.label("role_permissions"),
)
ROLE_OF_MEMBER = sa.and_(
    ROLES.c.organization_id == MEMBERSHIPS.c.organization_id, ROLES.c.id == MEMBERSHIPS.c.role_id
)
"""How GRANT_COLUMNS are joined, on the outside: built-in roles have no row."""
_FIND = (
    sa.select(*GRANT_COLUMNS)
    .select_from(MEMBERSHIPS.outerjoin(ROLES, ROLE_OF_MEMBER))
    .where(
        MEMBERSHIPS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        MEMBERSHIPS.c.user_id == sa.bindparam("user", type_=sa.Uuid),
    )
)
# Whoever ends the membership waits, as for a session that is opened.
_HOLD = _FIND.with_for_update(of=MEMBERSHIPS, read=True, key_share=True)
_LOCK = _FIND.with_for_update(of=MEMBERSHIPS)


async def find_grant(tx: Transaction, organization_id: UUID, user_id: UUID) -> Grant | None:
    """What a person may do in an organization by now; None for whoever is no member (any more)."""
    found = await tx.execute(_FIND, {"organization": organization_id, "user": user_id})
    row = found.mappings().one_or_none()
    return grant_of(row) if row else None


async def hold_grant(tx: Transaction, organization_id: UUID, user_id: UUID) -> Grant | None:
    """The same, and they stay a member until the end of `tx`. Before a lock on their sessions."""
    found = await tx.execute(_HOLD, {"organization": organization_id, "user": user_id})
    row = found.mappings().one_or_none()
    return grant_of(row) if row else None


async def lock_grant(tx: Transaction, organization_id: UUID, user_id: UUID) -> Grant | None:
    """The same, and nobody else opens or changes anything of it until then: `tx` may change it itself."""
    found = await tx.execute(_LOCK, {"organization": organization_id, "user": user_id})
    row = found.mappings().one_or_none()
    return grant_of(row) if row else None


def grant_of(row: Mapping[Any, Any]) -> Grant:
    """The grant in a row that has GRANT_COLUMNS."""
    if row["role_id"] is None:
        return Grant(row["role"], permissions.of_role(row["role"]), frozenset(row["venues"]))
    granted = frozenset(row["role_permissions"]) & permissions.ALL
    return Grant(word(row["role"], row["role_id"]), granted, frozenset(row["venues"]))


def word(role: str, role_id: UUID | None) -> str:
    """A role as grants say it."""
    return role if role_id is None else ids.show("rol", role_id)


def columns(role: str, missing: type[AppError]) -> dict[str, object]:
    """A role as tables keep it.

    Raises:
        AppError: `missing`, when it is neither built in nor the id of a role.
    """
    if role in permissions.ROLES:
        return {"role": role, "role_id": None}
    return {"role": CUSTOM, "role_id": ids.parse("rol", role, missing)}
