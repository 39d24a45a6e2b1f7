"""What each built-in role may do. The policy on every RPC names the permission; this is the other half."""

from types import MappingProxyType

_VIEWER = frozenset({"venues.read", "bookings.read", "tickets.read", "analytics.read", "notifications.read"})
_HOST = _VIEWER | {"bookings.write", "tickets.write"}
_ACCOUNTANT = frozenset({"venues.read", "bookings.read", "payments.read", "analytics.read"})
_MANAGER = _HOST | {"venues.write", "payments.read", "webhooks.read", "members.read"}
_ADMIN = _MANAGER | {
    "webhooks.write",
    "members.write",
    "roles.write",
    "audit.read",
    "privacy.read",
    "privacy.write",
    "keys.read",
    "keys.write",
}
# What lets somebody in by another door, like the company's own log-in, could make them anybody.
_OWNER = _ADMIN | {"organization.write"}

OWNER = "owner"
ROLES = MappingProxyType(
    {
        OWNER: _OWNER,
        "admin": _ADMIN,
        "manager": _MANAGER,
        "host": _HOST,
        "accountant": _ACCOUNTANT,
        "viewer": _VIEWER,
    }
)
"""The built-in roles. An organization may have more of its own: auth keeps them, access tokens carry what
they may do, and nothing else ever asks for a role by its name."""

ALL = _OWNER
"""Every permission there is; owners have them all."""

SELF = "self"
"""The permission of calls about the caller only: every member and every operator has it."""
BY_CONNECTION = "fed"
"""The method (`amr`) of whoever an organization's connection vouched for. It counts in that one alone,
and not for what is the person's own."""

_SUPPORT = frozenset({"organizations.read", "organizations.access", "operators.read"})
OPERATOR_ROLES = MappingProxyType({"support": _SUPPORT, "admin": _SUPPORT | {"operators.write"}})
"""What operators of the platform may do there. None of it is a permission of members."""

BREAK_GLASS_READ = frozenset(
    {
        "venues.read",
        "bookings.read",
        "tickets.read",
        "payments.read",
        "notifications.read",
        "analytics.read",
        "webhooks.read",
        "members.read",
        "keys.read",
        "audit.read",
    }
)
"""What an operator with access to an organization may do there: look. Named one by one, so that a new
permission of members is not one of theirs until somebody has thought of it."""
BREAK_GLASS_WRITE = BREAK_GLASS_READ | {"venues.write", "bookings.write"}
"""The same with access that writes. Nothing that outlives it or lets somebody in: no people, roles, keys, no
organization, no partner's address that events would go to from then on; and no letters to guests."""


def of_role(role: str) -> frozenset[str]:
    """The permissions of a built-in role; none for a role that is not built in."""
    return ROLES.get(role, frozenset())
