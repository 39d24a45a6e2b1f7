"""What the auth service reads from its environment (AUTH_…). Read once, in __main__."""

import base64
import binascii
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.addresses import Network
from servicekit.settings import Environment, Part, ServiceSettings

_KEY_BYTES = 32


class HashingSettings(Part):
    """Argon2id. The floor is OWASP's smallest recommendation; RFC 9106 asks for more where memory allows."""

    memory_kib: int = Field(default=19_456, ge=19_456)
    passes: int = Field(default=2, ge=2)
    lanes: int = Field(default=1, ge=1)
    workers: int = Field(default=2, ge=1, le=64)
    """How many passwords are hashed at one time; each takes `memory_kib`."""
    waiting: int = Field(default=32, ge=0)
    """How many more may wait; further ones are refused as unavailable."""


class GuessingSettings(Part):
    """How many passwords and second factors may be wrong in five minutes. Numbers that PyPI lives with."""

    from_place: int = Field(default=10, ge=1)
    """From one place: an address of IPv4, a /64 of IPv6."""
    from_network: int = Field(default=100, ge=1)
    """From one network: a /24 of IPv4, a /48 of IPv6."""
    of_account: int = Field(default=10, ge=1)
    """For one account, wherever they come from. Remembered devices and sessions count by themselves."""
    of_all: int = Field(default=1000, ge=1)
    """For all accounts together, likewise."""
    factors_from_place: int = Field(default=10, ge=1)
    """Second factors from one place; in an hour five times as many."""
    factors_from_network: int = Field(default=100, ge=1)
    """Second factors from one network; in an hour five times as many."""


class WebAuthnSettings(Part):
    """The site that passkeys are made for. Changing `rp_id` makes all passkeys useless."""

    rp_id: str = "localhost"
    """A domain: that of the pages, or one above it."""
    origins: tuple[str, ...] = ("http://localhost:8080",)
    """Where the pages are, like "https://book.example.org": of `rp_id`, or below it."""

    @model_validator(mode="after")
    def _refuse_foreign_origins(self) -> Self:
        hosts = [urlsplit(origin).hostname or "" for origin in self.origins]
        if not hosts or not all(f".{host}".endswith(f".{self.rp_id}") for host in hosts):
            raise ValueError("webauthn.origins: must be of the domain webauthn.rp_id")
        return self


class PlanSettings(Part):
    """At most how many of each an organization of a plan may have."""

    members: int = Field(ge=1)
    venues: int = Field(ge=1)
    api_keys: int = Field(ge=0)


class SocialSettings(Part):
    """Who we are at a social network."""

    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    base_url: str = ""
    """Another installation than the public one, like an Enterprise Server; without a slash at the end."""
    trust_email: bool = False
    """Facebook alone: whether the address that it tells counts as verified, although it does not say so."""


class SsoSettings(Part):
    """Log-in at somebody else."""

    public_url: str = Field(default="http://localhost:8080", pattern="^https?://[^/?#]+$")
    """The gateway as the outside knows it, like "https://api.example.org". Providers send browsers there."""
    app_origins: tuple[str, ...] = ("http://localhost:8080",)
    """Where applications are that browsers may be sent to afterwards, like "https://book.example.org"."""
    social: dict[Literal["google", "github", "facebook"], SocialSettings] = Field(default_factory=dict)
    """Those that are on."""
    allow_http: bool = False
    """For providers on the own machine; never in production."""
    allowed_networks: tuple[Network, ...] = ()
    """Networks of the operator's own in which providers are, like "10.1.0.0/16"."""
    domain_missing_days: int = Field(default=7, ge=1, le=365)
    """After how many days running without its TXT record a verified domain counts no more."""

    @property
    def scim_url(self) -> str:
        """Where providers manage people, as the outside knows it."""
        return f"{self.public_url}/scim/v2"

    @property
    def is_safe(self) -> bool:
        """Whether every address in it is https."""
        return all(each.startswith("https://") for each in (self.public_url, *self.app_origins))

    def callback_url(self, connection: str) -> str:
        """Where a provider sends browsers back to; registered with it.

        Each social log-in and each connection has its own, so that the place where a browser comes back tells
        who was asked (RFC 9700 §4.4.2).
        """
        return f"{self.public_url}/v1/auth/sso/{connection}/callback"


class Settings(ServiceSettings):
    """Settings of auth."""

    model_config = SettingsConfigDict(
        env_prefix="AUTH_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    access_token_key_file: Path
    """A private Ed25519 JWK with a `kid`: signs access tokens, and its secret keys refresh tokens."""
    second_access_token_key_file: Path | None = None
    """During a rotation: the next key before it signs, the previous one afterwards; only verifies."""
    encryption_key_file: Path
    """32 random bytes in base64: seals secrets that are read again, like those of authenticator apps."""
    webauthn: WebAuthnSettings = WebAuthnSettings()
    sso: SsoSettings = SsoSettings()
    hashing: HashingSettings = HashingSettings()
    guessing: GuessingSettings = GuessingSettings()
    plans: dict[str, PlanSettings] = Field(default_factory=dict)
    """Other numbers for a plan, or another, in JSON: {"free": {"members": 3, "venues": 1, "api_keys": 0}}."""
    access_token_seconds: int = Field(default=600, ge=60, le=3600)
    session_days: int = Field(default=30, ge=1)
    session_idle_days: int = Field(default=7, ge=1)

    def encryption_key(self) -> bytes:
        """The key in `encryption_key_file`.

        Raises:
            ValueError: the file cannot be read or does not hold 32 bytes in base64.
        """
        try:
            key = base64.b64decode(self.encryption_key_file.read_bytes().strip(), validate=True)
        except (OSError, binascii.Error) as error:
            raise ValueError("encryption_key_file: cannot be read, or is not base64") from error
        if len(key) != _KEY_BYTES:
            raise ValueError(f"encryption_key_file: must hold {_KEY_BYTES} bytes in base64")
        return key

    @model_validator(mode="after")
    def _refuse_broken(self) -> Self:
        self.encryption_key()
        if self.environment is Environment.PRODUCTION and not all(
            origin.startswith("https://") for origin in self.webauthn.origins
        ):
            raise ValueError("webauthn.origins: production needs https")
        if self.environment is Environment.PRODUCTION and self.sso.social and not self.sso.is_safe:
            raise ValueError("sso: production needs https")
        if self.environment is Environment.PRODUCTION and self.sso.allow_http:
            raise ValueError("sso.allow_http: not in production")
        return self
