"""Who calls: a request's caller, and the short signed tokens by which gateway and services vouch for it."""

import json
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from servicekit.errors import Unauthenticated

_ALGORITHMS = ["Ed25519"]
_LIFETIME = 60
_LEEWAY = 5
"""By how many seconds the clocks of two hosts may differ."""
_REUSE = 40
_CACHE_SIZE = 4096


class CallerKind(StrEnum):
    """How a caller is known."""

    ANONYMOUS = "anonymous"
    MEMBER = "member"
    PLATFORM = "platform"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes a call, as far as a service may rely on it."""

    kind: CallerKind
    issuer: str
    """The process that vouches: "gateway", or the name of the calling service."""
    organization: UUID | None = None
    user: UUID | None = None
    session: UUID | None = None
    role: str = ""
    permissions: frozenset[str] = field(default_factory=frozenset)
    address: str = ""
    """The client's address as the gateway saw it; for limits and audit only."""

    @property
    def tenant(self) -> UUID:
        """The organization the caller acts in.

        Raises:
            Unauthenticated: the caller acts in none.
        """
        if self.organization is None:
            raise Unauthenticated
        return self.organization


_current: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """The caller of the RPC being served."""
    return _current.get()


def bind(value: Caller) -> None:
    """Makes `value` the caller of the running task."""
    _current.set(value)


class Signer:
    """Signs internal tokens with this process's own key. Tokens are reused while they are fresh."""

    def __init__(self, key_file: Path) -> None:
        self._key = OKPKey.import_key(json.loads(key_file.read_text(encoding="utf-8")))
        self.name = str(self._key.kid)
        self._tokens: dict[tuple[str, Caller], tuple[float, str]] = {}

    def token(self, audience: str, caller: Caller) -> str:
        """A token of 60 s for one audience that says who calls."""
        now = time.time()
        cached = self._tokens.get((audience, caller))
        if cached and cached[0] > now:
            return cached[1]
        claims = {
            "iss": self.name,
            "aud": audience,
            "iat": int(now),
            "exp": int(now) + _LIFETIME,
            "kind": caller.kind.value,
            "org": str(caller.organization or ""),
            "sub": str(caller.user or ""),
            "sid": str(caller.session or ""),
            "role": caller.role,
            "perm": sorted(caller.permissions),
            "addr": caller.address,
        }
        token = jwt.encode({"alg": "Ed25519", "kid": self.name}, claims, self._key, algorithms=_ALGORITHMS)
        if len(self._tokens) >= _CACHE_SIZE:
            self._tokens.clear()
        self._tokens[audience, caller] = (now + _REUSE, token)
        return token

    def as_service(self, audience: str, organization: UUID | None) -> str:
        """A token that says: this service itself calls, for this organization."""
        return self.token(audience, Caller(CallerKind.SERVICE, self.name, organization))


class Verifier:
    """Verifies internal tokens that are meant for this service."""

    def __init__(self, keys_file: Path, audience: str) -> None:
        self._keys = KeySet.import_key_set(json.loads(keys_file.read_text(encoding="utf-8")))
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            iss={"essential": True},
        )
        self._verified: dict[str, tuple[float, Caller]] = {}

    def verify(self, token: str) -> Caller:
        """The caller that the token vouches for.

        Raises:
            Unauthenticated: not signed by a service we know, for somebody else, or expired.
        """
        cached = self._verified.get(token)
        if cached and cached[0] > time.time():
            return cached[1]
        try:
            decoded = jwt.decode(token, self._keys, algorithms=_ALGORITHMS)
            self._claims.validate(decoded.claims)
        except (JoseError, ValueError, KeyError) as error:
            raise Unauthenticated from error
        claims = decoded.claims
        if claims["iss"] != decoded.header.get("kid"):
            raise Unauthenticated
        caller = Caller(
            kind=CallerKind(claims["kind"]),
            issuer=claims["iss"],
            organization=UUID(claims["org"]) if claims["org"] else None,
            user=UUID(claims["sub"]) if claims["sub"] else None,
            session=UUID(claims["sid"]) if claims["sid"] else None,
            role=claims["role"],
            permissions=frozenset(claims["perm"]),
            address=claims["addr"],
        )
        if len(self._verified) >= _CACHE_SIZE:
            self._verified.clear()
        self._verified[token] = (float(claims["exp"]), caller)
        return caller
