"""API keys: who may make which, when they hold, how they change and end, and what a sandbox is."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.api_keys import (
    ApiKey,
    ApiKeyExpiryPast,
    ApiKeyNotFound,
    ApiKeyOver,
    NetworkInvalid,
    RevokeReason,
    Rules,
)
from auth.domain.audit import Action, ActorKind, Author, verify
from auth.domain.plans import FREE, Plan
from auth.domain.roles import PermissionNotHeld, PermissionUnknown
from auth.store import audit
from auth.store import sessions as session_store
from auth.tables import API_KEYS, ORGANIZATIONS
from auth.usecases import api_keys
from auth.usecases.api_keys import IssuedKey
from servicekit import api_keys as texts
from servicekit import ids
from servicekit.errors import PlanLimitReached, Unauthenticated
from servicekit.identity import Caller
from servicekit.paging import Page

from .conftest import PLACE, People
from .staff import NOBODY, by, hire, log_in, own_role

OWNER = "paulette@example.org"
RULES = Rules("Till", frozenset({"bookings.read"}))
WEEK = timedelta(days=7)


@pytest.fixture
async def owner(people: People) -> Caller:
    await people.own(OWNER)
    return await log_in(people, OWNER)


async def make(app: App, caller: Caller, rules: Rules = RULES) -> IssuedKey:
    assert caller.user is not None
    return await api_keys.create_key(app, caller, rules, user_id=caller.user, by=by(caller))


async def rotate(app: App, caller: Caller, key: ApiKey, grace: timedelta) -> IssuedKey:
    return await api_keys.rotate_key(app, caller, key.id, grace=grace, by=by(caller))


async def holds(app: App, text: str) -> bool:
    try:
        await api_keys.exchange_key(app, text)
    except Unauthenticated:
        return False
    return True


async def the_key(app: App, owner: Caller) -> ApiKey:
    (key,), _ = await api_keys.list_keys(app, owner.tenant, Page(50, None, ""))
    return key


async def revoked(app: App, since: datetime) -> set[UUID]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return set(await session_store.list_revocations(tx, since))


def test_a_key_says_what_it_is_and_scanners_check_it_offline() -> None:
    made = texts.ApiKeyText(sandbox=False, short_id="0123456789", secret="A" * 24)
    assert made.show() == "cpt_live_0123456789_" + "A" * 24 + texts.checksum(
        "cpt_live_0123456789_" + "A" * 24
    )
    assert texts.parse(made.show()) == made
    sandbox = texts.ApiKeyText.make(sandbox=True)
    assert sandbox.show().startswith(f"cpt_test_{sandbox.short_id}_")
    assert texts.parse(sandbox.show()) == sandbox
    assert sandbox.secret not in repr(sandbox)


def test_the_checksum_is_a_published_one() -> None:
    """CRC-32/ISO-HDLC of "123456789" is CBF43926 (RFC 1952, catalogue of CRC algorithms), here in base62."""
    number = 0
    for digit in texts.checksum("123456789"):
        number = number * 62 + texts.ALPHABET.index(digit)
    assert number == 0xCBF43926


def test_no_changed_character_stays_unseen() -> None:
    text = texts.ApiKeyText.make(sandbox=False).show()
    for place, old in enumerate(text):
        new = "a" if old != "a" else "b"
        assert texts.parse(text[:place] + new + text[place + 1 :]) is None
    for wrong in (text + "a", text[:-1], text + "\n", "", text.upper(), text.replace("live", "test")):
        assert texts.parse(wrong) is None


async def test_a_key_speaks_for_its_organization_and_is_kept_as_a_keyed_hash(app: App, owner: Caller) -> None:
    issued = await make(app, owner)
    key, until = await api_keys.exchange_key(app, issued.text)
    assert (key.id, key.acts_in, key.rules) == (issued.key.id, owner.tenant, RULES)
    assert until > key.created_at
    secret = issued.text.rpartition("_")[2][:24]
    async with app.db.begin(owner.tenant) as tx:
        row = repr((await tx.execute(sa.select(API_KEYS))).mappings().one())
    assert secret not in row
    assert secret not in repr(issued)
    assert (await the_key(app, owner)).last_used_at is not None


async def test_another_server_secret_knows_no_key_of_the_same_database(app: App, owner: Caller) -> None:
    issued = await make(app, owner)
    assert not await holds(replace(app, seal=type(app.seal)(bytes(32))), issued.text)
    assert await holds(app, issued.text)


async def test_nobody_makes_or_renews_a_key_that_may_what_they_may_not(
    app: App, people: People, owner: Caller
) -> None:
    role = await own_role(app, owner, "Office", "keys.write", "bookings.read")
    clerk = await hire(people, owner, "odette@example.org", ids.show("rol", role.id))
    assert await make(app, clerk)
    strong = await make(app, owner, replace(RULES, permissions=frozenset({"organization.write"})))
    with pytest.raises(PermissionNotHeld):
        await make(app, clerk, replace(RULES, permissions=frozenset({"bookings.write"})))
    with pytest.raises(PermissionNotHeld):
        await rotate(app, clerk, strong.key, WEEK)
    with pytest.raises(PermissionUnknown):
        await make(app, owner, replace(RULES, permissions=frozenset({"cellar.drink"})))


async def test_rules_that_cannot_be_are_refused(app: App, owner: Caller) -> None:
    for network in ("192.0.2.1/24", "192.0.2.0/33", "2001:db8::/129", "1.2.3/8"):
        with pytest.raises(NetworkInvalid):
            await make(app, owner, replace(RULES, networks=(network,)))
    with pytest.raises(ApiKeyExpiryPast):
        await make(app, owner, replace(RULES, expires_at=ids_moment(owner)))
    made = await make(app, owner, replace(RULES, networks=("2001:DB8::/32", "192.0.2.0/24")))
    assert made.key.rules.networks == ("2001:db8::/32", "192.0.2.0/24")


def ids_moment(caller: Caller) -> datetime:
    """When they logged in."""
    return datetime.fromtimestamp(caller.authenticated_at - 1).astimezone()


async def test_keys_that_hold_count_for_the_plan(app: App, owner: Caller) -> None:
    small = replace(app, plans={FREE: Plan(members=25, venues=10, api_keys=1)})
    first = await make(small, owner)
    with pytest.raises(PlanLimitReached):
        await make(small, owner)
    await api_keys.revoke_key(small, owner, first.key.id, by=by(owner))
    assert await make(small, owner)


async def test_an_expired_key_and_one_with_a_wrong_secret_are_refused(
    app: App, people: People, owner: Caller
) -> None:
    issued = await make(app, owner)
    text = texts.parse(issued.text)
    assert text is not None
    assert not await holds(app, replace(text, secret="A" * 24).show())
    assert not await holds(app, replace(text, sandbox=True).show())
    assert not await holds(app, texts.ApiKeyText.make(sandbox=False).show())
    assert not await holds(app, "cpt_live_")
    soon = issued.key.created_at + timedelta(hours=1)
    short = await make(app, owner, replace(RULES, expires_at=soon))
    assert (await api_keys.exchange_key(app, short.text))[1] == soon
    await people.age(API_KEYS, timedelta(hours=2))
    assert not await holds(app, short.text)
    assert await holds(app, issued.text)
    with pytest.raises(ApiKeyOver):
        await rotate(app, owner, short.key, WEEK)


async def test_after_a_rotation_the_secret_before_holds_for_its_grace_and_older_ones_not_at_all(
    app: App, people: People, owner: Caller
) -> None:
    first = await make(app, owner)
    second = await rotate(app, owner, first.key, timedelta(hours=1))
    assert await holds(app, first.text)
    assert await holds(app, second.text)
    third = await rotate(app, owner, first.key, timedelta(hours=1))
    assert not await holds(app, first.text)
    assert await holds(app, second.text)
    await people.age(API_KEYS, timedelta(hours=2))
    assert not await holds(app, second.text)
    fourth = await rotate(app, owner, first.key, timedelta())
    assert not await holds(app, third.text)
    assert await holds(app, fourth.text)
    fifth = await rotate(app, owner, first.key, timedelta(days=30))
    assert fifth.key.previous_until is not None
    assert (await the_key(app, owner)).id == first.key.id
    await people.age(API_KEYS, WEEK)
    assert not await holds(app, fourth.text)


async def test_a_revoked_key_is_refused_and_every_gateway_hears_of_it(
    app: App, people: People, owner: Caller
) -> None:
    issued = await make(app, owner)
    await api_keys.revoke_key(app, owner, issued.key.id, by=by(owner))
    await api_keys.revoke_key(app, owner, issued.key.id, by=by(owner))
    assert not await holds(app, issued.text)
    assert issued.key.id in await revoked(app, issued.key.created_at)
    actions = [each.action for each in await people.log(owner.tenant)][-2:]
    assert actions == [Action.API_KEY_CREATED, Action.API_KEY_REVOKED]
    with pytest.raises(ApiKeyOver):
        await rotate(app, owner, issued.key, WEEK)


@pytest.mark.parametrize("rotated", [False, True])
async def test_a_leaked_key_ends_whoever_reports_it_even_by_the_secret_before(
    app: App, people: People, owner: Caller, *, rotated: bool
) -> None:
    issued = await make(app, owner)
    newest = await rotate(app, owner, issued.key, WEEK) if rotated else issued
    text = texts.parse(issued.text)
    assert text is not None
    for harmless in (
        "nothing",
        replace(text, secret="A" * 24).show(),
        texts.ApiKeyText.make(sandbox=True).show(),
    ):
        await api_keys.report_leak(app, harmless, by=NOBODY)
    assert await holds(app, newest.text)
    await api_keys.report_leak(app, issued.text, by=NOBODY)
    await api_keys.report_leak(app, issued.text, by=NOBODY)
    assert not await holds(app, newest.text)
    assert (await the_key(app, owner)).revoke_reason is RevokeReason.LEAKED
    assert issued.key.id in await revoked(app, issued.key.created_at)
    log = [each.action for each in await people.log(owner.tenant)]
    assert log.count(Action.API_KEY_LEAKED) == 1


async def test_the_last_use_is_kept_once_a_minute(app: App, people: People, owner: Caller) -> None:
    issued = await make(app, owner)
    await api_keys.exchange_key(app, issued.text)
    first = (await the_key(app, owner)).last_used_at
    await api_keys.exchange_key(app, issued.text)
    assert (await the_key(app, owner)).last_used_at == first
    await people.age(API_KEYS, timedelta(minutes=2))
    await api_keys.exchange_key(app, issued.text)
    assert (await the_key(app, owner)).last_used_at > first


async def test_keys_of_others_are_not_found(app: App, people: People, owner: Caller) -> None:
    await people.own("marcel@example.org")
    theirs = await make(app, await log_in(people, "marcel@example.org"))
    for act in (
        lambda: rotate(app, owner, theirs.key, WEEK),
        lambda: api_keys.revoke_key(app, owner, theirs.key.id, by=by(owner)),
    ):
        with pytest.raises(ApiKeyNotFound):
            await act()
    assert await api_keys.list_keys(app, owner.tenant, Page(50, None, "")) == ([], "")
    assert await holds(app, theirs.text)


async def test_all_test_keys_act_in_one_sandbox_that_its_id_gives_away(
    app: App, people: People, owner: Caller
) -> None:
    first = await make(app, owner, replace(RULES, sandbox=True))
    second = await make(app, owner, replace(RULES, sandbox=True))
    assert first.key.acts_in == second.key.acts_in != owner.tenant
    assert ids.is_sandbox(first.key.acts_in)
    assert not ids.is_sandbox(owner.tenant)
    assert not ids.is_sandbox(None)
    key, _ = await api_keys.exchange_key(app, first.text)
    assert key.acts_in == first.key.acts_in
    async with app.db.begin(key.acts_in) as tx:
        (seen,) = (await tx.execute(sa.select(ORGANIZATIONS))).mappings()
    assert seen["sandbox_of"] == owner.tenant
    assert await people.log(key.acts_in) == []
    live = await make(app, owner)
    assert live.key.acts_in == owner.tenant


async def test_what_a_key_does_is_done_on_behalf_of_whoever_made_it(
    app: App, people: People, owner: Caller
) -> None:
    made = await make(app, owner)
    key = Author(ActorKind.KEY, made.key.id, address=PLACE)
    async with app.db.begin(owner.tenant) as tx:
        entry = await audit.record(tx, owner.tenant, key, Action.ROLE_CREATED, target="rol_x")
        stranger = await audit.record(
            tx, owner.tenant, replace(key, id=ids.new()), Action.ROLE_CREATED, target="rol_x"
        )
    assert (entry.actor_id, entry.on_behalf_of) == (made.key.id, owner.user)
    assert stranger.on_behalf_of is None
    kept = await people.log(owner.tenant)
    assert kept[-2] == entry
    assert verify(kept) is None


async def test_what_a_test_key_does_in_the_sandbox_is_done_on_behalf_of_whoever_made_it(
    app: App, people: People, owner: Caller
) -> None:
    made = await make(app, owner, replace(RULES, sandbox=True))
    live = await make(app, owner)
    sandbox = made.key.acts_in
    key = Author(ActorKind.KEY, made.key.id, address=PLACE)
    async with app.db.begin(sandbox) as tx:
        entry = await audit.record(tx, sandbox, key, Action.ROLE_CREATED, target="rol_x")
        (seen,) = (await tx.execute(sa.select(ORGANIZATIONS.c.id))).scalars()
        none_of_the_owner = (await tx.execute(sa.select(API_KEYS))).all()
    assert (entry.actor_id, entry.on_behalf_of) == (made.key.id, owner.user)
    assert (seen, none_of_the_owner) == (sandbox, [])
    async with app.db.begin_platform(reason="write to the log in a test") as tx:
        again = await audit.record(tx, sandbox, replace(key, id=live.key.id), Action.ROLE_CREATED, target="r")
    assert again.on_behalf_of == owner.user
    assert verify(await people.log(sandbox)) is None
