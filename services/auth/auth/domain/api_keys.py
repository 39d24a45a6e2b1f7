"""API keys: what they may do, from where, until when, and which of their secrets hold. Never does I/O."""

import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeAlias
from uuid import UUID

from auth.domain.roles import PermissionUnknown
from servicekit import permissions
from servicekit.errors import AppError, Kind

LONGEST_GRACE = timedelta(days=7)
"""How long the previous secret of a key may hold after a rotation."""
MOST_NETWORKS = 20

Network: TypeAlias = IPv4Network | IPv6Network


class ApiKeyNotFound(AppError):
    """The id is not one of a key of the organization."""

    kind = Kind.NOT_FOUND
    reason = "API_KEY_NOT_FOUND"
    detail = "There is no such API key."


class ApiKeyOver(AppError):
    """The key was revoked or has expired: it gets no new secret."""

    kind = Kind.REFUSED
    reason = "API_KEY_OVER"
    detail = "This API key was revoked or has expired. Make a new one."


class ApiKeyExpiryPast(AppError):
    """The key would expire before it could be used."""

    kind = Kind.UNPROCESSABLE
    reason = "API_KEY_EXPIRY_PAST"
    detail = "The key would be expired already."


class ApiVersionUnknown(AppError):
    """The version is none of this API."""

    kind = Kind.UNPROCESSABLE
    reason = "API_VERSION_UNKNOWN"
    detail = "There is no such version; /versions lists those that there are."


class ApiVersionNotRaised(AppError):
    """The version is older than the one that the key is pinned to."""

    kind = Kind.REFUSED
    reason = "API_VERSION_NOT_RAISED"
    detail = (
        "This API key is pinned to a newer version already. Name an older one in each call that wants it."
    )


class NetworkInvalid(AppError):
    """One of the networks is no IPv4 or IPv6 network in CIDR notation without host bits."""

    kind = Kind.UNPROCESSABLE
    reason = "NETWORK_INVALID"
    detail = "Write each network like 192.0.2.0/24 or 2001:db8::/32, without bits after the prefix."


class RateClass(StrEnum):
    """How many calls at a time a key may make; what each class means is the gateway's."""

    STANDARD = "standard"
    BULK = "bulk"


class RevokeReason(StrEnum):
    """Why a key was revoked."""

    REVOKED = "revoked"
    LEAKED = "leaked"


@dataclass(frozen=True, slots=True)
class Rules:
    """What its maker said about a key."""

    name: str
    permissions: frozenset[str]
    sandbox: bool = False
    venues: frozenset[UUID] = frozenset()
    """The venues that it is limited to; empty means all."""
    networks: tuple[str, ...] = ()
    """Where it may be used from; empty means anywhere."""
    daily_quota: int | None = None
    """Calls a day, by UTC."""
    rate_class: RateClass = RateClass.STANDARD
    expires_at: datetime | None = None

    def check(self, now: datetime) -> "Rules":
        """The rules, in the form that is kept.

        Raises:
            PermissionUnknown: they allow what nothing asks for.
            NetworkInvalid: a network is none.
            ApiKeyExpiryPast: they end before now.
        """
        if not self.permissions <= permissions.ALL:
            raise PermissionUnknown
        if self.expires_at is not None and self.expires_at <= now:
            raise ApiKeyExpiryPast
        return replace(
            self, name=self.name.strip(), networks=tuple(str(each) for each in read(self.networks))
        )


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without its secret."""

    organization_id: UUID
    id: UUID
    acts_in: UUID
    """The organization itself, or its sandbox."""
    rules: Rules
    short_id: str
    """Names the key in logs and before it is known; no secret."""
    secret_hash: bytes = field(repr=False)
    created_at: datetime
    created_by: UUID
    previous_hash: bytes | None = field(default=None, repr=False)
    """Of the secret before the last rotation."""
    previous_until: datetime | None = None
    revoked_at: datetime | None = None
    revoke_reason: RevokeReason | None = None
    last_used_at: datetime | None = None
    pinned_version: str | None = None
    """The version of the API of its calls when they name none; None before its first use."""

    def is_over(self, now: datetime) -> bool:
        """Whether it was revoked or has expired."""
        expires_at = self.rules.expires_at
        return self.revoked_at is not None or (expires_at is not None and expires_at <= now)

    def holds(self, secret_hash: bytes, now: datetime) -> datetime | None:
        """Until when the key holds with this secret, at most a day from now; None when it does not.

        Both secrets are compared, in constant time, whatever comes out.
        """
        current = hmac.compare_digest(secret_hash, self.secret_hash)
        previous = hmac.compare_digest(secret_hash, self.previous_hash or self.secret_hash)
        ends = [now + timedelta(days=1)]
        if self.rules.expires_at is not None:
            ends.append(self.rules.expires_at)
        if not current:
            if not previous or self.previous_hash is None or self.previous_until is None:
                return None
            ends.append(self.previous_until)
        return min(ends) if min(ends) > now and not self.is_over(now) else None

    def rotate(self, secret_hash: bytes, *, grace: timedelta, now: datetime) -> "ApiKey":
        """The key with a new secret; the one before holds for `grace` more, older ones no more.

        Raises:
            ApiKeyOver: it was revoked or has expired.
        """
        if self.is_over(now):
            raise ApiKeyOver
        grace = min(grace, LONGEST_GRACE)
        kept = self.secret_hash if grace > timedelta() else None
        return replace(
            self,
            secret_hash=secret_hash,
            previous_hash=kept,
            previous_until=now + grace if kept is not None else None,
        )

    def raise_version(self, version: str, known: Collection[str]) -> "ApiKey":
        """The key, pinned to a newer version, or to the one that it is pinned to.

        Raises:
            ApiVersionUnknown: it is not among those that are known.
            ApiVersionNotRaised: it is older.
        """
        if version not in known:
            raise ApiVersionUnknown
        # Dates of ISO 8601 compare as texts.
        if self.pinned_version is not None and version < self.pinned_version:
            raise ApiVersionNotRaised
        return replace(self, pinned_version=version)

    def revoke(self, reason: RevokeReason, now: datetime) -> "ApiKey":
        """The key, ended for good. One that was revoked stays as it is."""
        if self.revoked_at is not None:
            return self
        return replace(self, revoked_at=now, revoke_reason=reason, previous_hash=None, previous_until=None)


def read(networks: Iterable[str]) -> list[Network]:
    """Networks in CIDR notation (RFC 4632).

    Raises:
        NetworkInvalid: one is none.
    """
    try:
        return [ip_network(each) for each in networks]
    except ValueError as error:
        raise NetworkInvalid from error
