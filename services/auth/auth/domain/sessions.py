"""Sessions and their refresh tokens: a counter per session instead of a row per token, as in GoTrue v2."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from servicekit.errors import AppError, Kind, Unauthenticated
from servicekit.permissions import BY_CONNECTION

_VERSION = b"\x00"
_SESSION = slice(1, 17)
_MAC_BYTES = 16
_CHECKSUM_BYTES = 4
_TAIL = _MAC_BYTES + _CHECKSUM_BYTES
_LONGEST = 64
_SALT_BYTES = 32
REUSE_INTERVAL = timedelta(seconds=10)
"""From when a token was first followed by another, whatever comes then: the default of GoTrue."""


class RefreshTokenInvalid(AppError):
    """The refresh token is not ours, or its session is over."""

    kind = Kind.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_INVALID"
    detail = "This refresh token does not hold. Log in again."


class RefreshTokenReused(AppError):
    """The refresh token was traded long ago, so two parties hold the session; it was ended for both."""

    kind = Kind.UNAUTHENTICATED
    reason = "REFRESH_TOKEN_REUSED"
    detail = "This refresh token was used before. For safety the session was ended; log in again."


class SessionNotFound(AppError):
    """The id is not one of the caller's sessions."""

    kind = Kind.NOT_FOUND
    reason = "SESSION_NOT_FOUND"
    detail = "There is no such session."


