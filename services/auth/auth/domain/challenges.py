"""Second steps: what a log-in waits for, how often one may try, and devices that are remembered. No I/O."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from servicekit.errors import RETRY_AFTER, AppError, Kind

CHALLENGE_LIFETIME = timedelta(seconds=300)
DEVICE_LIFETIME = timedelta(days=30)
MOST_DEVICES = 20
"""How many are remembered for one person; a further one takes the place of the oldest."""
LIMITS = (
    (5, timedelta(minutes=5)),
    (20, timedelta(hours=1)),
    (50, timedelta(days=1)),
)
"""How many answers may be wrong in how long, for one person: PyPI's limits."""
_LONGEST = max(window for _, window in LIMITS)
_TOKEN_BYTES = 32


class ChallengeInvalid(AppError):
    """The second step is not ours, was made already, or waited longer than five minutes."""

    kind = Kind.UNAUTHENTICATED
    reason = "CHALLENGE_INVALID"
    detail = "This log-in does not wait (any more). Begin it again."


class SecondFactorWrong(AppError):
    """The code, the recovery code or the passkey is not one of the person's, or was used before."""

    kind = Kind.UNAUTHENTICATED
    reason = "SECOND_FACTOR_WRONG"
    detail = "This is not right, or it was used before."


class SecondFactorRequired(AppError):
    """The person has a second factor, so the password alone does not confirm who they are."""

    kind = Kind.DENIED
    reason = "SECOND_FACTOR_REQUIRED"
    detail = "Give your second factor, too: a code, a recovery code or a passkey."


class TooManyFactorAttempts(AppError):
    """Too many were wrong: of one person, 5 in five minutes, 20 in an hour, 50 in a day; or from a place."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_FACTOR_ATTEMPTS"
    detail = "Too many wrong second factors. Try again later."


class OneFactorWanted(AppError):
    """Several second factors were given, or none where one is wanted."""

    kind = Kind.UNPROCESSABLE
    reason = "ONE_FACTOR_WANTED"
    detail = "Give one of them: a code, a recovery code or a passkey."


class RememberedDeviceNotFound(AppError):
    """The id is not one of the caller's remembered devices."""

    kind = Kind.NOT_FOUND
    reason = "REMEMBERED_DEVICE_NOT_FOUND"
    detail = "There is no such remembered device."


class Factor(StrEnum):
    """What a second step can be made with."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"


class Purpose(StrEnum):
    """What a challenge is for; it serves nothing else."""

    SECOND_FACTOR = "second_factor"
    PASSKEY_REGISTRATION = "passkey_registration"
    PASSKEY_ASSERTION = "passkey_assertion"


@dataclass(frozen=True, slots=True)
class Challenge:
    """Something that waits for an answer, once and for five minutes. Only the hash of its secret is kept."""

    token_hash: bytes
    purpose: Purpose
    user_id: UUID | None
    """Whose answer is awaited; None for a passkey that is yet to say whose it is."""
    methods: tuple[str, ...]
    """How the person proved who they are so far, as in a session."""
    expires_at: datetime
    connection_id: UUID | None = None
    """The organization's connection that a log-in came by: it opens that organization alone."""
    provider: str | None = None
    """Which provider the connection had then (`Provider.identity`); None for one that does not say."""

    @classmethod
    def issue(
        cls,
        purpose: Purpose,
        user_id: UUID | None,
        *,
        now: datetime,
        methods: Iterable[str] = (),
        connection_id: UUID | None = None,
        provider: str | None = None,
    ) -> "tuple[bytes, Challenge]":
        """256 random bits and what is kept of them."""
        secret = secrets.token_bytes(_TOKEN_BYTES)
        given = tuple(sorted(set(methods)))
        expires_at = now + CHALLENGE_LIFETIME
        return secret, cls(secret_hash(secret), purpose, user_id, given, expires_at, connection_id, provider)


@dataclass(frozen=True, slots=True)
class GivenFactor:
    """A second factor as somebody gave it: a code, or the answer of a passkey."""

    factor: Factor
    secret: str

    @classmethod
    def one_of(cls, *, code: str, recovery_code: str, passkey: str) -> "GivenFactor | None":
        """The one that is not empty; None when all are.

        Raises:
            OneFactorWanted: several were given.
        """
        offered = {Factor.TOTP: code, Factor.RECOVERY_CODE: recovery_code, Factor.PASSKEY: passkey}
        given = [cls(factor, secret) for factor, secret in offered.items() if secret]
        if len(given) > 1:
            raise OneFactorWanted
        return given[0] if given else None


@dataclass(frozen=True, slots=True)
class PendingLogIn:
    """A log-in that waits for its second step."""

    challenge: str
    expires_in: int
    """Seconds."""
    factors: tuple[Factor, ...]
    """What the step can be made with."""


@dataclass(frozen=True, slots=True)
class FailedAttempts:
    """When one person's second factors were wrong, as far back as any limit looks."""

    moments: tuple[datetime, ...] = ()

    def refuse_more(self, now: datetime) -> None:
        """Lets a further try pass, or refuses it and says when to come again.

        Raises:
            TooManyFactorAttempts: one of the limits is reached.
        """
        waits = [
            recent[-most] + window - now
            for most, window in LIMITS
            if len(recent := sorted(each for each in self.moments if each > now - window)) >= most
        ]
        if waits:
            seconds = -(-max(waits) // timedelta(seconds=1))
            raise TooManyFactorAttempts(metadata={RETRY_AFTER: str(seconds)})

    def with_one_more(self, now: datetime) -> "FailedAttempts":
        """After another one; what no limit looks at any more is dropped."""
        kept = [each for each in self.moments if each > now - _LONGEST]
        return replace(self, moments=(*kept, now))


@dataclass(frozen=True, slots=True)
class RememberedDevice:
    """A browser that need not give the second factor for 30 days. Only the hash of its secret is kept."""

    id: UUID
    user_id: UUID
    token_hash: bytes
    device: str
    address: str
    created_at: datetime
    """When the second factor was given on it: for whatever needs fresh credentials this is what counts."""
    last_used_at: datetime
    expires_at: datetime

    @classmethod
    def remember(
        cls,
        id: UUID,  # noqa: A002
        user_id: UUID,
        *,
        device: str,
        address: str,
        now: datetime,
    ) -> "tuple[str, RememberedDevice]":
        """The secret for the browser and what is kept."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        hashed = secret_hash(token.encode())
        return token, cls(id, user_id, hashed, device, address, now, now, now + DEVICE_LIFETIME)


def secret_hash(secret: bytes) -> bytes:
    """What is kept of 256 random bits: there is nothing to guess, so SHA-256 is enough."""
    return hashlib.sha256(secret).digest()
