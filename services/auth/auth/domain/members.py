"""Who belongs to an organization, and that it never goes without an owner. Never does I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from auth.domain.roles import Grant
from servicekit.errors import AppError, Kind, VersionMismatch
from servicekit.permissions import OWNER

MOST_OWNED = 20
"""How many organizations one person may own."""


class OrganizationNotFound(AppError):
    """The id is not that of the session's organization, or the caller does not belong to it."""

    kind = Kind.NOT_FOUND
    reason = "ORGANIZATION_NOT_FOUND"
    detail = "There is no such organization."


class TooManyOrganizations(AppError):
    """The person owns as many organizations as anybody may."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_ORGANIZATIONS"
    detail = "You own as many organizations as anybody may."


class MemberNotFound(AppError):
    """The id is not that of a member of the organization."""

    kind = Kind.NOT_FOUND
    reason = "MEMBER_NOT_FOUND"
    detail = "There is no such member."


class LastOwner(AppError):
    """The organization would be left without an owner."""

    kind = Kind.REFUSED
    reason = "LAST_OWNER"
    detail = "An organization needs an owner. Make somebody else one first."


class MemberRemoved(AppError):
    """The organization has removed the person: their provider alone does not bring them back."""

    kind = Kind.REFUSED
    reason = "MEMBER_REMOVED"
    detail = "You were removed from this organization. Ask it for an invitation."


class NoOrganization(AppError):
    """The credentials are right, but the person belongs to no organization any more."""

    kind = Kind.REFUSED
    reason = "NO_ORGANIZATION"
    detail = "You belong to no organization any more. Ask for an invitation."


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant."""

    id: UUID
    name: str
    plan: str
    version: int = 1

    def rename(self, name: str, *, expected_version: int = 0) -> "Organization":
        """With another name, or as it is. Raises VersionMismatch when it has changed; 0 expects nothing."""
        if expected_version not in {0, self.version}:
            raise VersionMismatch
        stripped = name.strip()
        return self if stripped == self.name else replace(self, name=stripped, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class Member:
    """A person in an organization."""

    user_id: UUID
    display_name: str
    email: str
    grant: Grant
    role_name: str
    joined_at: datetime

    @property
    def owns(self) -> bool:
        """Whether the organization is theirs."""
        return self.grant.role == OWNER


def keep_an_owner(owners: Sequence[UUID], leaving: UUID) -> None:
    """Makes sure that there is an owner without `leaving`. `owners` are read under the organization's lock.

    Raises:
        LastOwner: there is none.
    """
    if leaving in owners and len(owners) == 1:
        raise LastOwner
