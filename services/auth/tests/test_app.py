"""The composition: settings from the environment, and the app that the runtime is given."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from auth.__main__ import SERVICE
from auth.app import open_app
from auth.settings import Settings
from servicekit import contract, topics
from servicekit.cache import Cache
from servicekit.rpc.client import Peer
from servicekit.runtime import Resources
from servicekit.settings import RedisSettings
from testkit.keys import Keys
from testkit.plugin import OpenDatabase


@pytest.fixture
def key_file(tmp_path: Path, signing_key: OKPKey) -> Path:
    file = tmp_path / "access-token-key.json"
    file.write_text(json.dumps(signing_key.as_dict(private=True)), encoding="utf-8")
    return file


@pytest.fixture
def encryption_key_file(tmp_path: Path) -> Path:
    file = tmp_path / "encryption.key"
    file.write_bytes(base64.b64encode(bytes(range(32))))
    return file


def settings(keys: Keys, key_file: Path, sealing: Path, **more: object) -> Settings:
    values = {
        "environment": "development",
        "database": {"url": "postgresql://auth_app:x@localhost/auth"},
        "kafka": {"bootstrap_servers": "localhost:9092"},
        "rpc": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "identity": {"signing_key_file": keys.file("auth"), "trusted_keys_file": keys.trusted},
        "access_token_key_file": key_file,
        "encryption_key_file": sealing,
    }
    return Settings.model_validate(values | more)


async def test_the_app_opens_with_the_keys_and_lifetimes_of_the_settings(
    service_database: OpenDatabase, keys: Keys, key_file: Path, encryption_key_file: Path, signing_key: OKPKey
) -> None:
    chosen = settings(
        keys, key_file, encryption_key_file, access_token_seconds=300, session_days=10, session_idle_days=2
    )
    database = await service_database("auth")
    cache = Cache(RedisSettings(), prefix="auth:")
    signer = keys.signer("auth")
    peers = {name: Peer(name, "127.0.0.1:1", signer) for name in ("booking", "payment")}
    async with open_app(Resources(chosen, database, cache, signer, peers)) as app:
        assert json.loads(app.keyring.public_set())["keys"][0]["kid"] == signing_key.kid
        assert (app.lifetimes.access_token, app.lifetimes.session, app.lifetimes.idle) == (
            timedelta(minutes=5),
            timedelta(days=10),
            timedelta(days=2),
        )
        assert (await app.passwords.verify(await app.passwords.hash("x" * 12), "x" * 12)).fits
    for peer in peers.values():
        await peer.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"access_token_seconds": 86_400},
        {"hashing": {"memory_kib": 8}},
        {"unknown": 1},
        {"encryption_key_file": Path("/nowhere")},
        {"encryption_key_file": Path(__file__)},
        {"webauthn": {"rp_id": "example.org", "origins": ["https://example.org.evil.example"]}},
        {"webauthn": {"rp_id": "example.org", "origins": []}},
    ],
)
def test_settings_that_would_weaken_the_service_are_refused(
    keys: Keys, key_file: Path, encryption_key_file: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        settings(keys, key_file, encryption_key_file, **wrong)


def test_the_service_handles_every_topic_that_it_follows() -> None:
    handled = {contract.events()[message.DESCRIPTOR.full_name].topic for message in SERVICE.handlers}
    assert handled == set(topics.followed_by(SERVICE.name))
