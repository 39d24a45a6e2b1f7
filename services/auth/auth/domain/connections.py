"""An organization's connection to its OpenID provider: its domains and whom it makes what. Never does I/O."""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from auth.domain.roles import RoleNotFound
from servicekit.errors import AppError, Kind
from servicekit.permissions import OWNER

MOST_CONNECTIONS = 10
_RECORD = "_comptoir"
_VALUE = "comptoir-domain-verification="
_TOKEN_BYTES = 20


class ConnectionNotFound(AppError):
    """The id is not one of a connection of the organization, or of a social log-in that is on."""

    kind = Kind.NOT_FOUND
    reason = "CONNECTION_NOT_FOUND"
    detail = "There is no such connection."


class TooManyConnections(AppError):
    """The organization has as many connections as it may."""

    kind = Kind.REFUSED
    reason = "TOO_MANY_CONNECTIONS"
    detail = "An organization may have ten connections."


class DomainOnOtherConnection(AppError):
    """A domain stands in another connection of the organization already."""

    kind = Kind.EXISTS
    reason = "DOMAIN_ON_OTHER_CONNECTION"
    detail = "One of these domains belongs to another connection of the organization."


class ClientSecretRequired(AppError):
    """The old secret would go to another issuer."""

    kind = Kind.UNPROCESSABLE
    reason = "CLIENT_SECRET_REQUIRED"
    detail = "Another issuer needs the client secret anew."


class IssuerNotAllowed(AppError):
    """The issuer is no https URL without a query."""

    kind = Kind.UNPROCESSABLE
    reason = "ISSUER_NOT_ALLOWED"
    detail = "The issuer must be an https URL without a query."


@dataclass(frozen=True, slots=True)
class Domain:
    """Whose addresses a connection speaks for, once its TXT record was seen."""

    name: str
    token: str
    verified_at: datetime | None = None
    missing_since: datetime | None = None
    """Since when the record of a verified one is not there any more."""
    missed: int = 0
    """How often running it was looked for in vain."""

    @classmethod
    def claim(cls, name: str) -> "Domain":
        """Not verified yet."""
        return cls(name, secrets.token_hex(_TOKEN_BYTES))

    @property
    def record_name(self) -> str:
        """Where the TXT record belongs."""
        return f"{_RECORD}.{self.name}"

    @property
    def record_value(self) -> str:
        """What it says."""
        return _VALUE + self.token

    def look(self, records: Collection[str], now: datetime) -> "Domain":
        """Verified, if its record is among these; what is verified stays so: see `look_again`."""
        if self.verified_at is None and self.record_value in records:
            return replace(self, verified_at=now)
        return self

    def look_again(self, records: Collection[str], now: datetime, *, most: timedelta) -> "Domain":
        """A verified one a day after the last look; not verified once its record was missing for long.

        Days without an answer count for nothing: it must have been missing at one look more than `most` has
        days, all running, the first of them `most` ago.
        """
        if self.verified_at is None or self.record_value in records:
            return replace(self, missing_since=None, missed=0)
        since = self.missing_since or now
        if self.missed >= most.days and now - since >= most:
            return replace(self, verified_at=None, missing_since=None, missed=0)
        return replace(self, missing_since=since, missed=self.missed + 1)


@dataclass(frozen=True, slots=True)
class Provider:
    """Who says who somebody is, and who we are there."""

    name: str
    issuer: str
    client_id: str

    @property
    def identity(self) -> str:
        """What makes it another provider: the issuer, and the client that we are there. Its name does not."""
        return f"{self.issuer} {self.client_id}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a connection makes of those whom it lets in."""

    default_role: str
    role_claim: str = ""
    roles: tuple[tuple[str, str], ...] = ()
    """Values of the claim and what they make of somebody, in the order in which they are tried."""
    required: bool = False
    provides_second_factor: bool = False

    def __post_init__(self) -> None:
        """Raises RoleNotFound: no provider makes owners, who are made by a transfer alone."""
        if OWNER in self.all_roles():
            raise RoleNotFound

    def role_of(self, groups: Collection[str]) -> str:
        """The role of somebody whom the provider puts into these groups."""
        fitting = (role for value, role in self.roles if value in groups)
        return next(fitting, self.default_role)

    def all_roles(self) -> set[str]:
        """Every role that it may give."""
        return {self.default_role, *(role for _, role in self.roles)}


@dataclass(frozen=True, slots=True)
class Connection:
    """An organization's log-in at a provider."""

    organization_id: UUID
    id: UUID
    provider: Provider
    rules: Rules
    sealed_secret: bytes
    domains: tuple[Domain, ...] = ()

    @property
    def is_verified(self) -> bool:
        """Whether it speaks for anybody."""
        return any(each.verified_at is not None for each in self.domains)

    def speaks_for(self, email: str) -> bool:
        """Whether an address is of a verified domain. Subdomains are domains of their own."""
        domain = domain_of(email)
        return any(each.name == domain and each.verified_at is not None for each in self.domains)

    def is_at(self, provider: str | None) -> bool:
        """Whether it still has the provider that was asked (`Provider.identity`); None does not say which."""
        return provider in (None, self.provider.identity)

    def with_domains(self, names: Iterable[str]) -> "Connection":
        """The connection with these domains; those that stay, stay as they are."""
        there = {each.name: each for each in self.domains}
        return replace(
            self, domains=tuple(there.get(name) or Domain.claim(name) for name in sorted(set(names)))
        )


def domain_of(email: str) -> str:
    """What stands after the last @; empty for what is no address."""
    local, _, domain = email.rpartition("@")
    return domain if local else ""


def bound_to(connection_id: UUID) -> bytes:
    """What the client secret of a connection is sealed for."""
    return b"connection" + connection_id.bytes
