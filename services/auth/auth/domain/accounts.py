"""Registrations and members: what a wish to register is and how long it holds. Never does I/O."""

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from auth.domain.limits import network
from auth.domain.roles import Grant
from servicekit.errors import AppError, InvalidRequest, Kind, Violation

LIVE_REGISTRATIONS = 3
"""How many wishes may wait for one address: what a stranger can make us send there is bounded."""
MAILS_PER_REGISTRATION = 5
ATTEMPTS = 5
ATTEMPTS_WINDOW = timedelta(minutes=15)
_LINK_LIFETIME = timedelta(hours=24)
_TOKEN_BYTES = 32
_DEFAULT_LANGUAGE = "en"


class VerificationTokenInvalid(AppError):
    """The token of the link is wrong, expired, or its address was verified through another link."""

    kind = Kind.NOT_FOUND
    reason = "VERIFICATION_TOKEN_INVALID"
    detail = "This link does not hold (any more). Ask for another one."


class RegistrationNotFound(AppError):
    """The id is not one of a registration."""

    kind = Kind.NOT_FOUND
    reason = "REGISTRATION_NOT_FOUND"
    detail = "There is no such registration."


class InvalidCredentials(AppError):
    """Address or password is wrong; which one is not told."""

    kind = Kind.UNAUTHENTICATED
    reason = "INVALID_CREDENTIALS"
    detail = "The e-mail address or the password is wrong."


class EmailNotVerified(AppError):
    """The password is right, but the address waits for its verification."""

    kind = Kind.REFUSED
    reason = "EMAIL_NOT_VERIFIED"
    detail = "Verify your e-mail address first: follow the link in the mail."


class TooManyAttempts(AppError):
    """Too many log-ins failed for this account, from this place, or everywhere."""

    kind = Kind.EXHAUSTED
    reason = "TOO_MANY_ATTEMPTS"
    detail = "Too many failed log-ins. Try again in a quarter of an hour."


@dataclass(frozen=True, slots=True)
class Registration:
    """Somebody's wish to register: the address, and all that comes true if its own link is followed.

    Several may wait for one address, each with its own password and link. So whoever registers a foreign
    address can neither change the password of the owner's own registration nor lend it theirs: a link
    only ever brings to life what was typed in when that link was asked for. (Keeping only the first would
    let a stranger who came first set the password of an account that its owner verifies; keeping only the
    last, one who came later.)
    """

    id: UUID
    """Becomes the user's id."""
    email: str
    display_name: str
    organization_name: str
    language: str
    password_hash: str
    expires_at: datetime
    completed_at: datetime | None = None
    organization_id: UUID | None = None
    """The organization it made, once completed."""

    @classmethod
    def begin(
        cls,
        id: UUID,  # noqa: A002
        *,
        email: str,
        display_name: str,
        organization_name: str,
        language: str,
        password_hash: str,
        now: datetime,
    ) -> "Registration":
        """A new wish, which waits 24 h.

        Raises:
            InvalidRequest: a name is blank or holds control characters.
        """
        return cls(
            id=id,
            email=email,
            display_name=_name("/display_name", display_name),
            organization_name=_name("/organization_name", organization_name),
            language=language or _DEFAULT_LANGUAGE,
            password_hash=password_hash,
            expires_at=now + _LINK_LIFETIME,
        )

    def complete(self, organization_id: UUID, now: datetime) -> "Registration":
        """The wish, come true.

        Raises:
            VerificationTokenInvalid: it did already, or it expired.
        """
        if self.completed_at is not None or now >= self.expires_at:
            raise VerificationTokenInvalid
        return replace(self, completed_at=now, organization_id=organization_id)


@dataclass(frozen=True, slots=True)
class Verification:
    """The secret of one link. Only its hash is kept."""

    registration_id: UUID
    token_hash: bytes
    expires_at: datetime


def issue_verification(registration_id: UUID, now: datetime) -> tuple[str, Verification]:
    """A fresh token of 256 random bits and what is kept of it; it holds 24 h."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    return token, Verification(registration_id, token_hash(token), now + _LINK_LIFETIME)


def token_hash(token: str) -> bytes:
    """What is kept of a random token. SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()


@dataclass(frozen=True, slots=True)
class Account:
    """What a log-in is checked against: a verified user, or a registration that waits."""

    id: UUID
    password_hash: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """A person in an organization."""

    organization_id: UUID
    user_id: UUID
    role: str
    """As in a Grant."""
    venues: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Profile:
    """What a member sees of themselves."""

    user_id: UUID
    email: str
    display_name: str
    organization_id: UUID
    organization_name: str
    grant: Grant


def normalise_email(text: str) -> str:
    """The form in which an address is kept and looked up; empty for what cannot be an address."""
    email = unicodedata.normalize("NFC", text.strip()).lower()
    return email if email.isprintable() else ""


def attempt_key(email: str, address: str) -> bytes:
    """By what log-ins of strangers are counted first: account and network together; see `limits.network`."""
    return hashlib.sha256(f"{email}\x00{network(address)}".encode()).digest()


def known_attempt_key(email: str, known: str) -> bytes:
    """By what those are counted, and alone, who have a secret of the account's owner; see `count_try`."""
    return hashlib.sha256(f"{email}\x00known\x00{known}".encode()).digest()


def person_name(text: str) -> str:
    """A person's name as it is kept.

    Raises:
        InvalidRequest: it is blank or holds control characters.
    """
    return _name("/display_name", text)


def _name(pointer: str, text: str) -> str:
    name = unicodedata.normalize("NFC", text.strip())
    if not name or _has_control_characters(name):
        raise InvalidRequest(violations=[Violation(pointer, "must be a name without control characters")])
    return name


def _has_control_characters(characters: Iterable[str]) -> bool:
    return any(unicodedata.category(each) == "Cc" for each in characters)
