"""One-time passwords by time (RFC 6238 over RFC 4226), and a person's authenticator app. Never does I/O."""

import base64
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

from servicekit.errors import AppError, Kind

DIGITS = 6
PERIOD = 30
"""Seconds that a code is shown for."""
ENROLMENT = timedelta(minutes=15)
"""How long a begun enrolment waits for its first code."""
_WINDOW = 1
_SECRET_BYTES = 20
_ISSUER = "Comptoir"


class TotpNotFound(AppError):
    """The person has no authenticator app, or the enrolment was not begun in the last quarter of an hour."""

    kind = Kind.NOT_FOUND
    reason = "TOTP_NOT_FOUND"
    detail = "There is no authenticator app, or its enrolment was begun too long ago."


class TotpExists(AppError):
    """The person has an authenticator app already; it must be removed first."""

    kind = Kind.EXISTS
    reason = "TOTP_EXISTS"
    detail = "There is an authenticator app already. Remove it first."


class CodeWrong(AppError):
    """The code to confirm the new authenticator app with is not what the app must show."""

    kind = Kind.UNPROCESSABLE
    reason = "TOTP_CODE_WRONG"
    detail = "This is not the code that the app must show now. Is the clock of the device right?"


@dataclass(frozen=True, slots=True)
class Totp:
    """A person's authenticator app. Counts as a factor once it is confirmed."""

    user_id: UUID
    sealed_secret: bytes
    begun_at: datetime
    confirmed_at: datetime | None = None
    last_counter: int = -1
    """Of the newest code that was accepted: neither it nor an older one is accepted again."""

    def accept(self, secret: bytes, code: str, *, now: datetime) -> "Totp | None":
        """The app after `code` was given, or None when it is wrong, or not newer than the last one accepted.

        Right is the code of the present half minute, of the one before and of the one after (RFC 6238 §5.2).
        All are compared, whichever fits, in constant time.
        """
        present = int(now.timestamp()) // PERIOD
        fitting = [
            counter
            for counter in range(present - _WINDOW, present + _WINDOW + 1)
            if hmac.compare_digest(hotp(secret, counter).encode(), code.encode())
        ]
        newest = max(fitting, default=-1)
        return replace(self, last_counter=newest) if newest > self.last_counter else None

    def confirm(self, secret: bytes, code: str, *, now: datetime) -> "Totp":
        """The app, confirmed by a first code; which then cannot be used to log in any more.

        Raises:
            TotpExists: it was confirmed before.
            TotpNotFound: it was begun too long ago.
            CodeWrong: another code.
        """
        if self.confirmed_at is not None:
            raise TotpExists
        if now >= self.begun_at + ENROLMENT:
            raise TotpNotFound
        accepted = self.accept(secret, code, now=now)
        if accepted is None:
            raise CodeWrong
        return replace(accepted, confirmed_at=now)


def new_secret() -> bytes:
    """160 random bits: as long as the hash (RFC 4226 §4, R6)."""
    return secrets.token_bytes(_SECRET_BYTES)


def hotp(secret: bytes, counter: int, *, digits: int = DIGITS) -> str:
    """The code of a counter: HMAC-SHA-1, truncated dynamically (RFC 4226 §5.3)."""
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def shown_secret(secret: bytes) -> str:
    """The secret in base32 without padding, as people type it into an app."""
    return base64.b32encode(secret).decode().rstrip("=")


def enrolment_uri(secret: bytes, email: str) -> str:
    """What the QR code says: the key URI format that authenticator apps read."""
    label = quote(f"{_ISSUER}:{email}", safe="")
    rules = {"secret": shown_secret(secret), "issuer": _ISSUER, "algorithm": "SHA1"}
    return f"otpauth://totp/{label}?{urlencode(rules | {'digits': DIGITS, 'period': PERIOD})}"
