"""Access tokens: verified here, against the keys that auth publishes. Never asks auth about one request.

Those of members and those of operators of the platform differ in type and audience: one is never the other.
"""

import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
from joserfc import jwt
from joserfc.errors import JoseError

from gateway.revocations import Revocations
from gateway.signing_keys import SigningKeys
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind

# EdDSA by the name that says the curve (RFC 9864): what auth signs with, and nothing else.
_ALGORITHMS = ["Ed25519"]
_HEADER = frozenset({"alg", "kid", "typ"})
_MEMBER_TYPE = "at+jwt"
_OPERATOR_TYPE = "op+jwt"
_LONGEST = 4096
_LEEWAY_SECONDS = 5
_CACHE_SIZE = 10_000

_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=_LEEWAY_SECONDS,
    iss={"essential": True, "value": "comptoir-auth"},
    aud={"essential": True, "value": "comptoir"},
    exp={"essential": True},
    iat={"essential": True},
    sub={"essential": True},
    org={"essential": True},
    sid={"essential": True},
    role={"essential": True},
    scope={"essential": True, "allow_blank": True},
    auth_time={"essential": True},
    amr={"essential": True},
)
_OPERATOR_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=_LEEWAY_SECONDS,
    iss={"essential": True, "value": "comptoir-auth"},
    aud={"essential": True, "value": "comptoir-platform"},
    exp={"essential": True},
    iat={"essential": True},
    sub={"essential": True},
    sid={"essential": True},
    role={"essential": True},
    scope={"essential": True},
    auth_time={"essential": True},
    amr={"essential": True},
)


Admit = Callable[[], Awaitable[None]]
"""Hears that credentials are about to be validated, and may refuse that."""


async def everybody() -> None:
    """Refuses nobody."""


class AccessTokens:
    """Turns an Authorization header into a caller."""

    def __init__(
        self, keys: SigningKeys, revocations: Revocations, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._revocations = revocations
        self._clock = clock
        self._verified: dict[tuple[bytes, str], tuple[float, Caller]] = {}

    async def caller(self, authorization: bytes | None, address: str, *, admit: Admit = everybody) -> Caller:
        """Whoever the token speaks for; somebody anonymous when there is no header.

        `admit` is asked before a token is verified, not about what is none, or is verified already.

        Raises:
            Unauthenticated: the header holds anything but one good token of ours, or it was revoked.
            AppError: `admit` refused.
            Unavailable: auth could not be asked for its keys since the gateway started.
        """
        if authorization is None:
            return Caller(CallerKind.ANONYMOUS, issuer="gateway", address=address)
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not token or len(token) > _LONGEST:
            raise Unauthenticated
        _, caller = await self._known(token, address, admit)
        self._revocations.refuse(caller)
        return caller

    async def until(self, authorization: bytes | None, address: str, *, admit: Admit = everybody) -> float:
        """Epoch seconds until which a token that `caller` took holds. Raises Unauthenticated without one."""
        if authorization is None:
            raise Unauthenticated
        expires, _ = await self._known(authorization.partition(b" ")[2], address, admit)
        return expires

    async def _known(self, token: bytes, address: str, admit: Admit) -> tuple[float, Caller]:
        known = (hashlib.sha256(token).digest(), address)
        cached = self._verified.get(known)
        if cached is not None:
            if cached[0] > self._clock():
                return cached
            del self._verified[known]
        await admit()
        expires, caller = await self._verify(token, address)
        if len(self._verified) >= _CACHE_SIZE:
            self._verified.clear()
        self._verified[known] = (expires, caller)
        return expires, caller

    async def _verify(self, token: bytes, address: str) -> tuple[float, Caller]:
        key_id, operates = _read_header(token)
        key = await self._keys.find(key_id)
        try:
            claims = jwt.decode(token, key, algorithms=_ALGORITHMS).claims
            caller = _operator(claims, address) if operates else _member(claims, address)
            return float(claims["exp"]), caller
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise Unauthenticated from error


def _member(claims: dict[str, Any], address: str) -> Caller:
    """Somebody in an organization: a person, or an operator by break-glass, who is no user there."""
    _CLAIMS.validate(claims)
    operator = UUID(claims["opr"]) if "opr" in claims else None
    person = UUID(claims["sub"])
    return Caller(
        kind=CallerKind.MEMBER,
        issuer="gateway",
        organization=UUID(claims["org"]),
        user=person if operator is None else None,
        session=UUID(claims["sid"]),
        role=str(claims["role"]),
        permissions=frozenset(claims["scope"].split()),
        address=address,
        authenticated_at=int(claims["auth_time"]),
        methods=frozenset(map(str, claims["amr"])),
        venues=frozenset(map(UUID, claims["ven"])) if "ven" in claims else None,
        sandbox=claims.get("sbx") is True,
        operator=operator,
    )


def _operator(claims: dict[str, Any], address: str) -> Caller:
    """An operator of the platform, who acts in no organization."""
    _OPERATOR_CLAIMS.validate(claims)
    return Caller(
        kind=CallerKind.PLATFORM,
        issuer="gateway",
        session=UUID(claims["sid"]),
        role=str(claims["role"]),
        permissions=frozenset(claims["scope"].split()),
        address=address,
        authenticated_at=int(claims["auth_time"]),
        methods=frozenset(map(str, claims["amr"])),
        operator=UUID(claims["sub"]),
    )


def _read_header(token: bytes) -> tuple[str, bool]:
    """The key that the header names, and whether it is an operator's. What is not ours is refused first.

    That covers `crit`, `jku`, `jwk`, `x5u` and foreign algorithms (RFC 8725 §3.1, §3.10).

    Raises:
        Unauthenticated: it is not.
    """
    head, _, rest = token.partition(b".")
    try:
        header: Any = orjson.loads(base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4)))
    except (orjson.JSONDecodeError, binascii.Error, ValueError) as error:
        raise Unauthenticated from error
    if not isinstance(header, dict) or not header.keys() <= _HEADER or rest.count(b".") != 1:
        raise Unauthenticated
    key_id, kind = header.get("kid"), header.get("typ")
    known = kind in (_MEMBER_TYPE, _OPERATOR_TYPE)  # no other JWT is taken for one (RFC 9068 §4)
    if header.get("alg") not in _ALGORITHMS or not known or not isinstance(key_id, str):
        raise Unauthenticated
    return key_id, kind == _OPERATOR_TYPE
