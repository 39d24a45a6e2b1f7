"""The composition: settings from the environment, and the app that the runtime is given."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from booking.__main__ import SERVICE
from booking.app import open_app
from booking.settings import Settings
from servicekit import contract, topics
from servicekit.cache import Cache
from servicekit.rpc.client import Peer
from servicekit.runtime import Resources
from servicekit.settings import RedisSettings
from testkit.keys import Keys
from testkit.plugin import OpenDatabase

_STRONG = "postgresql://booking_app:correct-horse-battery-7@localhost/booking"


def settings(keys: Keys, **more: object) -> Settings:
    values = {
        "environment": "development",
        "database": {"url": _STRONG},
        "kafka": {"bootstrap_servers": "localhost:9092"},
        "rpc": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "identity": {"signing_key_file": keys.file("booking"), "trusted_keys_file": keys.trusted},
    }
    return Settings.model_validate(values | more)


@pytest.mark.parametrize("reckless", [False, True])
async def test_the_app_opens_as_the_settings_say(
    service_database: OpenDatabase, keys: Keys, *, reckless: bool
) -> None:
    chosen = settings(keys, hold_ttl_seconds=4, unsafe_no_lock=reckless)
    database = await service_database("booking")
    peers = {name: Peer(name, "127.0.0.1:1", keys.signer("booking")) for name in ("auth", "payment")}
    cache = Cache(RedisSettings(), prefix="booking:")
    resources = Resources(chosen, database, cache, keys.signer("booking"), peers)
    async with open_app(resources) as app:
        assert (app.hold_ttl, app.guarded) == (timedelta(seconds=4), not reckless)
    for peer in peers.values():
        await peer.close()


def test_by_default_a_hold_lasts_a_quarter_of_an_hour_and_the_guard_is_on(keys: Keys) -> None:
    chosen = settings(keys, environment="production")
    assert (chosen.hold_ttl_seconds, chosen.unsafe_no_lock) == (900, False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hold_ttl_seconds": 0},
        {"hold_ttl_seconds": 100_000},
        {"unknown": 1},
        {"environment": "production", "unsafe_no_lock": True},
    ],
)
def test_settings_that_would_break_the_promise_are_refused(keys: Keys, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(keys, **wrong)


def test_the_service_handles_every_topic_that_it_follows() -> None:
    handled = {contract.events()[message.DESCRIPTOR.full_name].topic for message in SERVICE.handlers}
    assert handled == set(topics.followed_by(SERVICE.name))
