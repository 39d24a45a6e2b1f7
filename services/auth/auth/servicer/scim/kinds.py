"""The two kinds of resources: how each is shown, what is wished of it, and which use cases do it."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from scim2_models import Meta, Reference, Resource

from auth.domain.scim import (
    GroupWish,
    ScimGroup,
    ScimGroupNotFound,
    ScimMembersUnknown,
    ScimUser,
    ScimUserNotFound,
    UserWish,
)
from auth.servicer.scim import payloads
from auth.servicer.scim.models import Email, Group, GroupMember, User, UserGroup
from auth.store.scim_groups import PREFIX as GROUP
from auth.store.scim_users import PREFIX as USER
from auth.usecases import scim_groups, scim_users
from servicekit import ids
from servicekit.errors import AppError

T = TypeVar("T", ScimUser, ScimGroup)
W = TypeVar("W", UserWish, GroupWish)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T, W]):
    """A kind of resources."""

    endpoint: str
    model: type[Resource[Any]]
    prefix: str
    missing: type[AppError]
    show: Callable[[T, str], Resource[Any]]
    """As it is told, by the address of the service."""
    whole: Callable[[Mapping[str, Any], T | None], dict[str, Any]]
    """The payload of a POST, or of a PUT in the place of what there is."""
    wish: Callable[[Any], W]
    create: Callable[..., Awaitable[T]]
    get: Callable[..., Awaitable[T]]
    list: Callable[..., Awaitable[tuple[list[T], int]]]
    change: Callable[..., Awaitable[T]]
    delete: Callable[..., Awaitable[None]]

    def id_of(self, text: str) -> UUID:
        """The id in an address. Raises `missing` for what is none."""
        return ids.parse(self.prefix, text, self.missing)


def _show_user(user: ScimUser, base: str) -> User:
    shown = ids.show(USER, user.id)
    groups = [
        UserGroup(
            value=ids.show(GROUP, each.id),
            ref=Reference["Group"](f"{base}/Groups/{ids.show(GROUP, each.id)}"),
            display=each.display_name,
        )
        for each in user.groups
    ]
    return _dated(
        User(
            id=shown,
            external_id=user.external_id,
            user_name=user.email,
            display_name=user.display_name,
            active=user.active,
            emails=[Email(value=user.email, type="work", primary=True)],
            groups=groups or None,
        ),
        f"{base}/Users/{shown}",
        user.created_at,
        user.changed_at,
    )


def _show_group(group: ScimGroup, base: str) -> Group:
    shown = ids.show(GROUP, group.id)
    members = [
        GroupMember(value=each, ref=Reference["User"](f"{base}/Users/{each}"), type="User")
        for each in (ids.show(USER, member) for member in sorted(group.members))
    ]
    return _dated(
        Group(
            id=shown,
            external_id=group.external_id,
            display_name=group.display_name,
            members=members or None,
        ),
        f"{base}/Groups/{shown}",
        group.created_at,
        group.changed_at,
    )


R = TypeVar("R", User, Group)


def _dated(resource: R, location: str, created: datetime, changed: datetime) -> R:
    """With its meta. The version is of what is told, so that it changes with whatever changes that."""
    told = hashlib.sha256(resource.model_dump_json().encode()).hexdigest()[:16]
    resource.meta = Meta(
        resource_type=type(resource).__name__,
        created=created,
        last_modified=changed,
        location=location,
        version=f'W/"{told}"',
    )
    return resource


def _user_wish(user: User) -> UserWish:
    return UserWish.of(
        user_name=user.user_name or "",
        display_name=user.display_name or "",
        active=bool(user.active),
        external_id=user.external_id,
    )


def _group_wish(group: Group) -> GroupWish:
    members = [_member(each) for each in group.members or ()]
    return GroupWish.of(display_name=group.display_name or "", external_id=group.external_id, members=members)


def _member(member: GroupMember) -> UUID:
    named = member.value or str(member.ref or "").rpartition("/")[2]
    return ids.parse(USER, named, ScimMembersUnknown)


def _whole_user(payload: Mapping[str, Any], there: ScimUser | None) -> dict[str, Any]:
    return payloads.whole_user(payload, active=there is None or there.active)


def _whole_group(payload: Mapping[str, Any], _there: ScimGroup | None) -> dict[str, Any]:
    return payloads.whole_group(payload)


USERS: Kind[ScimUser, UserWish] = Kind(
    "Users",
    User,
    USER,
    ScimUserNotFound,
    show=_show_user,
    whole=_whole_user,
    wish=_user_wish,
    create=scim_users.create_user,
    get=scim_users.get_user,
    list=scim_users.list_users,
    change=scim_users.change_user,
    delete=scim_users.delete_user,
)
GROUPS: Kind[ScimGroup, GroupWish] = Kind(
    "Groups",
    Group,
    GROUP,
    ScimGroupNotFound,
    show=_show_group,
    whole=_whole_group,
    wish=_group_wish,
    create=scim_groups.create_group,
    get=scim_groups.get_group,
    list=scim_groups.list_groups,
    change=scim_groups.change_group,
    delete=scim_groups.delete_group,
)
