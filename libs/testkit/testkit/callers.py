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


def service(name: str, organization: UUID | None = None) -> Caller:
    """Another service."""
    return Caller(CallerKind.SERVICE, name, organization)
