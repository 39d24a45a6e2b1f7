"""A person with an account, and when they may leave it. Never does I/O."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from servicekit.errors import AppError, Kind


class SoleOwner(AppError):
    """An organization has no other owner: transfer the ownership, or erase the organization, first."""

    kind = Kind.REFUSED
    reason = "SOLE_OWNER"
    detail = "You are the only owner of an organization. Hand it over first."


@dataclass(frozen=True, slots=True)
class User:
    """A person whose address is verified."""

    id: UUID
    email: str
    display_name: str
    language: str
    password_hash: str

    def may_leave(self, owned_alone: Collection[UUID]) -> None:
        """Lets the person delete their account, or not: no organization is ever without an owner.

        Raises:
            SoleOwner: they are the only owner of some, with other members or without.
        """
        if owned_alone:
            raise SoleOwner
