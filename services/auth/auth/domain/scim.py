"""People and groups as an organization's provider manages them by SCIM. Never does I/O."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from unicodedata import normalize
from uuid import UUID

from auth.domain import accounts
from auth.domain.connections import Connection, Rules
from auth.domain.roles import Role
from servicekit import ids, permissions
from servicekit.errors import AppError, Kind
from servicekit.permissions import OWNER

LONGEST_NAME = 100
"""Of a person."""
LONGEST_GROUP_NAME = 200
"""As long as a value of a role mapping."""
LONGEST_EXTERNAL_ID = 255
_LONGEST_ADDRESS = 254
_MAILBOX = re.compile(
    r"[0-9a-z!#$%&*+/=?^_`{|}~'-]+(\.[0-9a-z!#$%&*+/=?^_`{|}~'-]+)*"
    r"@[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?(\.[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?)*"
)


class ScimUserNotFound(AppError):
    """The id is not one of a person whom this connection manages."""

    kind = Kind.NOT_FOUND
    reason = "SCIM_USER_NOT_FOUND"
    detail = "There is no such user."


class ScimGroupNotFound(AppError):
    """The id is not one of a group of this connection."""

    kind = Kind.NOT_FOUND
    reason = "SCIM_GROUP_NOT_FOUND"
    detail = "There is no such group."


class ScimUserNameTaken(AppError):
    """Another person has the address, or the connection manages them already."""

    kind = Kind.EXISTS
    reason = "SCIM_USER_NAME_TAKEN"
    detail = "Another user has this userName."


class ScimGroupNameTaken(AppError):
    """Another group of the connection has the name."""

    kind = Kind.EXISTS
    reason = "SCIM_GROUP_NAME_TAKEN"
    detail = "Another group has this displayName."


class ScimAddressNotOfDomain(AppError):
    """The address, the old one or the new one, is of no verified domain of the connection."""

    kind = Kind.UNPROCESSABLE
    reason = "SCIM_ADDRESS_NOT_OF_DOMAIN"
    detail = "userName must be an e-mail address of a verified domain of this connection."


class ScimValueInvalid(AppError):
    """A name or an id is empty, too long, or holds control characters."""

    kind = Kind.UNPROCESSABLE
    reason = "SCIM_VALUE_INVALID"
    detail = "A name or an externalId is empty, too long, or holds control characters."


class ScimMembersUnknown(AppError):
    """A member of a group is no person whom this connection manages. Groups hold no groups."""

    kind = Kind.UNPROCESSABLE
    reason = "SCIM_MEMBERS_UNKNOWN"
    detail = "Members must be users of this connection, by their id. Groups hold no groups."


class ScimOwnerKept(AppError):
    """Owners are neither moved, deactivated nor deleted by a provider: members make and unmake owners."""

    kind = Kind.DENIED
    reason = "SCIM_OWNER_KEPT"
    detail = "This person owns the organization. Hand the ownership over first."


class ScimPersonShared(AppError):
    """The person belongs to other organizations as well: no single one's provider moves their account."""

    kind = Kind.DENIED
    reason = "SCIM_PERSON_SHARED"
    detail = "This person belongs to other organizations, too. They change their address themselves."


class ScimRoleGone(AppError):
    """The role that the connection would give does not exist any more."""

    kind = Kind.REFUSED
    reason = "SCIM_ROLE_GONE"
    detail = "The connection gives a role that does not exist any more. Change the connection."


class ScimNotProvisioned(AppError):
    """The organization's provider decides by SCIM who is a member, and this person is none."""

    kind = Kind.REFUSED
    reason = "SCIM_NOT_PROVISIONED"
    detail = "Your organization has not given you access. Ask whoever manages its accounts."


@dataclass(frozen=True, slots=True)
class UserWish:
    """What a provider wants a person to be."""

    email: str
    display_name: str
    active: bool
    external_id: str | None = None

    @classmethod
    def of(cls, *, user_name: str, display_name: str, active: bool, external_id: str | None) -> "UserWish":
        """The wish in the form that is kept.

        Raises:
            ScimAddressNotOfDomain: `user_name` is no address.
            ScimValueInvalid: a name or an id cannot be.
        """
        email = accounts.normalise_email(user_name)
        if len(email) > _LONGEST_ADDRESS or not _MAILBOX.fullmatch(email):
            raise ScimAddressNotOfDomain
        return cls(email, _text(display_name, LONGEST_NAME), active, _id(external_id))


@dataclass(frozen=True, slots=True)
class GroupWish:
    """What a provider wants a group to be."""

    display_name: str
    external_id: str | None = None
    members: frozenset[UUID] = frozenset()

    @classmethod
    def of(cls, *, display_name: str, external_id: str | None, members: Collection[UUID]) -> "GroupWish":
        """The wish in the form that is kept.

        Raises:
            ScimValueInvalid: the name or the id cannot be.
        """
        return cls(_text(display_name, LONGEST_GROUP_NAME), _id(external_id), frozenset(members))


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group as its members see it."""

    id: UUID
    display_name: str
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ScimUser:
    """A person whom a connection manages. `active` is whether they are a member by now, however that came."""

    id: UUID
    user_id: UUID
    email: str
    display_name: str
    active: bool
    external_id: str | None
    granted_role: str
    """What their groups made of them the last time; empty for nothing."""
    created_at: datetime
    changed_at: datetime
    groups: tuple[GroupName, ...] = ()
    venues: frozenset[UUID] = frozenset()
    """Those that they were limited to when they went the last time; empty for all."""

    @property
    def wish(self) -> UserWish:
        """What would change nothing."""
        return UserWish(self.email, self.display_name, self.active, self.external_id)


@dataclass(frozen=True, slots=True)
class ScimGroup:
    """A group of a connection's provider."""

    id: UUID
    display_name: str
    external_id: str | None
    created_at: datetime
    changed_at: datetime
    members: frozenset[UUID] = field(default=frozenset())
    """The ids of users of the connection."""

    @property
    def wish(self) -> GroupWish:
        """What would change nothing."""
        return GroupWish(self.display_name, self.external_id, self.members)


def role_of_groups(rules: Rules, own_roles: Sequence[Role], groups: Collection[GroupName]) -> str:
    """What groups make of somebody; empty when they make nothing. Never an owner.

    With a role mapping, the first of its lines that names one of the groups, by name or externalId. Without
    one, the first role that a group is called like: built-in ones from admin down to viewer, then own ones.
    """
    if rules.roles:
        said = {each.display_name for each in groups} | {each.external_id for each in groups}
        return next((role for value, role in rules.roles if value in said and role != OWNER), "")
    named = {each.display_name.lower() for each in groups}
    built_in = [role for role in permissions.ROLES if role != OWNER and role in named]
    own = [ids.show("rol", each.id) for each in own_roles if each.name.lower() in named]
    return next(iter([*built_in, *own]), "")


def refuse_foreign(connection: Connection, *addresses: str) -> None:
    """Makes sure that all are of verified domains of the connection.

    Raises:
        ScimAddressNotOfDomain: one is not.
    """
    if not all(connection.speaks_for(each) for each in addresses):
        raise ScimAddressNotOfDomain


def _text(text: str, most: int) -> str:
    stripped = normalize("NFC", text.strip())
    if not stripped or len(stripped) > most or not stripped.isprintable():
        raise ScimValueInvalid
    return stripped


def _id(text: str | None) -> str | None:
    if text is not None and (not text or len(text) > LONGEST_EXTERNAL_ID or not text.isprintable()):
        raise ScimValueInvalid
    return text
