"""The service's key: signs access tokens, makes the keys of refresh tokens, never shows itself."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

from auth.domain.operator_access import OperatorAccess
from auth.domain.roles import Grant
from auth.domain.sessions import Session
from servicekit import ids

ISSUER = "comptoir-auth"
AUDIENCE = "comptoir"
PLATFORM_AUDIENCE = "comptoir-platform"
_MEMBER_TYPE = "at+jwt"
_OPERATOR_TYPE = "op+jwt"
# EdDSA by its name since RFC 9864, which says the curve too. The signature is that of RFC 8037.
ALGORITHM = "Ed25519"
_REFRESH = b"comptoir refresh token 1\x00"
_DEVICE = b"comptoir known device 1\x00"


class Keyring:
    """The key that signs, and during a rotation a second one that only verifies."""

    def __init__(self, current: OKPKey, second: OKPKey | None = None) -> None:
        """Raises ValueError when the current key cannot sign."""
        if not current.is_private or current.curve_name != "Ed25519" or not current.kid:
            message = "the access token key must be a private Ed25519 JWK with a kid"
            raise ValueError(message)
        self._current = current
        self._keys = [key for key in (current, second) if key is not None]
        # A second key of which only the public part is there verifies access tokens, but no refresh tokens.
        self._secrets = [_secret(key) for key in self._keys if key.is_private]

    @classmethod
    def load(cls, current: Path, second: Path | None) -> "Keyring":
        """From files. Raises OSError or ValueError when they are not keys."""
        return cls(_read(current), _read(second) if second else None)

    def access_token(self, session: Session, grant: Grant, *, now: datetime, lifetime: timedelta) -> str:
        """A JWT (typed as by RFC 9068): who acts where, with which permissions, until `now + lifetime`."""
        claims = _of_session(session) | {"aud": AUDIENCE, "org": str(session.organization_id)}
        if grant.venues:
            claims["ven"] = sorted(map(str, grant.venues))
        return self._sign(_MEMBER_TYPE, claims, grant, now=now, lifetime=lifetime)

    def operator_token(self, session: Session, grant: Grant, *, now: datetime, lifetime: timedelta) -> str:
        """The same for an operator of the platform: of a type and for an audience that no member's has."""
        claims = _of_session(session) | {"aud": PLATFORM_AUDIENCE}
        return self._sign(_OPERATOR_TYPE, claims, grant, now=now, lifetime=lifetime)

    def break_glass_token(self, access: OperatorAccess, *, now: datetime, lifetime: timedelta) -> str:
        """A token by which an operator acts in an organization as a member would; `opr` says who it is.

        Its credentials are never fresh, and its session is the access: ending that revokes it.
        """
        claims = {
            "aud": AUDIENCE,
            "sub": str(access.operator_id),
            "opr": str(access.operator_id),
            "org": str(access.organization_id),
            "sid": str(access.id),
            "amr": ["otp"],
            "auth_time": 0,
        }
        return self._sign(_MEMBER_TYPE, claims, access.grant, now=now, lifetime=lifetime)

    def _sign(
        self, kind: str, claims: Mapping[str, Any], grant: Grant, *, now: datetime, lifetime: timedelta
    ) -> str:
        issued = int(now.timestamp())
        signed = {
            **claims,
            "iss": ISSUER,
            "role": grant.role,
            "scope": " ".join(sorted(grant.permissions)),
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": ids.new().hex,
        }
        header = {"alg": ALGORITHM, "kid": self._current.kid, "typ": kind}
        return jwt.encode(header, signed, self._current, algorithms=[ALGORITHM])

    def refresh_keys(self, session: Session) -> Sequence[bytes]:
        """The session's own MAC keys: the first signs, all verify. The database alone does not tell them."""
        return [hmac.digest(secret, _REFRESH + session.salt, "sha256") for secret in self._secrets]

    def refresh_token(self, session: Session) -> str:
        """The newest refresh token of a session."""
        return session.refresh_token(self.refresh_keys(session)[0])

    def fingerprints(self, trait: bytes) -> Sequence[bytes]:
        """Keyed hashes of what a device is known by: the first is kept, all are looked for."""
        return [hmac.digest(secret, _DEVICE + trait, "sha256") for secret in self._secrets]

    def public_set(self) -> str:
        """The public keys as a JSON Web Key Set, the current one first."""
        keys = [
            key.as_dict(private=False) | {"alg": ALGORITHM, "use": "sig", "kid": str(key.kid)}
            for key in self._keys
        ]
        return json.dumps({"keys": keys})


def _of_session(session: Session) -> dict[str, Any]:
    return {
        "sub": str(session.user_id),
        "sid": str(session.id),
        "amr": list(session.methods),
        "auth_time": int(session.authenticated_at.timestamp()),
    }


def _read(file: Path) -> OKPKey:
    return OKPKey.import_key(json.loads(file.read_text(encoding="utf-8")))


def _secret(key: OKPKey) -> bytes:
    seed = str(key.as_dict(private=True)["d"])
    return base64.urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
