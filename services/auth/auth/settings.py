"""What the auth service reads from its environment (AUTH_…). Read once, in __main__."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.settings import Part, ServiceSettings


class HashingSettings(Part):
    """Argon2id. The floor is OWASP's smallest recommendation; RFC 9106 asks for more where memory allows."""

    memory_kib: int = Field(default=19_456, ge=19_456)
    passes: int = Field(default=2, ge=2)
    lanes: int = Field(default=1, ge=1)
    workers: int = Field(default=2, ge=1, le=64)
    """How many passwords are hashed at one time; each takes `memory_kib`."""
    waiting: int = Field(default=32, ge=0)
    """How many more may wait; further ones are refused as unavailable."""


class Settings(ServiceSettings):
    """Settings of auth."""

    model_config = SettingsConfigDict(
        env_prefix="AUTH_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    access_token_key_file: Path
    """A private Ed25519 JWK with a `kid`: signs access tokens, and its secret keys refresh tokens."""
    second_access_token_key_file: Path | None = None
    """During a rotation: the next key before it signs, the previous one afterwards; only verifies."""
    hashing: HashingSettings = HashingSettings()
    access_token_seconds: int = Field(default=600, ge=60, le=3600)
    session_days: int = Field(default=30, ge=1)
    session_idle_days: int = Field(default=7, ge=1)
