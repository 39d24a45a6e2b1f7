"""People whom connections manage. Platform transactions only: names and addresses are their accounts'."""

from collections.abc import Collection, Iterable, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from auth.domain.connections import Connection
from auth.domain.scim import GroupName, ScimUser, ScimUserNameTaken
from auth.store.scim_filters import (
    BooleanAttribute,
    Filterable,
    IdAttribute,
    Matching,
    TextAttribute,
    where,
    within,
)
from auth.tables import MEMBERSHIPS, SCIM_GROUP_MEMBERS, SCIM_GROUPS, SCIM_USERS, USERS
from servicekit import database
from servicekit.database import Transaction

PREFIX = "scu"
_MOMENT = sa.DateTime(timezone=True)
_of_connection = sa.and_(
    SCIM_USERS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    SCIM_USERS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid),
)
_one = sa.and_(_of_connection, SCIM_USERS.c.id == sa.bindparam("wanted", type_=sa.Uuid))
_active = MEMBERSHIPS.c.user_id.is_not(None)
_from = SCIM_USERS.join(USERS, USERS.c.id == SCIM_USERS.c.user_id).outerjoin(
    MEMBERSHIPS,
    sa.and_(
        MEMBERSHIPS.c.organization_id == SCIM_USERS.c.organization_id,
        MEMBERSHIPS.c.user_id == SCIM_USERS.c.user_id,
    ),
)
FILTERABLE = Filterable(
    MappingProxyType(
        {
            "id": IdAttribute(PREFIX, lambda wanted: SCIM_USERS.c.id == wanted, sa.literal(True)),
            "externalid": TextAttribute(SCIM_USERS.c.external_id, exact=True),
            "username": TextAttribute(USERS.c.email),
            "displayname": TextAttribute(USERS.c.display_name),
            "active": BooleanAttribute(_active),
            "emails.value": TextAttribute(USERS.c.email),
            "emails.type": TextAttribute(sa.literal("work")),
            "emails.primary": BooleanAttribute(sa.literal(True)),
        }
    ),
    MappingProxyType({"emails": partial(within, "emails")}),
)

_SELECT = (
    sa.select(
        SCIM_USERS.c.id,
        SCIM_USERS.c.user_id,
        USERS.c.email,
        USERS.c.display_name,
        _active.label("active"),
        SCIM_USERS.c.external_id,
        SCIM_USERS.c.granted_role,
        SCIM_USERS.c.created_at,
        SCIM_USERS.c.changed_at,
        SCIM_USERS.c.venues,
    )
    .select_from(_from)
    .where(_of_connection)
)
_FIND = _SELECT.where(SCIM_USERS.c.id == sa.bindparam("wanted", type_=sa.Uuid))
_FIND_MANY = _SELECT.where(
    SCIM_USERS.c.id.in_(sa.bindparam("members", type_=sa.Uuid, expanding=True))
).order_by(SCIM_USERS.c.id)
_COUNT = sa.select(sa.func.count()).select_from(_from).where(_of_connection)
_GROUPS = (
    sa.select(
        SCIM_GROUP_MEMBERS.c.member_id,
        SCIM_GROUPS.c.id,
        SCIM_GROUPS.c.display_name,
        SCIM_GROUPS.c.external_id,
    )
    .select_from(
        SCIM_GROUP_MEMBERS.join(
            SCIM_GROUPS,
            sa.and_(
                SCIM_GROUPS.c.organization_id == SCIM_GROUP_MEMBERS.c.organization_id,
                SCIM_GROUPS.c.connection_id == SCIM_GROUP_MEMBERS.c.connection_id,
                SCIM_GROUPS.c.id == SCIM_GROUP_MEMBERS.c.group_id,
            ),
        )
    )
    .where(
        SCIM_GROUP_MEMBERS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        SCIM_GROUP_MEMBERS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid),
        SCIM_GROUP_MEMBERS.c.member_id.in_(sa.bindparam("members", type_=sa.Uuid, expanding=True)),
    )
    .order_by(SCIM_GROUPS.c.id)
)
_KNOWN = sa.select(SCIM_USERS.c.id).where(
    _of_connection, SCIM_USERS.c.id.in_(sa.bindparam("members", type_=sa.Uuid, expanding=True))
)
_INSERT = sa.insert(SCIM_USERS)
_SAVE = (
    sa.update(SCIM_USERS)
    .where(_one)
    .values(
        external_id=sa.bindparam("external", type_=sa.Text),
        changed_at=sa.bindparam("changed", type_=_MOMENT),
    )
)
_SAVE_ROLE = sa.update(SCIM_USERS).where(_one).values(granted_role=sa.bindparam("granted", type_=sa.Text))
_DELETE = sa.delete(SCIM_USERS).where(_one)
_KEEP_VENUES = (
    sa.update(SCIM_USERS)
    .where(
        SCIM_USERS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        SCIM_USERS.c.user_id == sa.bindparam("person", type_=sa.Uuid),
    )
    .values(venues=sa.bindparam("limits", type_=SCIM_USERS.c.venues.type))
)
# Another connection of the organization spoke for the person's domain before.
_RELEASE = (
    sa.delete(SCIM_USERS)
    .where(
        SCIM_USERS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        SCIM_USERS.c.connection_id != sa.bindparam("connection", type_=sa.Uuid),
        SCIM_USERS.c.user_id == sa.bindparam("person", type_=sa.Uuid),
    )
    .returning(SCIM_USERS.c.venues)
)


