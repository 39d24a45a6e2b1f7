"""An OpenID provider: discovery, the code for tokens, and who the ID token says somebody is.

OpenID Connect Core 1.0 §3.1.3.7, Discovery 1.0 §4.3, RFC 9207, RFC 9700. Believes no header but alg and kid.
"""

import hmac
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import Key, KeySet

from auth.clients.web import Unanswered, Web
from auth.domain import accounts
from auth.domain.sso import Assertion

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
LEEWAY = 30
"""Seconds that clocks may differ."""
_METADATA_SECONDS = 3600
_KEYS_SECONDS = 60
_ISSUED_WITHIN = 600
_MOST_TOKEN = 16 * 1024
_LONGEST_SUBJECT = 255
_MOST_GROUPS = 500
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_UNTRUSTED_HEADERS = ("crit", "jku", "jwk", "x5u", "x5c")


class Rejected(Exception):
    """The provider's answer does not hold; the text says why in one word, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Way:
    """What one log-in carries to the provider and back."""

    redirect_uri: str
    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True, slots=True)
class Return:
    """What it came back with, and what is known of it."""

    code: str
    issuer: str
    redirect_uri: str
    nonce: str
    verifier: str


class LogInProvider(Protocol):
    """Somebody who says who people are."""

    async def send(self, way: Way) -> str:
        """Where a browser is to go. Raises Rejected or Unanswered."""

    async def receive(self, given: Return) -> Assertion:
        """Who came back. Raises Rejected or Unanswered."""


@dataclass
class Issuers:
    """What is known of issuers in this process: metadata for an hour, keys until one is missing."""

    web: Web
    clock: Callable[[], float] = time.time
    _metadata: dict[str, tuple[float, Mapping[str, Any]]] = field(default_factory=dict)
    _keys: dict[str, tuple[float, list[Key]]] = field(default_factory=dict)

    async def metadata(self, issuer: str) -> Mapping[str, Any]:
        """The discovery document, which must name exactly this issuer."""
        known = self._metadata.get(issuer)
        if known is not None and self.clock() - known[0] < _METADATA_SECONDS:
            return known[1]
        found = await self.web.get(f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        if not isinstance(found, dict) or found.get("issuer") != issuer:
            raise Rejected("issuer_of_metadata")
        if not all(isinstance(found.get(each), str) and _is_web(found[each]) for each in _ENDPOINTS):
            raise Rejected("endpoints")
        self._metadata[issuer] = self.clock(), found
        return found

    async def key(self, jwks_uri: str, kid: str | None, algorithm: str) -> Key:
        """The one key that may have signed. An unknown kid has the keys read again, at most once a minute."""
        known = self._keys.get(jwks_uri)
        fitting = _fitting(known[1], kid, algorithm) if known else []
        if not fitting and (known is None or self.clock() - known[0] >= _KEYS_SECONDS):
            self._keys[jwks_uri] = self.clock(), known[1] if known else []
            document = await self.web.get(jwks_uri)
            self._keys[jwks_uri] = self.clock(), _keys_of(document)
            fitting = _fitting(self._keys[jwks_uri][1], kid, algorithm)
        if len(fitting) != 1:
            raise Rejected("key")
        return fitting[0]


@dataclass(frozen=True)
class OpenIdProvider:
    """One issuer, and who we are there."""

    issuers: Issuers
    issuer: str
    client_id: str
    client_secret: str
    role_claim: str = ""

    async def send(self, way: Way) -> str:
        """The authorization request (Core §3.1.2.1), with PKCE."""
        metadata = await self.issuers.metadata(self.issuer)
        scopes = ["openid", "email", "profile"]
        if self.role_claim and self.role_claim in (metadata.get("scopes_supported") or ()):
            scopes.append(self.role_claim)
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": way.redirect_uri,
            "scope": " ".join(scopes),
            "state": way.state,
            "nonce": way.nonce,
            "code_challenge": way.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = metadata["authorization_endpoint"]
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def receive(self, given: Return) -> Assertion:
        """Trades the code and believes the ID token, once everything in it is as it must be."""
        metadata = await self.issuers.metadata(self.issuer)
        named = metadata.get("authorization_response_iss_parameter_supported") is True
        if (given.issuer or named) and given.issuer != self.issuer:
            raise Rejected("iss_of_answer")
        tokens = await self._trade(metadata, given)
        claims = await self._claims(metadata, tokens.get("id_token"), given.nonce)
        wanted = {"email", self.role_claim} - {""}
        endpoint, access = metadata.get("userinfo_endpoint"), tokens.get("access_token")
        if wanted - claims.keys() and isinstance(endpoint, str) and isinstance(access, str):
            more = await self.issuers.web.get(endpoint, token=access)
            if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
                raise Rejected("sub_of_userinfo")
            claims = {**more, **claims}
        return self._assertion(claims)

    async def _trade(self, metadata: Mapping[str, Any], given: Return) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": given.code,
            "redirect_uri": given.redirect_uri,
            "code_verifier": given.verifier,
        }
        ours = quote_plus(self.client_id), quote_plus(self.client_secret)
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in methods:
            return await self.issuers.web.post(metadata["token_endpoint"], form, basic=ours)
        form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        return await self.issuers.web.post(metadata["token_endpoint"], form)

    async def _claims(self, metadata: Mapping[str, Any], token: object, nonce: str) -> dict[str, Any]:
        if not isinstance(token, str) or len(token) > _MOST_TOKEN:
            raise Rejected("id_token")
        allowed = ALGORITHMS & set(metadata.get("id_token_signing_alg_values_supported") or ["RS256"])
        try:
            header = jws.extract_compact(token.encode()).headers()
            algorithm, kid = header.get("alg"), header.get("kid")
            if algorithm not in allowed or any(name in header for name in _UNTRUSTED_HEADERS):
                raise Rejected("header")
            key = await self.issuers.key(metadata["jwks_uri"], kid, algorithm)
            claims = _verified(token, key, algorithm)
        except (JoseError, ValueError) as error:
            raise Rejected("signature") from error
        self._check(claims, nonce)
        return claims

    def _check(self, claims: Mapping[str, Any], nonce: str) -> None:
        """Core §3.1.3.7."""
        now = self.issuers.clock()
        audience, azp, subject = claims.get("aud"), claims.get("azp"), claims.get("sub")
        audiences = audience if isinstance(audience, list) else [audience]
        issued, expires = _moment(claims.get("iat")), _moment(claims.get("exp"))
        holds = {
            "iss": claims.get("iss") == self.issuer,
            "aud": self.client_id in audiences,
            "azp": azp == self.client_id if azp is not None else len(audiences) == 1,
            "nonce": hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()),
            "exp": now < expires + LEEWAY,
            "iat": now - _ISSUED_WITHIN < issued <= now + LEEWAY,
            "sub": isinstance(subject, str) and 0 < len(subject) <= _LONGEST_SUBJECT,
        }
        for name, right in holds.items():
            if not right:
                raise Rejected(name)

    def _assertion(self, claims: Mapping[str, Any]) -> Assertion:
        verified = claims.get("email_verified") in (True, "true")
        groups = claims.get(self.role_claim) if self.role_claim else None
        listed = groups if isinstance(groups, list) else [groups]
        methods = claims.get("amr")
        return Assertion(
            issuer=self.issuer,
            subject=claims["sub"],
            email=accounts.normalise_email(str(claims.get("email") or "")) if verified else "",
            name=str(claims.get("name") or ""),
            groups=tuple(each for each in listed[:_MOST_GROUPS] if isinstance(each, str)),
            second_factor=isinstance(methods, list) and "mfa" in methods,
        )


def _verified(token: str, key: Key, algorithm: str) -> dict[str, Any]:
    """The claims of a token that the key has signed. Providers say EdDSA still, which RFC 9864 deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jwt.decode(token, key, algorithms=[algorithm]).claims


def _keys_of(document: object) -> list[Key]:
    """The keys of a set that we can use; what is of a kind that we do not know is left out (RFC 7517 §5)."""
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise Unanswered("no_keys")
    found: list[Key] = []
    for each in document["keys"]:
        try:
            found += KeySet.import_key_set({"keys": [each]}).keys
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found


def _fitting(keys: list[Key], kid: str | None, algorithm: str) -> list[Key]:
    kinds = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
    return [
        key
        for key in keys
        if key.key_type == kinds[algorithm]
        and (kid is None or key.as_dict(private=False).get("kid") == kid)
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, algorithm)
    ]


def _is_web(url: str) -> bool:
    return urlsplit(url).scheme in ("https", "http")


def _moment(value: object) -> float:
    """A NumericDate; what is none was long ago."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else 0
