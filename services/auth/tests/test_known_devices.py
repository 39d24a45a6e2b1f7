"""Mails about log-ins from devices that were not seen for a while."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from joserfc.jwk import OKPKey

from auth.app import App
from auth.domain import known_devices
from auth.domain.account_mails import MailKind
from auth.domain.audit import ActorKind, Author
from auth.store import purges
from auth.tables import KNOWN_DEVICES, USERS
from auth.tokens import Keyring
from auth.usecases import sessions

from .conftest import BROWSER, PASSWORD, PLACE, People
from .mailbox import the_only, written

EMAIL = "paulette@example.org"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Safari/604.1"
)
NOW = datetime(2027, 10, 31, tzinfo=UTC)


async def log_in(app: App, *, user_agent: str = BROWSER, address: str = PLACE) -> None:
    by = Author(ActorKind.NOBODY, address=address)
    await sessions.log_in(app, EMAIL, PASSWORD, by=by, user_agent=user_agent)


async def told(app: App) -> int:
    return len(await written(app, MailKind.NEW_DEVICE))


async def test_the_first_log_in_tells_nothing_and_another_device_does_once(app: App, people: People) -> None:
    await people.own(EMAIL)
    await log_in(app)
    await log_in(app)
    assert await told(app) == 0
    await log_in(app, user_agent=PHONE)
    await log_in(app, user_agent=PHONE)
    mail = await the_only(app, MailKind.NEW_DEVICE)
    assert (mail.email, mail.device, mail.address, mail.token) == (EMAIL, "Safari on iPhone", PLACE, "")


async def test_another_network_is_another_device_and_another_host_of_it_is_not(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    await log_in(app)
    await log_in(app, address="192.0.2.200")
    assert await told(app) == 0
    await log_in(app, address="198.51.100.9")
    assert await told(app) == 1


async def test_an_update_of_the_browser_is_no_new_device(app: App, people: People) -> None:
    await people.own(EMAIL)
    await log_in(app)
    await log_in(app, user_agent=BROWSER.replace("145.0", "146.0"))
    assert await told(app) == 0


async def test_a_device_is_forgotten_after_90_days_and_then_new_again(app: App, people: People) -> None:
    await people.own(EMAIL)
    await log_in(app)
    await log_in(app, user_agent=PHONE)
    await people.age(KNOWN_DEVICES, timedelta(days=89))
    await log_in(app, user_agent=PHONE)
    assert await told(app) == 1
    await people.age(KNOWN_DEVICES, timedelta(days=1))
    await log_in(app)
    assert await told(app) == 2
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert len((await tx.execute(sa.select(KNOWN_DEVICES))).all()) == 2


@pytest.mark.parametrize(("days", "mails"), [(89, 0), (90, 1)])
async def test_who_comes_back_after_all_devices_were_purged_is_told_unless_the_account_is_new(
    app: App, people: People, days: int, mails: int
) -> None:
    await people.own(EMAIL)
    if days >= 90:
        await log_in(app)
    await people.age(USERS, timedelta(days=days))
    await people.age(KNOWN_DEVICES, timedelta(days=days))
    async with app.db.begin_platform(reason="purge in a test") as tx:
        await purges.purge_leftovers(tx, 100)
        assert (await tx.execute(sa.select(KNOWN_DEVICES))).all() == []
    await log_in(app, address="203.0.113.77")
    assert await told(app) == mails


async def test_the_database_holds_keyed_hashes_of_devices_only(app: App, people: People) -> None:
    await people.own(EMAIL)
    await log_in(app)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        row = (await tx.execute(sa.select(KNOWN_DEVICES))).one()
    trait = known_devices.trait(row.user_id, "Firefox on Linux", PLACE)
    assert row.fingerprint == app.keyring.fingerprints(trait)[0]
    other = Keyring(OKPKey.generate_key("Ed25519", private=True, auto_kid=True))
    assert row.fingerprint not in other.fingerprints(trait)


def test_a_rotation_of_keys_makes_no_device_new(signing_key: OKPKey) -> None:
    trait = known_devices.trait(UUID(int=1), "Firefox on Linux", PLACE)
    (kept,) = Keyring(signing_key).fingerprints(trait)
    rotated = Keyring(OKPKey.generate_key("Ed25519", private=True, auto_kid=True), signing_key)
    prints = rotated.fingerprints(trait)
    assert prints[0] != kept
    assert not known_devices.is_new(prints, {kept: NOW}, account_since=NOW, now=NOW)
    assert known_devices.is_new(prints[:1], {kept: NOW}, account_since=NOW, now=NOW)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:7:9::1", "2001:db8:7::/48"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_networks_are_what_a_provider_gives_one_place(address: str, network: str) -> None:
    assert known_devices.network(address) == network
