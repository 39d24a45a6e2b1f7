"""Which routes begin, go on with and end a session, read from the contract. Decides nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from comptoir.api.v1 import policy_pb2
from gateway.routes import Route

Key: TypeAlias = tuple[str, str]
"""Method and template."""
_TOKENS = "comptoir.auth.v1.SessionTokens"
_REFRESH_TOKEN = "refresh_token"  # noqa: S105  # the name of a field


@dataclass(frozen=True, slots=True)
class SessionRoutes:
    """The routes that matter to a browser's session cookies."""

    holders: Mapping[Key, str]
    """Routes that answer tokens, and the field that holds them."""
    opening: frozenset[Key]
    """Those of them that nobody has to be logged in for."""
    trading: frozenset[Key]
    """Those that take a refresh token."""
    ending: frozenset[Key]
    """Routes after which the session of the call is over."""

    @classmethod
    def of(cls, routes: Iterable[Route]) -> "SessionRoutes":
        """Those of a contract."""
        all_routes = list(routes)
        holders = {_key(each): holder for each in all_routes if (holder := _holder(each))}
        tokens = [each for each in all_routes if _key(each) in holders]
        return cls(
            holders,
            opening=frozenset(
                _key(each) for each in tokens if each.policy.audience == policy_pb2.AUDIENCE_PUBLIC
            ),
            trading=frozenset(_key(each) for each in tokens if _REFRESH_TOKEN in each.request.fields_by_name),
            ending=frozenset(_key(each) for each in all_routes if each.policy.ends_session),
        )


def _key(route: Route) -> Key:
    return route.method, route.template


def _holder(route: Route) -> str:
    for field in route.response.fields:
        if field.message_type is not None and field.message_type.full_name == _TOKENS:
            return str(field.name)
    return ""
