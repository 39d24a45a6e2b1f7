"""Everything the contract promises to partners is listened to, and every timer that is set has a handler."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from pydantic import SecretStr

from comptoir.booking.v1 import booking_pb2
from comptoir.notification.v1.notification_pb2 import CreateWebhookEndpointRequest
from notification.__main__ import SERVICE
from notification.app import App
from notification.clients import directory
from notification.domain.bookings import BookingStatus
from notification.settings import Settings, SmtpSettings
from notification.usecases import facts
from servicekit import contract, topics
from servicekit.cache import Cache
from servicekit.purging import PURGE
from servicekit.rpc.client import Peer
from servicekit.runtime import Resources
from servicekit.settings import (
    DatabaseSettings,
    Environment,
    IdentitySettings,
    KafkaSettings,
    ListenSettings,
    RedisSettings,
)
from testkit.keys import Keys


def test_every_event_that_partners_may_be_told_of_is_handled() -> None:
    handled = {message.DESCRIPTOR.full_name for message in SERVICE.handlers}
    told = {name for name, event in contract.events().items() if event.rules.webhook}
    assert told <= handled
    event_types = CreateWebhookEndpointRequest.DESCRIPTOR.fields_by_name["event_types"]
    subscribable = event_types.GetOptions().Extensions[validate_pb2.field].repeated.items.string
    assert {contract.events()[name].rules.webhook for name in told} == set(getattr(subscribable, "in"))


def test_every_status_that_a_booking_can_have_has_a_word_here() -> None:
    names = {name.removeprefix("BOOKING_STATUS_").lower() for name, _ in booking_pb2.BookingStatus.items()}
    assert names - {"unspecified"} == {each.value for each in BookingStatus}
    assert set(directory.STATUSES.values()) == set(BookingStatus)
    assert set(directory.STATUSES) == set(booking_pb2.BookingStatus.values()) - {0}


def test_only_followed_topics_are_handled() -> None:
    followed = topics.followed_by("notification")
    assert {contract.events()[m.DESCRIPTOR.full_name].topic for m in SERVICE.handlers} == set(followed)


def test_every_kind_of_timer_has_a_handler() -> None:
    assert set(SERVICE.timers) == {facts.SEND_MAIL, facts.BOOKING_REMINDER, facts.DELIVER_WEBHOOK, PURGE}


async def test_the_app_opens_and_closes(app: App, keys: Keys, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(bytes(32)))
    settings = Settings(
        environment=Environment.DEVELOPMENT,
        database=DatabaseSettings(url=SecretStr("postgresql://notification_app@db/notification")),
        kafka=KafkaSettings(bootstrap_servers="kafka:9092"),
        rpc=ListenSettings(listen="127.0.0.1:0"),
        admin=ListenSettings(listen="127.0.0.1:0"),
        identity=IdentitySettings(signing_key_file=key, trusted_keys_file=key),
        smtp=SmtpSettings(host="127.0.0.1"),
        public_url="http://127.0.0.1:8080",
        encryption_key_file=key,
    )
    signer = keys.signer("notification")
    peers = {name: Peer(name, "127.0.0.1:1", signer) for name in ("auth", "booking", "support")}
    resources = Resources(settings, app.db, Cache(RedisSettings(), prefix="test:"), signer, peers)
    async with SERVICE.open(resources) as opened:
        assert opened.public_url == "http://127.0.0.1:8080"
        assert opened.payment_request_delay == timedelta(minutes=2)
    with pytest.raises(RuntimeError, match="closed"):
        await opened.partners.post("https://example.org/hook", body=b"{}", headers={})
    for peer in peers.values():
        await peer.close()
