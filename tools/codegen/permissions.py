"""`python -m tools.codegen.permissions`: writes docs/permissions.md, who may call what."""

from pathlib import Path

from google.api import annotations_pb2

from comptoir.api.v1 import policy_pb2
from servicekit import contract, permissions
from servicekit.contract import Rpc

TARGET = Path(__file__).resolve().parents[2] / "docs" / "permissions.md"

_HEAD = """# Permissions

Generated from the policies in `proto/` and the roles in `servicekit.permissions` by `make generate`.
The gateway and the service's interceptor both enforce it; an RPC without a policy is denied.
"Fresh" means that the caller gave credentials within the last hour, an operator within ten minutes. "Venues"
says what a member limited to venues may do: "named" and "found" are for theirs alone, and without either all
but `self` is denied to them.
"""
_AUDIENCES: dict[int, str] = {
    policy_pb2.AUDIENCE_PUBLIC: "anybody",
    policy_pb2.AUDIENCE_GUEST: "whoever holds the booking's link",
}
_VISITORS: dict[str, frozenset[str]] = {
    "operator": permissions.BREAK_GLASS_READ,
    "operator, writing": permissions.BREAK_GLASS_WRITE,
}
"""Operators who have access to an organization for minutes: never by `self`, and never what wants fresh."""
_MEMBERS: dict[str, frozenset[str]] = {**permissions.ROLES, **_VISITORS}


def render() -> str:
    """The document as it is committed."""
    rpcs = list(contract.rpcs().values())
    members = [rpc for rpc in rpcs if _audience(rpc) == policy_pb2.AUDIENCE_MEMBER]
    internal = [rpc for rpc in rpcs if _audience(rpc) == policy_pb2.AUDIENCE_INTERNAL]
    platform = [rpc for rpc in rpcs if _audience(rpc) == policy_pb2.AUDIENCE_PLATFORM]
    others = [rpc for rpc in rpcs if _audience(rpc) in _AUDIENCES]
    return "\n".join(
        [
            _HEAD,
            "## Roles",
            "",
            "Built in; an organization may make more of these permissions. Whoever may `roles.write` or",
            "`members.write` gives no permission that they lack themselves. Only owners make owners, and",
            "only they set up connections (SSO), whoever else may `organization.write`.",
            "",
            "An operator of the platform gets access to an organization for an hour at most (break-glass):",
            "its owners are mailed, the audit log says it, whoever may `organization.write` ends it. Such an",
            "operator looks, or also writes; is nobody there, so that `self` is denied; and is never fresh.",
            "",
            "`fresh`: by credentials of the last hour. `self` with `fresh` or `own`: by credentials of the",
            "person's own, where the organization's connection vouched for them. Other `self` calls reach",
            "that organization alone then.",
            "",
            f"| permission | {' | '.join(_MEMBERS)} |",
            f"|---|{'---|' * len(_MEMBERS)}",
            *(_permission_row(each) for each in sorted(permissions.ALL)),
            "",
            "## Members, by role",
            "",
            f"| RPC | HTTP | permission | venues | {' | '.join(_MEMBERS)} |",
            f"|---|---|---|---|{'---|' * len(_MEMBERS)}",
            *(_member_row(rpc) for rpc in members),
            "",
            "## Operators of the platform",
            "",
            f"| RPC | HTTP | permission | {' | '.join(permissions.OPERATOR_ROLES)} |",
            f"|---|---|---|{'---|' * len(permissions.OPERATOR_ROLES)}",
            *(_operator_row(rpc) for rpc in platform),
            "",
            "## Without signing in",
            "",
            "| RPC | HTTP | who |",
            "|---|---|---|",
            *(f"| {_name(rpc)} | {_http(rpc)} | {_AUDIENCES[_audience(rpc)]} |" for rpc in others),
            "",
            "## Between services",
            "",
            "| RPC | callers |",
            "|---|---|",
            *(
                f"| {_name(rpc)} | {', '.join(rpc.policy.callers) if rpc.policy else ''} |"
                for rpc in internal
            ),
            "",
        ]
    )


def _audience(rpc: Rpc) -> int:
    return rpc.policy.audience if rpc.policy else policy_pb2.AUDIENCE_UNSPECIFIED


def _permission_row(permission: str) -> str:
    has = ["yes" if permission in granted else "" for granted in _MEMBERS.values()]
    return f"| `{permission}` | {' | '.join(has)} |"


def _member_row(rpc: Rpc) -> str:
    permission, fresh = _needed(rpc)
    by_role = [
        "yes" if permission == permissions.SELF or permission in granted else ""
        for granted in permissions.ROLES.values()
    ]
    visiting = ["yes" if permission in granted and not fresh else "" for granted in _VISITORS.values()]
    may = " | ".join([*by_role, *visiting])
    return f"| {_name(rpc)} | {_http(rpc)} | `{permission}`{fresh} | {_venues(rpc)} | {may} |"


def _operator_row(rpc: Rpc) -> str:
    permission, fresh = _needed(rpc)
    may = [
        "yes" if permission == permissions.SELF or permission in granted else ""
        for granted in permissions.OPERATOR_ROLES.values()
    ]
    return f"| {_name(rpc)} | {_http(rpc)} | `{permission}`{fresh} | {' | '.join(may)} |"


def _needed(rpc: Rpc) -> tuple[str, str]:
    if not rpc.policy:
        return "", ""
    return rpc.policy.permission, ", fresh" if rpc.policy.fresh else ", own" if rpc.policy.own else ""


def _venues(rpc: Rpc) -> str:
    if rpc.policy and rpc.policy.venue_field:
        return "named"
    return "found" if rpc.policy and rpc.policy.venue_in_service else ""


def _name(rpc: Rpc) -> str:
    return f"{rpc.service} `{rpc.method.containing_service.name}.{rpc.method.name}`"


def _http(rpc: Rpc) -> str:
    options = rpc.method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return ""
    rule = options.Extensions[annotations_pb2.http]
    kind = rule.WhichOneof("pattern")
    return f"`{kind.upper()} {getattr(rule, kind)}`"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
