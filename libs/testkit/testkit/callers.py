"""Callers for tests of an edge."""

import time
from uuid import UUID

from servicekit import ids, permissions
from servicekit.identity import Caller, CallerKind


def anonymous() -> Caller:
    """Nobody in particular, as the gateway passes on."""
    return Caller(CallerKind.ANONYMOUS, "gateway")


def member(organization: UUID, role: str = "owner") -> Caller:
    """A member with a role who has just signed in."""
    return Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=organization,
        user=ids.new(),
        session=ids.new(),
        role=role,
        permissions=permissions.of_role(role),
        authenticated_at=int(time.time()),
        methods=frozenset({"pwd"}),
    )


def integration(organization: UUID, role: str = "owner") -> Caller:
    """Whoever calls with an API key that has the permissions of a role."""
    return Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=organization,
        permissions=permissions.of_role(role),
        key=ids.new(),
    )


def service(name: str, organization: UUID | None = None) -> Caller:
    """Another service."""
    return Caller(CallerKind.SERVICE, name, organization)


def operator(role: str = "admin") -> Caller:
    """An operator of the platform who has just signed in."""
    return Caller(
        CallerKind.PLATFORM,
        "gateway",
        session=ids.new(),
        role=role,
        permissions=permissions.OPERATOR_ROLES[role],
        authenticated_at=int(time.time()),
        methods=frozenset({"pwd", "otp"}),
        operator=ids.new(),
    )


def visitor(organization: UUID, *, write: bool = False) -> Caller:
    """An operator with access to an organization by break-glass."""
    return Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=organization,
        session=ids.new(),
        role="operator",
        permissions=permissions.BREAK_GLASS_WRITE if write else permissions.BREAK_GLASS_READ,
        methods=frozenset({"otp"}),
        operator=ids.new(),
    )
