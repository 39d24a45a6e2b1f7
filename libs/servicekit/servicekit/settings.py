"""Typed settings read once from the environment. Frozen; unknown names and weak secrets are refused."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_WEAKEST_PASSWORD = 16
_FEWEST_DISTINCT = 8


class Environment(StrEnum):
    """Where the process runs. Production refuses weak secrets and development switches."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Part(BaseModel):
    """A group of settings below one name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(Part):
    """The service's own PostgreSQL database."""

    url: SecretStr
    """postgresql://<service>_app:…@host/<service>: a role that owns nothing and cannot bypass isolation."""
    owner_url: SecretStr | None = None
    """The owner of the tables; only the migrate verb needs it."""
    pool_size: int = Field(default=6, ge=1, le=100)
    """Of transactions; where hot paths send single statements, as many connections again for these."""
    pool_timeout_ms: int = Field(default=3000, ge=10)
    """How long a transaction waits for a connection of the pool."""
    statement_timeout_ms: int = Field(default=5000, ge=100)
    lock_timeout_ms: int = Field(default=2000, ge=10)

    @property
    def silence_seconds(self) -> float:
        """After how long without an answer a connection is given up, unless a statement says its own limit.

        Longer than `statement_timeout_ms`. A server or a network that goes away may leave a connection that
        nobody closes.
        """
        return self.statement_timeout_ms / 1000 + 5


class KafkaSettings(Part):
    """The event log."""

    bootstrap_servers: str
    idempotent_producer: bool = True
    """Off for the embedded broker, which does not know producer ids."""
    partitions: int = Field(default=6, ge=1)
    replication_factor: int = Field(default=1, ge=1)
    session_timeout_ms: int = Field(default=10_000, ge=1_000)
    """After how long a silent member of a consumer group is given up."""
    poll_interval_ms: int = Field(default=40, ge=1)
    """How often the relay looks for rows when nobody nudges it, and something was published a moment ago."""
    retention_days: int = Field(default=7, ge=1)
    """How long published outbox rows are kept, so that a lost broker can be refilled."""


class RedisSettings(Part):
    """The shared cache. Everything works without it, only slower."""

    url: SecretStr | None = None


class ListenSettings(Part):
    """An address to listen on."""

    listen: str
    """host:port; port 0 takes a free one."""


class IdentitySettings(Part):
    """The key this service signs internal calls with, and the keys it trusts."""

    signing_key_file: Path
    """A private Ed25519 JWK; its `kid` is the service's name."""
    trusted_keys_file: Path
    """A JWK set with the public keys of every service."""


class TelemetrySettings(Part):
    """Logs, traces and metrics."""

    otlp_endpoint: str | None = None
    """OTLP over HTTP, with its /v1/traces path; absent means no traces leave the process."""
    sample_ratio: float = Field(default=0.01, ge=0, le=1)
    log_level: str = "INFO"


class ServiceSettings(BaseSettings):
    """What every service reads. A subclass sets `env_prefix` and adds its own."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    environment: Environment = Environment.PRODUCTION
    database: DatabaseSettings
    kafka: KafkaSettings
    redis: RedisSettings = RedisSettings()
    rpc: ListenSettings
    admin: ListenSettings
    identity: IdentitySettings
    telemetry: TelemetrySettings = TelemetrySettings()
    peers: dict[str, str] = {}
    """gRPC targets of the services this one calls, by name."""

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        if self.environment is Environment.PRODUCTION:
            refuse_weak_password("database.url", self.database.url.get_secret_value())
        return self


def refuse_weak_password(name: str, url: str) -> None:
    """Raises ValueError unless the URL's password is long and varied enough for production."""
    password = urlsplit(url).password or ""
    if len(password) < _WEAKEST_PASSWORD or len(set(password)) < _FEWEST_DISTINCT:
        message = f"{name}: production needs a password of at least {_WEAKEST_PASSWORD} varied characters"
        raise ValueError(message)


def refuse_unknown(settings: type[BaseSettings], environ: Mapping[str, str] | None = None) -> None:
    """Raises ValueError naming variables that carry the prefix but that no setting reads: typing errors."""
    prefix = str(settings.model_config["env_prefix"]).upper()
    known = tuple(prefix + name.upper() for name in settings.model_fields)
    names = os.environ if environ is None else environ
    unknown = sorted(
        name
        for name in names
        if name.upper().startswith(prefix)
        and not any(name.upper() == field or name.upper().startswith(field + "__") for field in known)
    )
    if unknown:
        message = f"unknown settings: {', '.join(unknown)}"
        raise ValueError(message)
