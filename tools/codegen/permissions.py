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
"Fresh" means that the caller gave credentials within the last hour. "Venues" says what a member limited to
venues may do: "named" and "found" are for theirs alone, and without either all but `self` is denied to them.
"""
_AUDIENCES: dict[int, str] = {
    policy_pb2.AUDIENCE_PUBLIC: "anybody",
    policy_pb2.AUDIENCE_GUEST: "whoever holds the booking's link",
    policy_pb2.AUDIENCE_PLATFORM: "operators of the platform",
}


def render() -> str:
    """The document as it is committed."""
    rpcs = list(contract.rpcs().values())
    members = [rpc for rpc in rpcs if _audience(rpc) == policy_pb2.AUDIENCE_MEMBER]
    internal = [rpc for rpc in rpcs if _audience(rpc) == policy_pb2.AUDIENCE_INTERNAL]
    others = [rpc for rpc in rpcs if _audience(rpc) in _AUDIENCES]
    return "\n".join(
        [
            _HEAD,
            "## Roles",
            "",
            "Built in; an organization may make more of these permissions. Whoever may `roles.write` or",
            "`members.write` gives no permission that they lack themselves, and only owners make owners.",
            "",
            f"| permission | {' | '.join(permissions.ROLES)} |",
            f"|---|{'---|' * len(permissions.ROLES)}",
            *(_permission_row(each) for each in sorted(permissions.ALL)),
            "",
            "## Members, by role",
            "",
            f"| RPC | HTTP | permission | venues | {' | '.join(permissions.ROLES)} |",
            f"|---|---|---|---|{'---|' * len(permissions.ROLES)}",
            *(_member_row(rpc) for rpc in members),
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
    has = ["yes" if permission in granted else "" for granted in permissions.ROLES.values()]
    return f"| `{permission}` | {' | '.join(has)} |"


def _member_row(rpc: Rpc) -> str:
    permission = rpc.policy.permission if rpc.policy else ""
    fresh = ", fresh" if rpc.policy and rpc.policy.fresh else ""
    may = [
        "yes" if permission == permissions.SELF or permission in granted else ""
        for granted in permissions.ROLES.values()
    ]
    return f"| {_name(rpc)} | {_http(rpc)} | `{permission}`{fresh} | {_venues(rpc)} | {' | '.join(may)} |"


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