class EndReason(StrEnum):
    """Why a session is over before its time."""

    LOGGED_OUT = "logged_out"
    LOGGED_OUT_EVERYWHERE = "logged_out_everywhere"
    REVOKED = "revoked"
    MEMBERSHIP_ENDED = "membership_ended"
    ENDED_BY_ORGANIZATION = "ended_by_organization"
    TOKEN_REUSED = "token_reused"  # noqa: S105  # a reason, no secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    PASSWORD_RESET = "password_reset"  # noqa: S105
    EMAIL_REVERTED = "email_reverted"
    ACCOUNT_DELETED = "account_deleted"
    CONNECTION_GONE = "connection_gone"
    PROVIDER_CHANGED = "provider_changed"
    OPERATOR_DISABLED = "operator_disabled"
    OPERATOR_REENROLLED = "operator_reenrolled"


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long things hold."""

    access_token: timedelta
    session: timedelta
    """From log-in, whatever happens."""
    idle: timedelta
    """From the last refresh."""


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """What a client is given."""

    access_token: str
    refresh_token: str
    expires_in: int
    """Seconds that the access token holds."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody logged in, in one organization. Its newest refresh token carries `counter`."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    counter: int
    salt: bytes
    """Makes the session's own MAC key, together with a secret that is not in the database."""
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    methods: tuple[str, ...]
    """How the person proved who they are: values of `amr` (RFC 8176), like "pwd", "otp", "hwk"; and what it
    does not name: "rec" (recovery codes), "soc" (social log-ins), "fed" (an organization's connection)."""
    authenticated_at: datetime
    """When they last gave full credentials."""
    device: str = ""
    address: str = ""
    """Where the session was opened from."""
    ended_at: datetime | None = None
    end_reason: EndReason | None = None
    connection_id: UUID | None = None
    """The organization's connection that it was opened by, whatever credentials were given since."""
    stepped_at: datetime | None = None
    """When `forgiven` was first followed. Nothing that comes later prolongs what begins there."""
    forgiven: int = 0
    """The counter that new credentials make no older, until `REUSE_INTERVAL` after `stepped_at`."""

    @classmethod
    def open(
        cls,
        id: UUID,  # noqa: A002
        *,
        organization_id: UUID,
        user_id: UUID,
        methods: Iterable[str],
        device: str,
        address: str,
        now: datetime,
        lifetimes: Lifetimes,
        connection_id: UUID | None = None,
    ) -> "Session":
        """A fresh session of a person who has just given full credentials."""
        return cls(
            id,
            organization_id,
            user_id,
            counter=0,
            salt=secrets.token_bytes(_SALT_BYTES),
            created_at=now,
            last_used_at=now,
            expires_at=now + lifetimes.session,
            methods=tuple(sorted(set(methods))),
            authenticated_at=now,
            device=device,
            address=address,
            connection_id=connection_id,
        )

    @property
    def by_connection(self) -> bool:
        """Whether a connection let the person in; older sessions say so by their methods alone."""
        return self.connection_id is not None or BY_CONNECTION in self.methods

    def holds(self, *, now: datetime, idle: timedelta) -> bool:
        """Whether the session can still be gone on with."""
        return self.ended_at is None and now < self.expires_at and now < self.last_used_at + idle

    def trade(self, counter: int, *, now: datetime, idle: timedelta) -> "Session":
        """The session after a refresh token with `counter` was presented.

        The newest token rotates it. Its parent changes nothing but the time of use: a client that lost our
        answer, or another tab of it, gets the newest token again. New credentials make that parent no older
        within `REUSE_INTERVAL` of when it was first followed: tabs refresh while one of them steps up. An
        older one ends the session: the caller saves that, and then refuses.

        Raises:
            RefreshTokenInvalid: the session is over, or the counter was never handed out.
        """
        if not self.holds(now=now, idle=idle) or counter > self.counter:
            raise RefreshTokenInvalid
        if counter == self.counter:
            return self._step(now)
        if counter == self.counter - 1 or (counter >= self.forgiven and self._followed_lately(now)):
            return replace(self, last_used_at=now)
        return self.end(now, EndReason.TOKEN_REUSED)

    def reauthenticate(self, methods: Iterable[str], *, now: datetime, idle: timedelta) -> "Session":
        """The session after full credentials were given anew. It takes a step, as by a refresh: ASVS 7.2.4.

        Raises:
            Unauthenticated: it is over.
        """
        if not self.holds(now=now, idle=idle):
            raise Unauthenticated
        stepped = self._step(now)
        if self._followed_lately(now):
            stepped = replace(stepped, stepped_at=self.stepped_at, forgiven=self.forgiven)
        return replace(stepped, methods=tuple(sorted(set(methods))), authenticated_at=now)

    def _step(self, now: datetime) -> "Session":
        return replace(
            self, counter=self.counter + 1, last_used_at=now, stepped_at=now, forgiven=self.counter
        )

    def _followed_lately(self, now: datetime) -> bool:
        return self.stepped_at is not None and now - self.stepped_at < REUSE_INTERVAL

    def end(self, now: datetime, reason: EndReason) -> "Session":
        """The session, over; it stays over since the first time, and for the first reason."""
        return self if self.ended_at else replace(self, ended_at=now, end_reason=reason)

    def refresh_token(self, key: bytes) -> str:
        """The newest refresh token, signed with the session's key."""
        return RefreshToken.sign(self.id, self.counter, key).text()


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """base64url(version ‖ session ‖ uvarint counter ‖ HMAC-SHA256 cut to 16 bytes ‖ 4 bytes of SHA-256)."""

    session_id: UUID
    counter: int
    mac: bytes

    @classmethod
    def sign(cls, session_id: UUID, counter: int, key: bytes) -> "RefreshToken":
        """A token that holds for one counter of one session."""
        return cls(session_id, counter, _mac(session_id, counter, key))

    @classmethod
    def parse(cls, text: str) -> "RefreshToken":
        """Reads a token. Its MAC is not verified yet; the checksum spares the database the typing errors.

        Raises:
            RefreshTokenInvalid: not a token, or not written the one way that we write it.
        """
        if len(text) > _LONGEST or not text.isascii():
            raise RefreshTokenInvalid
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefreshTokenInvalid from error
        body, mac = raw[:-_TAIL], raw[-_TAIL:-_CHECKSUM_BYTES]
        if len(body) <= _SESSION.stop or raw[:1] != _VERSION:
            raise RefreshTokenInvalid
        token = cls(UUID(bytes=body[_SESSION]), _read_uvarint(body[_SESSION.stop :]), mac)
        if token.text() != text:
            raise RefreshTokenInvalid
        return token

    def text(self) -> str:
        """As the client keeps it."""
        signed = _body(self.session_id, self.counter) + self.mac
        checksum = hashlib.sha256(signed).digest()[:_CHECKSUM_BYTES]
        return base64.urlsafe_b64encode(signed + checksum).rstrip(b"=").decode()

    def verify(self, keys: Iterable[bytes]) -> None:
        """Makes sure that we signed it, with one of the session's keys.

        Raises:
            RefreshTokenInvalid: none of them fits.
        """
        if not any(hmac.compare_digest(self.mac, _mac(self.session_id, self.counter, key)) for key in keys):
            raise RefreshTokenInvalid


def _mac(session_id: UUID, counter: int, key: bytes) -> bytes:
    return hmac.digest(key, _body(session_id, counter), "sha256")[:_MAC_BYTES]


def _body(session_id: UUID, counter: int) -> bytes:
    return _VERSION + session_id.bytes + _uvarint(counter)


def _uvarint(number: int) -> bytes:
    """Seven bits a byte, lowest first, the high bit set on all but the last (protobuf's encoding)."""
    encoded = bytearray()
    while number > 0x7F:  # noqa: PLR2004
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_uvarint(encoded: bytes) -> int:
    """The number; whether it was written the shortest way is seen by writing it again."""
    return sum((byte & 0x7F) << 7 * position for position, byte in enumerate(encoded))
