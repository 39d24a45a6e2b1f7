"""Settings: what production refuses, and what a typing error gets."""

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from servicekit.settings import ServiceSettings, refuse_unknown

STRONG = "postgresql://thing_app:correct-horse-battery-staple@127.0.0.1/thing"  # pragma: allowlist secret
WEAK = "postgresql://thing_app:postgres@127.0.0.1/thing"  # pragma: allowlist secret


class ThingSettings(ServiceSettings):
    """Settings of a made-up service."""

    model_config = SettingsConfigDict(
        env_prefix="THING_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )


def make(url: str, environment: str) -> ThingSettings:
    return ThingSettings.model_validate(
        {
            "environment": environment,
            "database": {"url": url},
            "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
            "rpc": {"listen": "127.0.0.1:0"},
            "admin": {"listen": "127.0.0.1:0"},
            "identity": {"signing_key_file": "a", "trusted_keys_file": "b"},
        }
    )


@pytest.mark.parametrize(
    "url",
    [
        WEAK,
        "postgresql://thing_app@127.0.0.1/thing",
        STRONG.replace("correct-horse-battery-staple", "a" * 40),
    ],
)
def test_production_refuses_a_weak_or_missing_password(url: str) -> None:
    with pytest.raises(ValidationError, match="production needs a password"):
        make(url, "production")


def test_production_takes_a_strong_password_and_development_any() -> None:
    make(STRONG, "production")
    make(WEAK, "development")


def test_production_is_the_default() -> None:
    assert ThingSettings.model_fields["environment"].default == "production"


def test_a_password_is_not_shown() -> None:
    assert "staple" not in repr(make(STRONG, "production"))


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(ValueError, match="THING_DATABSE__URL"):
        refuse_unknown(ThingSettings, {"THING_DATABSE__URL": "x", "THING_DATABASE__URL": "y", "OTHER": "z"})
