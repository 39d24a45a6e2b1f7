"""Roles and what they grant: the built-in ones and an organization's own. Never does I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from servicekit import permissions
from servicekit.errors import AppError, Kind, VersionMismatch
from servicekit.permissions import OWNER

MOST_ROLES = 50
"""How many roles of its own an organization may have."""


class RoleNotFound(AppError):
    """The id is not one of a role of the organization."""

    kind = Kind.NOT_FOUND
    reason = "ROLE_NOT_FOUND"
    detail = "There is no such role."


class RoleNameTaken(AppError):
    """Another role of the organization, or a built-in one, has the name."""

    kind = Kind.EXISTS
    reason = "ROLE_NAME_TAKEN"
    detail = "Another role has this name."


class RoleInUse(AppError):
    """Members have the role, or open invitations offer it."""

    kind = Kind.REFUSED
    reason = "ROLE_IN_USE"
    detail = "Members have this role, or open invitations offer it."


class TooManyRoles(AppError):
    """The organization has as many roles of its own as it may."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_ROLES"
    detail = "An organization may have fifty roles of its own."


class PermissionUnknown(AppError):
    """No call needs such a permission."""

    kind = Kind.UNPROCESSABLE
    reason = "PERMISSION_UNKNOWN"
    detail = "There is no such permission; the list of roles shows all there are."


class PermissionNotHeld(AppError):
    """Somebody would give rights that they do not have, or take some from whoever has more."""

    kind = Kind.DENIED
    reason = "PERMISSION_NOT_HELD"
    detail = "You can give, take and change only what you may do yourself."


class OwnersOnly(AppError):
    """Only an owner, in a session of their own, makes, changes or removes owners."""

    kind = Kind.DENIED
    reason = "OWNERS_ONLY"
    detail = "Only an owner may do this."


@dataclass(frozen=True, slots=True)
class Grant:
    """What a membership allows."""

    role: str
    """A built-in role's name, or the typed id of one of the organization's own."""
    permissions: frozenset[str]
    venues: frozenset[UUID] = frozenset()
    """The venues that it is limited to; empty means all."""

    @classmethod
    def of(cls, role: str) -> "Grant":
        """That of a built-in role, in all venues."""
        return cls(role, permissions.of_role(role))


@dataclass(frozen=True, slots=True)
class Giver:
    """Whoever gives rights, as far as that matters."""

    permissions: frozenset[str]
    owner: bool = False
    venues: frozenset[UUID] | None = None
    """The venues that they are limited to; None means all."""

    def give(self, grant: Grant) -> None:
        """Makes sure that one may give these rights, or take them away.

        Raises:
            OwnersOnly: they are those of an owner.
            PermissionNotHeld: one does not have all of them, or not in all of these venues.
        """
        if grant.role == OWNER and not self.owner:
            raise OwnersOnly
        if not grant.permissions <= self.permissions:
            raise PermissionNotHeld
        if self.venues is not None and not (grant.venues and grant.venues <= self.venues):
            raise PermissionNotHeld


@dataclass(frozen=True, slots=True)
class Role:
    """A role of an organization's own."""

    organization_id: UUID
    id: UUID
    name: str
    permissions: frozenset[str]
    version: int = 1

    def refuse_unless_version(self, expected: int) -> None:
        """Raises VersionMismatch when somebody has changed it since; 0 expects nothing."""
        if expected not in {0, self.version}:
            raise VersionMismatch

    @classmethod
    def make(
        cls,
        id: UUID,  # noqa: A002
        *,
        organization_id: UUID,
        name: str,
        allowed: Iterable[str],
    ) -> "Role":
        """A new role.

        Raises:
            PermissionUnknown: it would allow what nothing asks for.
            RoleNameTaken: a built-in role has the name.
        """
        return replace(
            cls(organization_id, id, "", frozenset()).change(name=name, allowed=allowed), version=1
        )

    def change(self, *, name: str, allowed: Iterable[str]) -> "Role":
        """The role with another name and other permissions, or as it is. Raises as `make` does."""
        granted = frozenset(allowed)
        if not granted <= permissions.ALL:
            raise PermissionUnknown
        stripped = name.strip()
        if stripped.lower() in permissions.ROLES:
            raise RoleNameTaken
        changed = replace(self, name=stripped, permissions=granted)
        return self if changed == self else replace(changed, version=self.version + 1)
