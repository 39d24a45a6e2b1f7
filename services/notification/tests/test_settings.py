"""Production refuses what only development may have; nobody starts without a key."""

import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from pydantic import ValidationError

from notification.clients.seal import Seal
from notification.settings import Settings
from servicekit import ids


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(32)).decode() + "\n", encoding="utf-8")
    return {
        "database": {"url": "postgresql://notification_app:a-long-and-varied-91c4@db/notification"},
        "kafka": {"bootstrap_servers": "kafka:9092"},
        "rpc": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "identity": {"signing_key_file": key, "trusted_keys_file": key},
        "smtp": {"host": "mail.example"},
        "mail_from": "Comptoir <bookings@book.example>",
        "public_url": "https://book.example",
        "encryption_key_file": key,
    }


def test_sound_settings_hold(values: dict[str, Any]) -> None:
    settings = Settings(**values)
    assert len(settings.encryption_key()) == 32
    assert len(settings.webhooks.schedule) == 9


@pytest.mark.parametrize(
    "change",
    [
        {"public_url": "http://book.example"},
        {"webhooks": {"allow_http": True}},
        {"mail_from": "bookings@comptoir.localhost"},
        {"smtp": {"host": "mail.example", "username": "u", "password": "p"}},
    ],
)
def test_production_refuses_what_development_may_have(values: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(change))):
        Settings(**(values | change))
    assert Settings(**(values | change | {"environment": "development"}))


@pytest.mark.parametrize("content", [None, "", "short", base64.b64encode(bytes(16)).decode()])
def test_nobody_starts_without_a_key(values: dict[str, Any], tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "other"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ValidationError, match="encryption_key_file"):
        Settings(**(values | {"environment": "development", "encryption_key_file": path}))


def test_a_sealed_secret_opens_only_with_its_key_for_its_endpoint() -> None:
    seal = Seal(bytes(32))
    where = {"organization": ids.new(), "endpoint": ids.new()}
    sealed = seal.close_up("whsec_x", **where)
    assert seal.open_up(sealed, **where) == "whsec_x"
    assert seal.close_up("whsec_x", **where) != sealed
    for other, place in ((Seal(bytes(31) + b"x"), where), (seal, where | {"endpoint": ids.new()})):
        with pytest.raises(InvalidTag):
            other.open_up(sealed, **place)
