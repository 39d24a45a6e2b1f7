"""Whether a caller may call an RPC, by the RPC's policy. Needs no database, so the gateway asks it too."""

import time
from collections.abc import Callable, Mapping

from google.protobuf.message import Message

from comptoir.api.v1 import policy_pb2
from servicekit import ids, permissions
from servicekit.errors import FreshAuthenticationRequired, PermissionDenied, Unauthenticated, VenueNotFound
from servicekit.identity import Caller, CallerKind

FRESH_SECONDS = 3600
"""How long credentials count as fresh."""
OPERATOR_FRESH_SECONDS = 600
"""The same for operators of the platform."""


def authorize(policy: policy_pb2.Policy, caller: Caller) -> None:
    """Lets the caller pass or refuses.

    Raises:
        Unauthenticated: the RPC needs another kind of caller.
        PermissionDenied: the kind is right, but not the permission or the service.
        FreshAuthenticationRequired: all of it is right, but the last credentials are too old.
    """
    audience = policy.audience
    if audience == policy_pb2.AUDIENCE_PUBLIC:
        return
    if audience not in _WANTED:
        raise PermissionDenied
    if not _WANTED[audience](caller):
        raise Unauthenticated
    if audience == policy_pb2.AUDIENCE_MEMBER and not _may(policy, caller):
        raise PermissionDenied
    if audience == policy_pb2.AUDIENCE_INTERNAL and caller.issuer not in policy.callers:
        raise PermissionDenied
    if audience == policy_pb2.AUDIENCE_PLATFORM and not _operates(policy, caller):
        raise PermissionDenied
    if policy.fresh and caller.authenticated_at <= time.time() - _fresh_seconds(caller):
        raise FreshAuthenticationRequired


def keep_to_venues(policy: policy_pb2.Policy, caller: Caller, request: Message) -> None:
    """Lets a member who is limited to venues name these alone, and by their ids: a slug needs the database.

    Raises:
        VenueNotFound: the request names another venue, or none that exists; which one is not told.
    """
    if caller.venues is None or not policy.venue_field:
        return
    if not caller.enters(ids.parse("ven", getattr(request, policy.venue_field), VenueNotFound)):
        raise VenueNotFound


_WANTED: Mapping[int, Callable[[Caller], bool]] = {
    policy_pb2.AUDIENCE_GUEST: lambda caller: caller.issuer == "gateway",
    policy_pb2.AUDIENCE_MEMBER: lambda caller: (
        caller.kind is CallerKind.MEMBER and caller.organization is not None
    ),
    policy_pb2.AUDIENCE_PLATFORM: lambda caller: (
        caller.kind is CallerKind.PLATFORM and caller.operator is not None
    ),
    policy_pb2.AUDIENCE_INTERNAL: lambda caller: caller.kind is CallerKind.SERVICE,
}


def _fresh_seconds(caller: Caller) -> int:
    return OPERATOR_FRESH_SECONDS if caller.kind is CallerKind.PLATFORM else FRESH_SECONDS


def _operates(policy: policy_pb2.Policy, caller: Caller) -> bool:
    return policy.permission == permissions.SELF or policy.permission in caller.permissions


def _may(policy: policy_pb2.Policy, caller: Caller) -> bool:
    if caller.operator is not None and (policy.fresh or policy.permission == permissions.SELF):
        return False  # by break-glass one is nobody here, and gives no credentials
    if policy.permission == permissions.SELF:
        return caller.key is None  # a key is nobody
    venues_kept = caller.venues is None or bool(policy.venue_field) or policy.venue_in_service
    return venues_kept and policy.permission in caller.permissions
