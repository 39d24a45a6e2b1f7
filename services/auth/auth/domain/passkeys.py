"""Passkeys (WebAuthn Level 3 credentials) of a person, and when the last way in must stay. Never does I/O."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from servicekit.errors import AppError, Kind

MOST_PASSKEYS = 20


class PasskeyNotFound(AppError):
    """The id is not one of the caller's passkeys."""

    kind = Kind.NOT_FOUND
    reason = "PASSKEY_NOT_FOUND"
    detail = "There is no such passkey."


class PasskeyRefused(AppError):
    """The answer is no passkey for this site and challenge, is too late, or does not verify its person."""

    kind = Kind.UNPROCESSABLE
    reason = "PASSKEY_REFUSED"
    detail = "This passkey was not accepted. Begin again."


class PasskeyUnknown(AppError):
    """The passkey is not known, or its answer does not hold; which one is not told."""

    kind = Kind.UNAUTHENTICATED
    reason = "PASSKEY_UNKNOWN"
    detail = "This passkey does not open an account here."


class PasskeyExists(AppError):
    """The authenticator is registered already."""

    kind = Kind.EXISTS
    reason = "PASSKEY_EXISTS"
    detail = "This passkey is registered already."


class TooManyPasskeys(AppError):
    """The person has 20 passkeys."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_PASSKEYS"
    detail = "There are 20 passkeys already. Remove one first."


class LastWayIn(AppError):
    """The passkey is the only way into the account: without it nobody could log in any more."""

    kind = Kind.REFUSED
    reason = "LAST_WAY_IN"
    detail = "This is the only way into your account. Add another one first."


@dataclass(frozen=True, slots=True)
class Passkey:
    """A discoverable credential that verifies its person."""

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    """In COSE's form (RFC 9052)."""
    sign_count: int
    """What the authenticator said last; 0 for those that do not count."""
    transports: tuple[str, ...]
    backup_eligible: bool
    """Whether it may be copied to other devices of the person."""
    backed_up: bool
    name: str
    created_at: datetime
    last_used_at: datetime | None = None

    @property
    def method(self) -> str:
        """Its value of `amr` (RFC 8176): a key that never leaves its device, or one that is synchronized."""
        return "swk" if self.backup_eligible else "hwk"

    def used(self, *, sign_count: int, backed_up: bool, now: datetime) -> "Passkey":
        """After an assertion that was verified."""
        return replace(self, sign_count=sign_count, backed_up=backed_up, last_used_at=now)


def refuse_last_way_in(*, has_password: bool, other_passkeys: int) -> None:
    """Lets a passkey go, or refuses.

    Raises:
        LastWayIn: nothing else opens the account.
    """
    if not has_password and other_passkeys == 0:
        raise LastWayIn
