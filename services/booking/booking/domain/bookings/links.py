"""The secret of a guest's link. It is made once and kept hashed only."""

import hashlib
import secrets

from servicekit.errors import AppError, Kind

_TOKEN_BYTES = 32


class ManageTokenNotFound(AppError):
    """The link's secret is not one of ours, or its booking ended more than 30 days ago."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_NOT_FOUND"
    detail = "This link is not valid."


def new_token() -> str:
    """The secret of a guest's link: 256 random bits in base64url."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def token_hash(token: str) -> bytes:
    """What is kept of a link's secret. SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()
