"""Mails about accounts: what they are for and how long their links hold. Never does I/O."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from auth.domain.accounts import token_hash
from servicekit.errors import AppError, Kind

_TOKEN_BYTES = 32
_NOTICE_KEPT = timedelta(days=2)
"""Longer than notification goes on trying to send a mail."""


class LinkInvalid(AppError):
    """The token of the link is wrong, expired, used, or a newer link has taken its place."""

    kind = Kind.NOT_FOUND
    reason = "LINK_INVALID"
    detail = "This link does not hold (any more). Ask for another one."


class AccountMailNotFound(AppError):
    """The id is not one of a mail."""

    kind = Kind.NOT_FOUND
    reason = "ACCOUNT_MAIL_NOT_FOUND"
    detail = "There is no such mail."


class MailKind(StrEnum):
    """What a mail about an account says. Notification has a text of the same name."""

    PASSWORD_RESET = "password_reset"  # noqa: S105  # a kind, no secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    EMAIL_CHANGE = "email_change"
    """To the new address: follow the link, and it is yours."""
    EMAIL_CHANGED = "email_changed"
    """To the old address: follow the link to take the change back."""
    NEW_DEVICE = "new_device"
    ACCOUNT_DELETED = "account_deleted"
    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    IDENTITY_LINKED = "identity_linked"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    RECOVERY_CODE_USED = "recovery_code_used"
    SESSIONS_ENDED = "sessions_ended"
    """Somebody who manages an organization's members has ended all sessions that the person had there."""
    EXPORT_READY = "export_ready"
    OPERATOR_ACCESS = "operator_access"
    """To the owners of an organization: an operator of the platform has access to it."""
    DOMAIN_MISSING = "domain_missing"
    """To the owners of an organization: the record of a verified domain is not there."""
    DOMAIN_LOST = "domain_lost"
    """To the same: it was not there for so long that the domain is not verified any more."""
    OPERATORS_CHANGED = "operators_changed"
    """To the operators of the platform: one was added, is to enrol anew, or made recovery codes."""

    @property
    def holds(self) -> timedelta:
        """How long its link holds; for a mail without one, how long it may still be sent."""
        return _LINKS.get(self, _NOTICE_KEPT)

    @property
    def has_link(self) -> bool:
        """Whether it carries a secret."""
        return self in _LINKS


_LINKS = {
    MailKind.PASSWORD_RESET: timedelta(minutes=30),
    MailKind.EMAIL_CHANGE: timedelta(hours=24),
    MailKind.EMAIL_CHANGED: timedelta(days=7),
}


@dataclass(frozen=True, slots=True)
class AccountMail:
    """Somebody who is to be written to. Its links hold while it is kept: one that was used deletes it."""

    id: UUID
    kind: MailKind
    email: str
    """Where it goes. The address that a link is about is this one: it was mailed there."""
    created_at: datetime
    expires_at: datetime
    user_id: UUID | None = None
    """None for a wish to reset a password, which is taken in for any address; and for whoever has left."""
    display_name: str = ""
    language: str = ""
    device: str = ""
    address: str = ""
    """The network address that it speaks of."""
    access_id: UUID | None = None
    """The operator's access that it speaks of."""
    domain: str = ""
    """The organization's domain that it speaks of."""
    verified_until: datetime | None = None
    """Until when that stays verified, at least; None when it is not any more."""
    organization_name: str = ""
    """The organization where sessions were ended."""

    def over(self, now: datetime) -> bool:
        """Whether it is neither sent nor acted upon any more."""
        return now >= self.expires_at


def fresh_token() -> tuple[str, bytes]:
    """The secret of a link, of 256 random bits, and its hash, which is what is kept."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, token_hash(token)