async def insert_user(
    tx: Transaction, connection: Connection, id_: UUID, user_id: UUID, *, external_id: str | None
) -> None:
    """Has a connection manage a person; another one of the organization does so no more.

    Raises:
        ScimUserNameTaken: it does already.
    """
    released = (await tx.execute(_RELEASE, _keys(connection) | {"person": user_id})).scalar_one_or_none()
    values = {
        "organization_id": connection.organization_id,
        "connection_id": connection.id,
        "id": id_,
        "user_id": user_id,
        "external_id": external_id,
        "granted_role": "",
        "created_at": tx.now,
        "changed_at": tx.now,
        "venues": released or [],
    }
    try:
        await tx.execute(_INSERT, values)
    except IntegrityError as error:
        if database.constraint(error) == "scim_users_managed_once":
            raise ScimUserNameTaken from error
        raise


async def find_user(tx: Transaction, connection: Connection, id_: UUID) -> ScimUser | None:
    """A person whom a connection manages. True under the organization's lock."""
    row = (await tx.execute(_FIND, _keys(connection) | {"wanted": id_})).mappings().one_or_none()
    return (await _with_groups(tx, connection, [row]))[0] if row else None


async def find_users(tx: Transaction, connection: Connection, wanted: Iterable[UUID]) -> list[ScimUser]:
    """Those of these whom a connection manages, in the order of their ids. True under the same lock."""
    rows = (await tx.execute(_FIND_MANY, _keys(connection) | {"members": list(wanted)})).mappings().all()
    return await _with_groups(tx, connection, rows)


async def list_users(
    tx: Transaction, connection: Connection, matching: Matching, *, skip: int, most: int
) -> list[ScimUser]:
    """Those who fit, in the order of their ids, which is the order in which they came."""
    query = _SELECT.where(where(FILTERABLE, matching)).order_by(SCIM_USERS.c.id).offset(skip).limit(most)
    rows = (await tx.execute(query, _keys(connection))).mappings().all()
    return await _with_groups(tx, connection, rows)


async def count_users(tx: Transaction, connection: Connection, matching: Matching) -> int:
    """How many fit."""
    query = _COUNT.where(where(FILTERABLE, matching))
    counted: int = (await tx.execute(query, _keys(connection))).scalar_one()
    return counted


async def known_users(tx: Transaction, connection: Connection, wanted: Collection[UUID]) -> set[UUID]:
    """Which of these are ids of people whom the connection manages."""
    return set((await tx.execute(_KNOWN, _keys(connection) | {"members": list(wanted)})).scalars())


async def save_user(tx: Transaction, connection: Connection, id_: UUID, external_id: str | None) -> None:
    """Keeps that somebody was changed, and what of it is not their account's."""
    values = {"external": external_id, "changed": tx.now, "wanted": id_}
    await tx.execute(_SAVE, _keys(connection) | values)


async def save_role(tx: Transaction, connection: Connection, id_: UUID, granted: str) -> None:
    """Keeps what their groups made of somebody."""
    await tx.execute(_SAVE_ROLE, _keys(connection) | {"granted": granted, "wanted": id_})


async def keep_venues(tx: Transaction, organization_id: UUID, user_id: UUID, venues: Iterable[UUID]) -> None:
    """Keeps what a membership that ends was limited to, if a connection of its organization manages it."""
    values = {"organization": organization_id, "person": user_id, "limits": sorted(venues)}
    await tx.execute(_KEEP_VENUES, values)


async def delete_user(tx: Transaction, connection: Connection, id_: UUID) -> None:
    """Has a connection manage a person no more. They leave its groups."""
    await tx.execute(_DELETE, _keys(connection) | {"wanted": id_})


async def _with_groups(
    tx: Transaction, connection: Connection, rows: Sequence[sa.RowMapping]
) -> list[ScimUser]:
    members = {"members": [row["id"] for row in rows]}
    found = (await tx.execute(_GROUPS, _keys(connection) | members)).all()
    return [_user(row, [each for each in found if each.member_id == row["id"]]) for row in rows]


def _user(row: sa.RowMapping, groups: Iterable[sa.Row[Any]]) -> ScimUser:
    values: dict[str, Any] = dict(row) | {"venues": frozenset(row["venues"])}
    names = tuple(GroupName(each.id, each.display_name, each.external_id) for each in groups)
    return ScimUser(**values, groups=names)


def _keys(connection: Connection) -> dict[str, Any]:
    return {"organization": connection.organization_id, "connection": connection.id}
