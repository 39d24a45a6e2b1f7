"""The service's key: signs access tokens, makes the keys of refresh tokens, never shows itself."""

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import OKPKey

from auth.domain.roles import Grant
from auth.domain.sessions import Session
from servicekit import ids

ISSUER = "comptoir-auth"
AUDIENCE = "comptoir"
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
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(session.user_id),
            "org": str(session.organization_id),
            "sid": str(session.id),
            "role": grant.role,
            "scope": " ".join(sorted(grant.permissions)),
            "amr": list(session.methods),
            "auth_time": int(session.authenticated_at.timestamp()),
            "iat": issued,
            "exp": issued + int(lifetime.total_seconds()),
            "jti": ids.new().hex,
        }
        if grant.venues:
            claims["ven"] = sorted(map(str, grant.venues))
        header = {"alg": ALGORITHM, "kid": self._current.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._current, algorithms=[ALGORITHM])

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


def _read(file: Path) -> OKPKey:
    return OKPKey.import_key(json.loads(file.read_text(encoding="utf-8")))


def _secret(key: OKPKey) -> bytes:
    seed = str(key.as_dict(private=True)["d"])
    return base64.urlsafe_b64decode(seed + "=" * (-len(seed) % 4))
