"""What each built-in role may do. The policy on every RPC names the permission; this is the other half."""

from types import MappingProxyType

_VIEWER = frozenset({"venues.read", "bookings.read", "tickets.read", "analytics.read", "notifications.read"})
_HOST = _VIEWER | {"bookings.write", "tickets.write"}
_ACCOUNTANT = frozenset({"venues.read", "bookings.read", "payments.read", "analytics.read"})
_MANAGER = _HOST | {"venues.write", "payments.read", "webhooks.read"}
_ADMIN = _MANAGER | {"webhooks.write"}

ROLES = MappingProxyType(
    {
        "owner": _ADMIN,
        "admin": _ADMIN,
        "manager": _MANAGER,
        "host": _HOST,
        "accountant": _ACCOUNTANT,
        "viewer": _VIEWER,
    }
)

SELF = "self"
"""The permission of calls about the caller only: every member has it."""


def of_role(role: str) -> frozenset[str]:
    """The permissions of a role; none for a role that does not exist."""
    return ROLES.get(role, frozenset())
