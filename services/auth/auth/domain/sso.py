"""A log-in at a provider, from its beginning to the code that is traded for a session. Never does I/O."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from servicekit.errors import AppError, Kind

ATTEMPT_LIFETIME = timedelta(minutes=10)
CODE_LIFETIME = timedelta(seconds=60)
SOCIAL = UUID(int=0)
"""Whose identities the social ones are: of no organization."""
SECOND_FACTOR_METHOD = "mfa"
"""What a session says when the provider has asked for a second factor itself (RFC 8176)."""
SOCIAL_METHOD = "soc"
"""What a session says when a social network vouched: the person's own choice, unlike a connection."""
_SECRET_BYTES = 32


class ReturnNotAllowed(AppError):
    """The address to come back to is of no origin that the settings name."""

    kind = Kind.UNPROCESSABLE
    reason = "SSO_RETURN_NOT_ALLOWED"
    detail = "This installation does not send browsers there."


class StateInvalid(AppError):
    """This browser began no such log-in, it is over, or it came back at the place of another provider."""

    kind = Kind.REFUSED
    reason = "SSO_STATE_INVALID"
    detail = "This log-in does not wait (any more). Begin it again."


class ProviderFailed(AppError):
    """The provider does not answer, or not as a provider must."""

    kind = Kind.UNAVAILABLE
    reason = "SSO_PROVIDER_FAILED"
    detail = "The provider of this log-in does not answer as it must. Try again later."


class CodeInvalid(AppError):
    """The code is not ours, was traded already, is older than a minute, or another one began the log-in."""

    kind = Kind.UNAUTHENTICATED
    reason = "SSO_CODE_INVALID"
    detail = "This log-in does not wait (any more). Begin it again."


class DomainNotVerified(AppError):
    """The connection has no verified domain yet."""

    kind = Kind.REFUSED
    reason = "SSO_DOMAIN_NOT_VERIFIED"
    detail = "This connection speaks for no verified domain yet, so nobody can log in by it."


class EmailNotVouchedFor(AppError):
    """The provider does not say that the address is verified, or is not trusted to say so."""

    kind = Kind.REFUSED
    reason = "SSO_EMAIL_NOT_VERIFIED"
    detail = "The provider does not vouch for your e-mail address."


class EmailNotOfDomain(AppError):
    """The address, of the provider's answer or of the account, is of no verified domain of the connection."""

    kind = Kind.REFUSED
    reason = "SSO_EMAIL_NOT_OF_DOMAIN"
    detail = "Your e-mail address is not of a domain that this connection speaks for."


class SsoRequired(AppError):
    """The person's organization wants them to log in by its connection, which is in the metadata."""

    kind = Kind.REFUSED
    reason = "SSO_REQUIRED"
    detail = "Your organization wants you to log in by its own provider."


@dataclass(frozen=True, slots=True)
class Assertion:
    """Who somebody is, as a provider says it."""

    issuer: str
    subject: str
    email: str
    """Normalised; empty when the provider tells none that it has verified."""
    name: str
    groups: tuple[str, ...] = ()
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """A browser on its way to a provider and back. Only hashes of what it carries are kept."""

    state_hash: bytes
    browser_hash: bytes
    connection: str
    """A social one by its name, or a typed id."""
    nonce: str
    sealed_verifier: bytes
    """Of our PKCE with the provider."""
    challenge: str
    """Of the application's PKCE with us."""
    return_to: str
    expires_at: datetime

    def is_of(self, browser: str) -> bool:
        """Whether the browser with this cookie began it."""
        return hmac.compare_digest(self.browser_hash, hashed(browser))

    def back(self, **said: str) -> str:
        """The address to come back to, with what it is told."""
        parts = urlsplit(self.return_to)
        kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _OURS]
        return urlunsplit(parts._replace(query=urlencode([*kept, *said.items()])))


_OURS = ("sso_code", "sso_error")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came back, and has a minute to trade the code for a session."""

    code_hash: bytes
    connection: str
    challenge: str
    assertion: Assertion
    expires_at: datetime
    provider: str | None = None
    """Which provider the connection had (`Provider.identity`) when it was asked; None for social ones."""

    @classmethod
    def of(
        cls, attempt: Attempt, assertion: Assertion, now: datetime, *, provider: str | None = None
    ) -> "tuple[str, Arrival]":
        """The code for the browser, and what is kept."""
        code = new_secret()
        until = now + CODE_LIFETIME
        arrived = cls(hashed(code), attempt.connection, attempt.challenge, assertion, until, provider)
        return code, arrived

    def refuse_others(self, verifier: str) -> None:
        """Makes sure that whoever ends the log-in has begun it.

        Raises:
            CodeInvalid: the verifier is not the one of the challenge.
        """
        if not hmac.compare_digest(pkce_challenge(verifier), self.challenge):
            raise CodeInvalid


def pkce_challenge(verifier: str) -> str:
    """S256 of RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def new_secret() -> str:
    """256 random bits in base64url: 43 characters, as PKCE wants verifiers."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hashed(secret: str) -> bytes:
    """What is kept of 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def allow_return(address: str, origins: Sequence[str]) -> None:
    """Makes sure that a browser may be sent to an address: one of an origin, compared in whole.

    Raises:
        ReturnNotAllowed: it may not.
    """
    try:
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
    except ValueError as error:
        raise ReturnNotAllowed from error
    if origin not in origins or "\\" in address or parts.fragment:
        raise ReturnNotAllowed
