"""The groups of connections' providers, and who is in them."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from scim2_models.path import FilterNode
from sqlalchemy.exc import IntegrityError

from auth.domain.connections import Connection
from auth.domain.scim import GroupWish, ScimGroup, ScimGroupNameTaken
from auth.store.scim_filters import Condition, Filterable, IdAttribute, Matching, TextAttribute, where
from auth.store.scim_users import PREFIX as USER_PREFIX
from auth.tables import SCIM_GROUP_MEMBERS, SCIM_GROUPS
from servicekit import database
from servicekit.database import Transaction

PREFIX = "scg"
_MOMENT = sa.DateTime(timezone=True)
_of_connection = sa.and_(
    SCIM_GROUPS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    SCIM_GROUPS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid),
)
_one = sa.and_(_of_connection, SCIM_GROUPS.c.id == sa.bindparam("wanted", type_=sa.Uuid))
_of_group = sa.and_(
    SCIM_GROUP_MEMBERS.c.organization_id == SCIM_GROUPS.c.organization_id,
    SCIM_GROUP_MEMBERS.c.connection_id == SCIM_GROUPS.c.connection_id,
    SCIM_GROUP_MEMBERS.c.group_id == SCIM_GROUPS.c.id,
)


def _some_member(*conditions: Condition) -> Condition:
    return sa.exists().where(_of_group, *conditions)


def _having_among(_groups: Filterable, node: FilterNode) -> Condition:
    """`members[value eq "…"]`: some member who fits as a whole."""
    member = SCIM_GROUP_MEMBERS.c.member_id
    one = IdAttribute(USER_PREFIX, lambda wanted: member == wanted, sa.literal(True))
    kind = TextAttribute(sa.literal("User"))
    of_member = Filterable(MappingProxyType({"value": one, "type": kind}), MappingProxyType({}))
    return _some_member(where(of_member, Matching(node)))


FILTERABLE = Filterable(
    MappingProxyType(
        {
            "id": IdAttribute(PREFIX, lambda wanted: SCIM_GROUPS.c.id == wanted, sa.literal(True)),
            "externalid": TextAttribute(SCIM_GROUPS.c.external_id, exact=True),
            "displayname": TextAttribute(SCIM_GROUPS.c.display_name),
            "members.value": IdAttribute(
                USER_PREFIX,
                lambda wanted: _some_member(SCIM_GROUP_MEMBERS.c.member_id == wanted),
                _some_member(),
            ),
        }
    ),
    MappingProxyType({"members": _having_among}),
)

_SELECT = sa.select(
    SCIM_GROUPS.c.id,
    SCIM_GROUPS.c.display_name,
    SCIM_GROUPS.c.external_id,
    SCIM_GROUPS.c.created_at,
    SCIM_GROUPS.c.changed_at,
).where(_of_connection)
_FIND = _SELECT.where(SCIM_GROUPS.c.id == sa.bindparam("wanted", type_=sa.Uuid))
_COUNT = sa.select(sa.func.count()).select_from(SCIM_GROUPS).where(_of_connection)
_members_of_connection = sa.and_(
    SCIM_GROUP_MEMBERS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
    SCIM_GROUP_MEMBERS.c.connection_id == sa.bindparam("connection", type_=sa.Uuid),
)
_MEMBERS = sa.select(SCIM_GROUP_MEMBERS.c.group_id, SCIM_GROUP_MEMBERS.c.member_id).where(
    _members_of_connection,
    SCIM_GROUP_MEMBERS.c.group_id.in_(sa.bindparam("groups", type_=sa.Uuid, expanding=True)),
)
_INSERT = sa.insert(SCIM_GROUPS)
_SAVE = (
    sa.update(SCIM_GROUPS)
    .where(_one)
    .values(
        display_name=sa.bindparam("called", type_=sa.Text),
        external_id=sa.bindparam("external", type_=sa.Text),
        changed_at=sa.bindparam("changed", type_=_MOMENT),
    )
)
_DELETE = sa.delete(SCIM_GROUPS).where(_one)
_ADD = sa.insert(SCIM_GROUP_MEMBERS)
_TAKE_OUT = sa.delete(SCIM_GROUP_MEMBERS).where(
    _members_of_connection,
    SCIM_GROUP_MEMBERS.c.group_id == sa.bindparam("wanted", type_=sa.Uuid),
    SCIM_GROUP_MEMBERS.c.member_id.in_(sa.bindparam("members", type_=sa.Uuid, expanding=True)),
)


async def insert_group(tx: Transaction, connection: Connection, id_: UUID, wish: GroupWish) -> None:
    """Keeps a new group, whose members are known.

    Raises:
        ScimGroupNameTaken: another group of the connection has its name.
    """
    values = {
        "organization_id": connection.organization_id,
        "connection_id": connection.id,
        "id": id_,
        "display_name": wish.display_name,
        "external_id": wish.external_id,
        "created_at": tx.now,
        "changed_at": tx.now,
    }
    try:
        await tx.execute(_INSERT, values)
    except IntegrityError as error:
        raise _taken(error) from error
    await _add(tx, connection, id_, wish.members)


async def find_group(tx: Transaction, connection: Connection, id_: UUID) -> ScimGroup | None:
    """A group of a connection. True under the organization's lock."""
    row = (await tx.execute(_FIND, _keys(connection) | {"wanted": id_})).mappings().one_or_none()
    return (await _with_members(tx, connection, [row]))[0] if row else None


