"""Who calls: a request's caller, and the short signed tokens by which gateway and services vouch for it."""

import json
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
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
_LONGEST = 16_384
_GATEWAY = "gateway"
_HEADER = frozenset({"alg", "kid", "typ"})
"""Whatever else a header has (`crit`, `jku`, `jwk`, `x5u`, …) is none of ours (RFC 8725 §3.10)."""


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
    authenticated_at: int = 0
    """When the person last gave full credentials, in epoch seconds; 0 for who gave none, like an API key."""
    methods: frozenset[str] = field(default_factory=frozenset)
    """How they proved who they are: values of `amr` (RFC 8176), like "pwd" and "otp"."""
    venues: frozenset[UUID] | None = None
    """The venues that the caller is limited to; None means all of the organization."""
    key: UUID | None = None
    """The API key by which the call came."""
    sandbox: bool = False
    """Whether the call acts on the sandbox of the organization: no real mail, no real money."""
    operator: UUID | None = None
    """The operator of the platform who acts here by break-glass."""

    @property
    def tenant(self) -> UUID:
        """The organization the caller acts in.

        Raises:
            Unauthenticated: the caller acts in none.
        """
        if self.organization is None:
            raise Unauthenticated
        return self.organization

    def enters(self, venue: UUID) -> bool:
        """Whether the caller may know of this venue of the organization."""
        return self.venues is None or venue in self.venues


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one request came from. It travels beside the identity token, which is made for many requests."""

    request_id: str = ""
    user_agent: str = ""
    """As the client sent it, cut off; to name a device, never to decide."""


_NOWHERE = Origin()
_current: ContextVar[Caller] = ContextVar("caller")
_venues: ContextVar[frozenset[UUID] | None] = ContextVar("venues", default=None)
_origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def caller() -> Caller:
    """The caller of the RPC being served."""
    return _current.get()


def bind(value: Caller) -> None:
    """Makes `value` the caller of the running task."""
    _current.set(value)


def venues() -> frozenset[UUID] | None:
    """The venues that bind the transactions of the running task; None means all, as outside of an RPC."""
    return _venues.get()


def bind_venues(value: frozenset[UUID] | None) -> None:
    """Limits the transactions of the running task to these venues."""
    _venues.set(value)


def origin() -> Origin:
    """Where the RPC being served came from; empty outside of one."""
    return _origin.get()


def bind_origin(value: Origin) -> None:
    """Makes `value` the origin of the running task."""
    _origin.set(value)


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
            **claims_of(caller),
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
    """Verifies internal tokens that are meant for this service. The gateway alone is believed of others."""

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
            Unauthenticated: not signed by a service we know, for somebody else, or expired; or a service
                vouches for more than itself, like a member.
        """
        cached = self._verified.get(token)
        if cached and cached[0] > time.time():
            return cached[1]
        if len(token) > _LONGEST:
            raise Unauthenticated
        try:
            decoded = jwt.decode(token, self._keys, algorithms=_ALGORITHMS)
            self._claims.validate(decoded.claims)
            claims = decoded.claims
            caller = caller_of(claims, issuer=claims["iss"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated from error
        if claims["iss"] != decoded.header.get("kid") or not decoded.header.keys() <= _HEADER:
            raise Unauthenticated
        if caller.issuer != _GATEWAY and caller != _itself(caller):
            raise Unauthenticated
        if len(self._verified) >= _CACHE_SIZE:
            self._verified.clear()
        self._verified[token] = (float(claims["exp"]), caller)
        return caller


def _itself(caller: Caller) -> Caller:
    return Caller(CallerKind.SERVICE, caller.issuer, caller.organization)


def claims_of(caller: Caller) -> dict[str, Any]:
    """What is known of a caller, as JSON: all but who vouches for that, to whom, and until when."""
    return {
        "kind": caller.kind.value,
        "org": str(caller.organization or ""),
        "sub": str(caller.user or ""),
        "sid": str(caller.session or ""),
        "role": caller.role,
        "perm": sorted(caller.permissions),
        "addr": caller.address,
        "auth": caller.authenticated_at,
        "amr": sorted(caller.methods),
        "ven": None if caller.venues is None else sorted(map(str, caller.venues)),
        "key": str(caller.key or ""),
        "sbx": caller.sandbox,
        "opr": str(caller.operator or ""),
    }


def caller_of(claims: Mapping[str, Any], *, issuer: str) -> Caller:
    """Whose `claims_of` these are, as `issuer` vouches. Verifies nothing: that is to be done before.

    Raises:
        ValueError, KeyError, TypeError: they are not as `claims_of` writes them.
    """
    return Caller(
        kind=CallerKind(claims["kind"]),
        issuer=issuer,
        organization=_id(claims["org"]),
        user=_id(claims["sub"]),
        session=_id(claims["sid"]),
        role=claims["role"],
        permissions=frozenset(claims["perm"]),
        address=claims["addr"],
        authenticated_at=claims["auth"],
        methods=frozenset(claims["amr"]),
        venues=None if claims["ven"] is None else frozenset(map(UUID, claims["ven"])),
        key=_id(claims["key"]),
        sandbox=claims["sbx"],
        operator=_id(claims["opr"]),
    )


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None
