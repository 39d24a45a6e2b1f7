"""Accounts at providers that a person is known by. Never does I/O."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from auth.domain.sso import SOCIAL
from servicekit.errors import AppError, Kind

_NAMES = UUID("3c0c1c5e-6f0f-5b8e-9d0e-2d7f3f0f8a61")
"""What the ids of identities are derived in."""


class IdentityNotFound(AppError):
    """The id is not one of an account at a provider that is linked to the caller's."""

    kind = Kind.NOT_FOUND
    reason = "IDENTITY_NOT_FOUND"
    detail = "There is no such linked account."


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider means by a subject of its own."""

    realm: UUID
    issuer: str
    subject: str
    created_at: datetime

    @property
    def id(self) -> UUID:
        """Always the same for the same subject of a provider; tells nobody the subject."""
        return uuid5(_NAMES, f"{self.realm}\x00{self.issuer}\x00{self.subject}")

    @property
    def organization_id(self) -> UUID | None:
        """Whose connection it came by; None for a social one."""
        return None if self.realm == SOCIAL else self.realm