async def list_groups(
    tx: Transaction, connection: Connection, matching: Matching, *, skip: int, most: int
) -> list[ScimGroup]:
    """Those that fit, in the order of their ids, which is the order in which they came."""
    query = _SELECT.where(where(FILTERABLE, matching)).order_by(SCIM_GROUPS.c.id).offset(skip).limit(most)
    rows = (await tx.execute(query, _keys(connection))).mappings().all()
    return await _with_members(tx, connection, rows)


async def count_groups(tx: Transaction, connection: Connection, matching: Matching) -> int:
    """How many fit."""
    query = _COUNT.where(where(FILTERABLE, matching))
    counted: int = (await tx.execute(query, _keys(connection))).scalar_one()
    return counted


async def save_group(tx: Transaction, connection: Connection, before: ScimGroup, wish: GroupWish) -> None:
    """Keeps what a group is now, with its members. Raises as `insert_group` does."""
    values = {
        "called": wish.display_name,
        "external": wish.external_id,
        "changed": tx.now,
        "wanted": before.id,
    }
    try:
        await tx.execute(_SAVE, _keys(connection) | values)
    except IntegrityError as error:
        raise _taken(error) from error
    gone = list(before.members - wish.members)
    await tx.execute(_TAKE_OUT, _keys(connection) | {"wanted": before.id, "members": gone})
    await _add(tx, connection, before.id, wish.members - before.members)


async def delete_group(tx: Transaction, connection: Connection, id_: UUID) -> None:
    """Forgets a group; nobody is in it any more."""
    await tx.execute(_DELETE, _keys(connection) | {"wanted": id_})


async def _add(tx: Transaction, connection: Connection, id_: UUID, members: Iterable[UUID]) -> None:
    rows = [
        {
            "organization_id": connection.organization_id,
            "connection_id": connection.id,
            "group_id": id_,
            "member_id": each,
        }
        for each in sorted(members)
    ]
    if rows:
        await tx.execute(_ADD, rows)


async def _with_members(
    tx: Transaction, connection: Connection, rows: Sequence[sa.RowMapping]
) -> list[ScimGroup]:
    groups = {"groups": [row["id"] for row in rows]}
    found = (await tx.execute(_MEMBERS, _keys(connection) | groups)).all()
    members: dict[UUID, set[UUID]] = {row["id"]: set() for row in rows}
    for each in found:
        members[each.group_id].add(each.member_id)
    return [ScimGroup(**row, members=frozenset(members[row["id"]])) for row in rows]


def _taken(error: IntegrityError) -> Exception:
    return ScimGroupNameTaken() if database.constraint(error) == "scim_groups_name_taken" else error


def _keys(connection: Connection) -> dict[str, Any]:
    return {"organization": connection.organization_id, "connection": connection.id}
