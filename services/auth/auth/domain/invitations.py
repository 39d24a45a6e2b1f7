"""Invitations: whom, to what, how long their links hold, and who may accept. Never does I/O."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from auth.domain.accounts import token_hash
from servicekit.errors import AppError, Kind

LIFETIME = timedelta(days=7)
KEPT = timedelta(days=30)
"""How long an invitation is remembered after its links stopped holding."""
MAILS = 5
"""How often one invitation is mailed at most."""
_TOKEN_BYTES = 32
_DEFAULT_LANGUAGE = "en"


class InvitationNotFound(AppError):
    """The id is not one of an open invitation of the organization."""

    kind = Kind.NOT_FOUND
    reason = "INVITATION_NOT_FOUND"
    detail = "There is no such invitation, or it is not open any more."


class InvitationTokenInvalid(AppError):
    """The secret of the link is wrong, or its invitation is over: expired, withdrawn, accepted by another."""

    kind = Kind.NOT_FOUND
    reason = "INVITATION_TOKEN_INVALID"
    detail = "This link does not hold (any more). Ask for another invitation."


class InvitationExists(AppError):
    """An invitation of the organization is open for the address; it can be sent again."""

    kind = Kind.EXISTS
    reason = "INVITATION_EXISTS"
    detail = "This address is invited already. Send that invitation again, or withdraw it."


class AlreadyMember(AppError):
    """A member of the organization has the address."""

    kind = Kind.EXISTS
    reason = "ALREADY_MEMBER"
    detail = "A member has this address."


class InvitationForAnother(AppError):
    """The invited address is not that of the caller's account: a link that was passed on lets nobody in."""

    kind = Kind.DENIED
    reason = "INVITATION_FOR_ANOTHER_ADDRESS"
    detail = "This invitation is for another address than that of your account."


class DisplayNameRequired(AppError):
    """The address has no account yet, and a new person needs a name."""

    kind = Kind.UNPROCESSABLE
    reason = "DISPLAY_NAME_REQUIRED"
    detail = "Tell your name: there is no account for this address yet."


class InvitationMailsSpent(AppError):
    """The invitation was mailed as often as it may be."""

    kind = Kind.REFUSED
    reason = "INVITATION_MAILS_SPENT"
    detail = "This invitation was sent five times already."


@dataclass(frozen=True, slots=True)
class Invitation:
    """Somebody who may become a member."""

    organization_id: UUID
    id: UUID
    email: str
    role: str
    """As in a Grant."""
    venues: frozenset[UUID]
    language: str
    invited_by: UUID | None
    """Who wrote or mailed it the last time, and stands for it; None for a key or an operator."""
    created_at: datetime
    expires_at: datetime
    mails: int = 1
    accepted_at: datetime | None = None
    accepted_by: UUID | None = None
    revoked_at: datetime | None = None

    @classmethod
    def write(
        cls,
        id: UUID,  # noqa: A002
        *,
        organization_id: UUID,
        email: str,
        role: str,
        venues: frozenset[UUID],
        language: str,
        invited_by: UUID | None,
        now: datetime,
    ) -> "Invitation":
        """A new one, which is open for seven days."""
        return cls(
            organization_id,
            id,
            email,
            role,
            venues,
            language or _DEFAULT_LANGUAGE,
            invited_by,
            created_at=now,
            expires_at=now + LIFETIME,
        )

    def is_open(self, now: datetime) -> bool:
        """Whether it can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at

    def send_again(self, now: datetime, *, by: UUID | None) -> "Invitation":
        """The invitation, open for seven days from now, for which `by` stands.

        Raises:
            InvitationNotFound: it is not open.
            InvitationMailsSpent: it was mailed five times.
        """
        if not self.is_open(now):
            raise InvitationNotFound
        if self.mails >= MAILS:
            raise InvitationMailsSpent
        return replace(self, mails=self.mails + 1, expires_at=now + LIFETIME, invited_by=by)

    def revoke(self, now: datetime) -> "Invitation":
        """The invitation, withdrawn. One that is over stays as it is."""
        return replace(self, revoked_at=now) if self.is_open(now) else self

    def accept(self, user_id: UUID, now: datetime) -> "Invitation":
        """The invitation, accepted by this person; by the same person again, as it was.

        Raises:
            InvitationTokenInvalid: it is not open, or somebody else accepted it.
        """
        if self.accepted_by == user_id:
            return self
        if not self.is_open(now):
            raise InvitationTokenInvalid
        return replace(self, accepted_at=now, accepted_by=user_id)


def new_link() -> tuple[str, bytes]:
    """The secret of a link, 256 random bits, and the hash that is kept of it."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, token_hash(token)
