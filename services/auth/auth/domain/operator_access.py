"""Break-glass: an operator's access to an organization, for a reason and for minutes. Never does I/O."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from auth.domain.operators import OperatorRole
from auth.domain.roles import Grant
from auth.domain.sessions import Session
from servicekit import permissions
from servicekit.errors import AppError, FreshAuthenticationRequired, Kind, PermissionDenied

LONGEST = timedelta(minutes=60)
FRESH = timedelta(minutes=10)
"""How old the code of the authenticator app may be with which access begins."""
ROLE = "operator"
"""The role that its tokens name; no role of members is called so."""


class OperatorAccessNotFound(AppError):
    """The id is not one of an access to the caller's organization, or of the calling operator."""

    kind = Kind.NOT_FOUND
    reason = "OPERATOR_ACCESS_NOT_FOUND"
    detail = "There is no such access."


class OperatorAccessOver(AppError):
    """The access has ended: by itself, by the operator, or by the organization."""

    kind = Kind.REFUSED
    reason = "OPERATOR_ACCESS_OVER"
    detail = "This access is over. Begin another one, with a reason."


class AccessEnd(StrEnum):
    """Why access is over."""

    EXPIRED = "expired"
    OPERATOR = "operator"
    ORGANIZATION = "organization"
    SESSION_ENDED = "operator_session_ended"


@dataclass(frozen=True, slots=True)
class FoundOrganization:
    """What operators see of an organization without access to it."""

    id: UUID
    name: str
    plan: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """What an operator says who asks for access. All of it is shown to the organization."""

    reason: str
    ticket: str
    length: timedelta
    """An hour at most."""
    write: bool


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """A call that an operator is about to make in an organization. Nothing of its body, nor of its query."""

    id: UUID
    """Made by the gateway for this one call."""
    operator_id: UUID
    access_id: UUID
    call: str
    """The operation id of the OpenAPI document."""
    touched: tuple[str, ...]
    """The typed ids that the path names."""
    address: str
    request_id: str


@dataclass(frozen=True, slots=True)
class OperatorAccess:
    """An operator in an organization. Its id plays the part that a session's plays in tokens."""

    organization_id: UUID
    id: UUID
    operator_id: UUID
    operator_name: str
    session_id: UUID
    """The operator's session that it was begun in: it ends with it."""
    reason: str
    ticket: str
    write: bool
    began_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None
    end_reason: AccessEnd | None = None

    @property
    def grant(self) -> Grant:
        """What the operator may do there."""
        allowed = permissions.BREAK_GLASS_WRITE if self.write else permissions.BREAK_GLASS_READ
        return Grant(ROLE, allowed)

    @property
    def length(self) -> timedelta:
        """For how long it was asked for."""
        return self.ends_at - self.began_at

    def token_lifetime(self, most: timedelta, *, now: datetime) -> timedelta:
        """How long a token of it may hold: never longer than the access.

        Raises:
            OperatorAccessOver: it has ended.
        """
        if not self.holds(now=now):
            raise OperatorAccessOver
        return min(most, self.ends_at - now)

    def holds(self, *, now: datetime) -> bool:
        """Whether it is neither ended nor out of time."""
        return self.ended_at is None and now < self.ends_at

    def end(self, reason: AccessEnd, *, now: datetime) -> "OperatorAccess":
        """The access, over; it stays over since the first time, and for the first reason."""
        return self if self.ended_at else replace(self, ended_at=now, end_reason=reason)


def refuse_access(role: OperatorRole, session: Session, *, write: bool, now: datetime) -> None:
    """Lets an operator begin access, or refuses.

    Raises:
        PermissionDenied: access that writes is for admins.
        FreshAuthenticationRequired: the last code of the authenticator app is too old, or there was none.
    """
    if write and not role.writes:
        raise PermissionDenied
    if "otp" not in session.methods or session.authenticated_at <= now - FRESH:
        raise FreshAuthenticationRequired
