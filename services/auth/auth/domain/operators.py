"""Operators: who runs the platform. They are no users, and never without a second factor. Never does I/O."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from auth.domain.accounts import token_hash
from auth.domain.challenges import FailedAttempts
from auth.domain.roles import Grant
from auth.domain.sessions import Lifetimes
from servicekit import permissions
from servicekit.errors import AppError, Kind

SECRET_LIFETIME = timedelta(hours=24)
"""How long the secret of an enrolment holds."""
CHALLENGE_LIFETIME = timedelta(seconds=300)
_ACCESS_TOKEN = timedelta(minutes=10)
_SESSION = timedelta(hours=8)
_IDLE = timedelta(minutes=30)
_TOKEN_BYTES = 32


class OperatorNotFound(AppError):
    """The id or the address is not one of an operator."""

    kind = Kind.NOT_FOUND
    reason = "OPERATOR_NOT_FOUND"
    detail = "There is no such operator."


class OperatorExists(AppError):
    """Another operator has the address."""

    kind = Kind.EXISTS
    reason = "OPERATOR_EXISTS"
    detail = "Another operator has this address."


class OperatorIsYou(AppError):
    """Operators do not disable themselves, nor give themselves another second factor."""

    kind = Kind.REFUSED
    reason = "OPERATOR_IS_YOU"
    detail = "Another operator has to do this, or the command in the pod."


class EnrolmentInvalid(AppError):
    """The secret of the enrolment is wrong, expired, used, or a newer one has taken its place."""

    kind = Kind.NOT_FOUND
    reason = "ENROLMENT_INVALID"
    detail = "This enrolment does not hold (any more). Ask another operator for a new one."


class OperatorRole(StrEnum):
    """What an operator may do: see `permissions.OPERATOR_ROLES`."""

    SUPPORT = "support"
    ADMIN = "admin"

    @property
    def writes(self) -> bool:
        """Whether they may have access to an organization that writes."""
        return self is OperatorRole.ADMIN


class Purpose(StrEnum):
    """What the secret of an operator is for; it serves nothing else."""

    ENROLMENT = "enrolment"
    LOG_IN = "log_in"


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who runs the platform."""

    id: UUID
    email: str
    display_name: str
    role: OperatorRole
    created_at: datetime
    password_hash: str = ""
    """Empty until they enrol."""
    enrolled_at: datetime | None = None
    disabled_at: datetime | None = None
    failed_at: tuple[datetime, ...] = ()
    """When their second factors were wrong, as far back as any limit looks."""

    @property
    def active(self) -> bool:
        """Whether they may log in: they have both factors, and are not disabled."""
        return self.enrolled_at is not None and self.disabled_at is None

    @property
    def grant(self) -> Grant:
        """What they may do on the platform."""
        return Grant(self.role.value, permissions.OPERATOR_ROLES[self.role.value])

    @property
    def attempts(self) -> FailedAttempts:
        """Their wrong second factors."""
        return FailedAttempts(self.failed_at)

    def start_anew(self) -> "Operator":
        """The operator, without password and no longer enrolled, but not disabled either."""
        return replace(self, password_hash="", enrolled_at=None, disabled_at=None, failed_at=())

    def enrol(self, password_hash: str, *, now: datetime) -> "Operator":
        """The operator, who may log in from now on."""
        return replace(self, password_hash=password_hash, enrolled_at=now)

    def disable(self, *, now: datetime) -> "Operator":
        """The operator, over since the first time."""
        return (
            self if self.disabled_at else replace(self, disabled_at=now, password_hash="", enrolled_at=None)
        )

    def missed(self, *, now: datetime) -> "Operator":
        """The operator after another wrong second factor."""
        return replace(self, failed_at=self.attempts.with_one_more(now).moments)


@dataclass(frozen=True, slots=True)
class OperatorSecret:
    """A secret that an operator was given: to enrol with, or for the second step of a log-in. Kept hashed."""

    token_hash: bytes
    operator_id: UUID
    purpose: Purpose
    expires_at: datetime

    @classmethod
    def issue(cls, operator_id: UUID, purpose: Purpose, *, now: datetime) -> "tuple[str, OperatorSecret]":
        """256 random bits, and what is kept of them."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        holds = SECRET_LIFETIME if purpose is Purpose.ENROLMENT else CHALLENGE_LIFETIME
        return token, cls(token_hash(token), operator_id, purpose, now + holds)


def lifetimes(access_token: timedelta) -> Lifetimes:
    """How long an operator's tokens and sessions hold; `access_token` as for members, if that is shorter."""
    return Lifetimes(access_token=min(access_token, _ACCESS_TOKEN), session=_SESSION, idle=_IDLE)
