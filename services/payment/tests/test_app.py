"""The composition: settings from the environment, and the app that the runtime is given."""

import pytest
from pydantic import ValidationError

from comptoir.booking.v1 import events_pb2
from payment.__main__ import SERVICE
from payment.app import open_app
from payment.settings import Settings
from servicekit import topics
from servicekit.cache import Cache
from servicekit.rpc.client import Peer
from servicekit.runtime import Resources
from servicekit.settings import RedisSettings
from testkit.keys import Keys
from testkit.plugin import OpenDatabase

STRONG = "x7Kp2mQ9vR4tW8zB1nC6"
LIVE: dict[str, object] = {"api_key": f"sk_live_{STRONG}", "webhook_secret": f"whsec_{STRONG}"}
TEST: dict[str, object] = {
    "api_key": "sk_test_x",
    "webhook_secret": "whsec_x",
    "api_base": "http://127.0.0.1:8420",
}


def settings(keys: Keys, environment: str, stripe: dict[str, object], **more: object) -> Settings:
    values = {
        "environment": environment,
        "database": {"url": f"postgresql://payment_app:{STRONG}@localhost/payment"},
        "kafka": {"bootstrap_servers": "localhost:9092"},
        "rpc": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "identity": {"signing_key_file": keys.file("payment"), "trusted_keys_file": keys.trusted},
        "stripe": stripe,
    }
    return Settings.model_validate(values | more)


async def test_the_app_opens_with_the_account_of_the_settings(
    service_database: OpenDatabase, keys: Keys
) -> None:
    database, cache = await service_database("payment"), Cache(RedisSettings(), prefix="payment:")
    chosen = settings(keys, "development", TEST)
    signer = keys.signer("payment")
    peers = {"auth": Peer("auth", "127.0.0.1:1", signer)}
    async with open_app(Resources(chosen, database, cache, signer, peers)) as app:
        assert app.provider.name == "stripe"
        assert app.db is database
    await peers["auth"].close()


@pytest.mark.parametrize(
    "more", [{}, {"api_base": "https://stripe.example"}, {"api_key": f"rk_live_{STRONG}"}]
)
def test_production_takes_a_live_account(keys: Keys, more: dict[str, object]) -> None:
    assert settings(keys, "production", LIVE | more).stripe.webhook_secret.get_secret_value()


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_key": f"sk_test_{STRONG}"},
        {"api_key": "sk_live_short"},
        {"api_key": ""},
        {"webhook_secret": "whsec_short"},
        {"api_base": "http://stripe.example"},
        {"timeout_seconds": 0},
        {"unknown": 1},
    ],
)
def test_production_refuses_what_is_not_fit_for_money(keys: Keys, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refusal:
        settings(keys, "production", LIVE | wrong)
    assert STRONG not in str(refusal.value)


def test_the_secrets_do_not_show(keys: Keys) -> None:
    assert STRONG not in repr(settings(keys, "production", LIVE))


def test_the_service_follows_the_topic_of_booking() -> None:
    assert topics.followed_by(SERVICE.name) == ("comptoir.booking.v1",)
    assert set(SERVICE.handlers) == {
        events_pb2.BookingCancelled,
        events_pb2.BookingExpired,
        events_pb2.BookingNoShow,
        events_pb2.BookingArrived,
        events_pb2.BookingSeated,
        events_pb2.PersonalDataErased,
        events_pb2.PersonalDataExported,
    }
