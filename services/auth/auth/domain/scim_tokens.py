"""The bearer token by which an organization's provider manages its people (SCIM). Never does I/O.

It is written `cpt_scim_<short id>_<secret><checksum>`, as API keys are, and shown once.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from servicekit import api_keys
from servicekit.errors import AppError, Kind

LONGEST_GRACE = timedelta(days=7)
"""How long the previous secret may hold after a rotation."""
_SHORT, _SECRET, _CHECKSUM = 10, 24, 6
_PATTERN = re.compile(
    rf"cpt_scim_([0-9A-Za-z]{{{_SHORT}}})_([0-9A-Za-z]{{{_SECRET}}})[0-9A-Za-z]{{{_CHECKSUM}}}", re.ASCII
)


class ScimTokenExists(AppError):
    """The connection has a token: rotate it, or revoke it first."""

    kind = Kind.EXISTS
    reason = "SCIM_TOKEN_EXISTS"
    detail = "This connection has a SCIM token already. Rotate it, or revoke it first."


class NoScimToken(AppError):
    """The connection has no token."""

    kind = Kind.REFUSED
    reason = "NO_SCIM_TOKEN"
    detail = "This connection has no SCIM token. Make one first."


@dataclass(frozen=True, slots=True)
class ScimTokenText:
    """The parts of a token."""

    short_id: str
    secret: str = field(repr=False)

    @classmethod
    def make(cls, short_id: str = "") -> "ScimTokenText":
        """A new secret, under a new short id unless one is given."""
        return cls(short_id or _random(_SHORT), _random(_SECRET))

    @classmethod
    def parse(cls, text: str) -> "ScimTokenText | None":
        """None when the text has not the form of a token, or a wrong checksum."""
        found = _PATTERN.fullmatch(text)
        if found is None or api_keys.checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
            return None
        return cls(found[1], found[2])

    def show(self) -> str:
        """The token as the provider is told it."""
        body = f"{prefix(self.short_id)}{self.secret}"
        return body + api_keys.checksum(body)


@dataclass(frozen=True, slots=True)
class ScimToken:
    """The token of a connection, without its secret."""

    organization_id: UUID
    connection_id: UUID
    short_id: str
    """Names the token in logs and lists; no secret."""
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    created_by: UUID | None = None
    previous_hash: bytes | None = field(default=None, repr=False)
    """Of the secret before the last rotation."""
    previous_until: datetime | None = None
    last_used_at: datetime | None = None

    def holds(self, secret_hash: bytes, now: datetime) -> bool:
        """Whether the token holds with this secret. Both are compared, in constant time."""
        current = hmac.compare_digest(secret_hash, self.secret_hash)
        previous = hmac.compare_digest(secret_hash, self.previous_hash or self.secret_hash)
        in_grace = self.previous_until is not None and now < self.previous_until
        return current or (previous and self.previous_hash is not None and in_grace)

    def rotate(self, secret_hash: bytes, *, grace: timedelta, now: datetime) -> "ScimToken":
        """The token with a new secret; the one before holds for `grace` more, older ones no more."""
        grace = min(grace, LONGEST_GRACE)
        kept = self.secret_hash if grace > timedelta() else None
        return replace(
            self,
            secret_hash=secret_hash,
            previous_hash=kept,
            previous_until=now + grace if kept is not None else None,
        )


def prefix(short_id: str) -> str:
    """How a token begins: what may be shown of it."""
    return f"cpt_scim_{short_id}_"


def _random(length: int) -> str:
    return "".join(secrets.choice(api_keys.ALPHABET) for _ in range(length))
