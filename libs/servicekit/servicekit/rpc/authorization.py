"""Whether a caller may call an RPC, by the RPC's policy. Needs no database, so the gateway asks it too."""

from collections.abc import Callable, Mapping

from comptoir.api.v1 import policy_pb2
from servicekit import permissions
from servicekit.errors import PermissionDenied, Unauthenticated
from servicekit.identity import Caller, CallerKind


def authorize(policy: policy_pb2.Policy, caller: Caller) -> None:
    """Lets the caller pass or refuses.

    Raises:
        Unauthenticated: the RPC needs another kind of caller.
        PermissionDenied: the kind is right, but not the permission or the service.
    """
    audience = policy.audience
    if audience == policy_pb2.AUDIENCE_PUBLIC:
        return
    if audience not in _WANTED:
        raise PermissionDenied
    if not _WANTED[audience](caller):
        raise Unauthenticated
    if audience == policy_pb2.AUDIENCE_MEMBER and not _may(policy.permission, caller):
        raise PermissionDenied
    if audience == policy_pb2.AUDIENCE_INTERNAL and caller.issuer not in policy.callers:
        raise PermissionDenied


_WANTED: Mapping[int, Callable[[Caller], bool]] = {
    policy_pb2.AUDIENCE_GUEST: lambda caller: caller.issuer == "gateway",
    policy_pb2.AUDIENCE_MEMBER: lambda caller: (
        caller.kind is CallerKind.MEMBER and caller.organization is not None
    ),
    policy_pb2.AUDIENCE_PLATFORM: lambda caller: caller.kind is CallerKind.PLATFORM,
    policy_pb2.AUDIENCE_INTERNAL: lambda caller: caller.kind is CallerKind.SERVICE,
}


def _may(permission: str, caller: Caller) -> bool:
    return permission == permissions.SELF or permission in caller.permissions
