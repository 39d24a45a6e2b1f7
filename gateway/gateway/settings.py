"""What the gateway reads from the environment, once. There is no debug switch: unknown names are refused."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.limits.settings import RateSettings
from gateway.live.settings import LiveSettings
from servicekit.contract import CONTEXTS
from servicekit.settings import (
    Environment,
    IdentitySettings,
    KafkaSettings,
    ListenSettings,
    Part,
    RedisSettings,
    TelemetrySettings,
    refuse_weak_password,
)


class HttpSettings(ListenSettings):
    """Where clients connect."""

    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many proxies in front of the gateway append to X-Forwarded-For; 0 ignores the header."""
    drain_seconds: float = Field(default=0.5, ge=0, le=60)
    """How long requests are still taken after readiness turned false, so that balancers notice."""
    access_log: bool = True
    """Whether each request is one line of the log, without personal data."""


class LimitSettings(Part):
    """How much one request may cost, and how much one address may guess."""

    body_bytes: int = Field(default=1024 * 1024, ge=1024)
    body_seconds: float = Field(default=10, gt=0)
    """Time for a body to arrive."""
    header_bytes: int = Field(default=32 * 1024, ge=1024)
    header_seconds: float = Field(default=10, gt=0)
    """Time for the request line and headers to arrive."""
    send_seconds: float = Field(default=30, gt=0)
    """Time for a client to take 64 KiB of an answer, or its end; who is slower is cut off."""
    connections: int = Field(default=6000, ge=1)
    """Open connections of one process, streams included; one more is refused at once."""
    timeout_seconds: float = Field(default=10, gt=0)
    """Time for a service to answer."""
    wrong_links: int = Field(default=20, ge=1)
    """How many links that open nothing one address may try in a row."""
    wrong_link_seconds: float = Field(default=900, gt=0)
    """How long it takes until it may try as many again."""


class CacheSettings(Part):
    """What is kept of answers that are for everybody; nothing without Redis."""

    enabled: bool = True
    timeout_seconds: float = Field(default=0.2, gt=0, le=10)
    """After how long Redis counts as away, and is left alone for five seconds."""


class CompressionSettings(Part):
    """What is worth compressing."""

    least_bytes: int = Field(default=1024, ge=64)
    """Shorter answers go out as they are."""
    inline_bytes: int = Field(default=32 * 1024, ge=1024)
    """Longer ones are compressed beside the event loop."""
    kept_bytes: int = Field(default=4 * 1024 * 1024, ge=0)
    """How much of compressed static documents is kept."""


class AdmissionSettings(Part):
    """How many requests may be in flight in one process before it refuses more."""

    in_flight: int = Field(default=512, ge=1)
    in_flight_per_client: int = Field(default=256, ge=1)
    """Of one IPv4 address or IPv6 /64, so that one alone never takes all."""
    in_flight_per_organization: int = Field(default=256, ge=1)
    """Of the members and API keys of one organization."""


class BreakerSettings(Part):
    """When calls to a service stop for a while. Only its silence counts, never what it refuses."""

    window_seconds: float = Field(default=10, gt=0)
    least_calls: int = Field(default=20, ge=1)
    """Fewer calls in the window prove nothing."""
    failing_share: float = Field(default=0.5, gt=0, le=1)
    open_seconds: float = Field(default=2, gt=0)
    """How long nothing is sent, until one call tries again."""


class Settings(BaseSettings):
    """All settings, prefixed GATEWAY_."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    environment: Environment = Environment.PRODUCTION
    http: HttpSettings
    admin: ListenSettings
    identity: IdentitySettings
    telemetry: TelemetrySettings = TelemetrySettings()
    redis: RedisSettings = RedisSettings()
    kafka: KafkaSettings | None = None
    """The event log; only the role follow needs it."""
    cache: CacheSettings = CacheSettings()
    peers: dict[str, str]
    """gRPC targets of all services, by name."""
    limits: LimitSettings = LimitSettings()
    rates: RateSettings = RateSettings()
    compression: CompressionSettings = CompressionSettings()
    admission: AdmissionSettings = AdmissionSettings()
    breakers: BreakerSettings = BreakerSettings()
    live: LiveSettings = LiveSettings()

    @model_validator(mode="after")
    def _know_every_service(self) -> Self:
        missing = [name for name in CONTEXTS if name not in self.peers]
        if missing:
            message = f"peers: no target for {', '.join(missing)}"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        if self.environment is Environment.PRODUCTION and self.redis.url is not None:
            refuse_weak_password("redis.url", self.redis.url.get_secret_value())
        return self
