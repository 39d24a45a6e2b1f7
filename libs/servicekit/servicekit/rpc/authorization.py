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
        FreshAuthenticationRequired: all of it is right, but the last credentials are too old; or an operator
            gave a recovery code, which counts for nothing of the kind; or the organization's connection
            vouched for a person, where their own credentials are wanted.
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
    if policy.fresh and not _fresh(caller):
        raise FreshAuthenticationRequired
    if (policy.fresh or policy.own) and not _own(policy, caller):
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


def _fresh(caller: Caller) -> bool:
    age = time.time() - caller.authenticated_at
    if caller.kind is CallerKind.PLATFORM:
        # Recovery codes are on paper: whoever finds them makes no operator, who would then have access.
        return age < OPERATOR_FRESH_SECONDS and "otp" in caller.methods
    return age < FRESH_SECONDS


def _own(policy: policy_pb2.Policy, caller: Caller) -> bool:
    """Whether the credentials are the person's own, where they act for themselves and for no organization.

    Whoever runs an organization's provider vouches for its people there. It must not give them factors, or
    another address, by which they are got at elsewhere.
    """
    return policy.permission != permissions.SELF or permissions.BY_CONNECTION not in caller.methods


def _operates(policy: policy_pb2.Policy, caller: Caller) -> bool:
    return policy.permission == permissions.SELF or policy.permission in caller.permissions


def _may(policy: policy_pb2.Policy, caller: Caller) -> bool:
    if caller.operator is not None and (policy.fresh or policy.permission == permissions.SELF):
        return False  # by break-glass one is nobody here, and gives no credentials
    if policy.permission == permissions.SELF:
        return caller.key is None  # a key is nobody
    venues_kept = caller.venues is None or bool(policy.venue_field) or policy.venue_in_service
    return venues_kept and policy.permission in caller.permissions
