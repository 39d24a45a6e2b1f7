"""Passkeys: registering, logging in without a user name, and keeping the last way in, on a real database."""

import asyncio
import json
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.challenges import Factor
from auth.domain.passkeys import (
    MOST_PASSKEYS,
    LastWayIn,
    Passkey,
    PasskeyExists,
    PasskeyNotFound,
    PasskeyRefused,
    PasskeyUnknown,
    TooManyPasskeys,
)
from auth.domain.sessions import SessionTokens
from auth.store import passkeys as store
from auth.tables import CHALLENGES, PASSKEYS, USERS
from auth.usecases import factors, passkeys, second_steps
from servicekit import ids
from testkit.authenticator import Authenticator, decode
from testkit.paging import WHOLE

from .conftest import BROWSER, People
from .holders import Holder


@pytest.fixture
async def paulette(app: App, people: People) -> Holder:
    return await Holder.register(app, people)


async def enter(holder: Holder, answer: str) -> SessionTokens:
    return await second_steps.log_in_with_passkey(holder.app, answer, by=holder.by, user_agent=BROWSER)


async def use(holder: Holder, device: Authenticator, **said: object) -> str:
    return device.use(await second_steps.begin_passkey_use(holder.app), **said)


async def forget_password(app: App) -> None:
    """As for people who only ever came by another company's log-in."""
    async with app.db.begin_platform(reason="take passwords away in a test") as tx:
        await tx.execute(sa.update(USERS).values(password_hash=""))


async def outcome(holder: Holder, passkey: Passkey) -> str:
    try:
        await passkeys.remove_passkey(holder.app, holder.user, passkey.id, by=holder.by)
    except LastWayIn as error:
        return error.reason
    return "REMOVED"


@pytest.mark.parametrize(
    ("device", "method"),
    [
        (Authenticator("ES256"), "hwk"),
        (Authenticator("EdDSA", synchronized=True, counts=False), "swk"),
    ],
    ids=["ES256 on one device", "EdDSA synchronized"],
)
async def test_a_passkey_opens_a_session_without_a_user_name_and_a_second_step(
    paulette: Holder, people: People, device: Authenticator, method: str
) -> None:
    await paulette.add_passkey(device)
    for _ in range(2):
        session = await people.session(await enter(paulette, await use(paulette, device)))
        assert (session.user_id, session.methods) == (paulette.user, (method,))
        assert session.authenticated_at == session.created_at
    (kept,) = (await passkeys.list_passkeys(paulette.app, paulette.user, WHOLE))[0]
    assert (kept.name, kept.transports) == ("My phone", ("hybrid", "internal"))
    assert kept.sign_count == (2 if device.counts else 0)
    assert kept.backup_eligible is kept.backed_up is device.synchronized
    assert kept.last_used_at is not None


async def test_the_first_passkey_comes_with_recovery_codes_and_further_ones_without(
    app: App, paulette: Holder
) -> None:
    await paulette.add_passkey(Authenticator())
    codes = paulette.recovery_codes
    assert len(codes) == 10
    await paulette.add_passkey(Authenticator(), name="My key")
    assert paulette.recovery_codes is codes
    names = [each.name for each in (await passkeys.list_passkeys(app, paulette.user, WHOLE))[0]]
    assert names == ["My phone", "My key"]
    asked = json.loads(await passkeys.begin_passkey(app, paulette.user, by=paulette.by))
    assert len(asked["excludeCredentials"]) == 2
    assert decode(asked["user"]["id"]) == paulette.user.bytes


async def test_a_passkey_is_a_second_factor_after_the_password(paulette: Holder, people: People) -> None:
    device = Authenticator()
    await paulette.add_passkey(device)
    pending = await paulette.challenge()
    assert pending.factors == (Factor.PASSKEY, Factor.RECOVERY_CODE)
    tokens, _ = await paulette.answer(pending, Factor.PASSKEY, await use(paulette, device))
    assert (await people.session(tokens)).methods == ("hwk", "pwd")


async def test_nobody_answers_with_the_passkey_of_another_person(
    app: App, paulette: Holder, people: People
) -> None:
    await paulette.add_passkey(Authenticator())
    marcel = await Holder.register(app, people, "marcel@example.org")
    device = Authenticator()
    await marcel.add_passkey(device)
    pending = await paulette.challenge()
    with pytest.raises(Exception, match="SECOND_FACTOR_WRONG"):
        await paulette.answer(pending, Factor.PASSKEY, await use(marcel, device))


async def test_an_answer_opens_one_session_even_when_it_is_given_by_many_at_once(paulette: Holder) -> None:
    device = Authenticator(counts=False)
    await paulette.add_passkey(device)
    answer = await use(paulette, device)
    opened = await asyncio.gather(*(enter(paulette, answer) for _ in range(4)), return_exceptions=True)
    assert Counter(type(each) for each in opened) == {SessionTokens: 1, PasskeyUnknown: 3}


async def test_a_challenge_lasts_five_minutes(paulette: Holder, people: People) -> None:
    device = Authenticator()
    await paulette.add_passkey(device)
    answer = await use(paulette, device)
    await people.age(CHALLENGES, timedelta(seconds=300))
    with pytest.raises(PasskeyUnknown):
        await enter(paulette, answer)


async def test_what_does_not_hold_opens_nothing(paulette: Holder) -> None:
    device, stranger = Authenticator(), Authenticator()
    await paulette.add_passkey(device)
    stranger.rp_id, stranger.user_handle = device.rp_id, device.user_handle
    answers = [await use(paulette, stranger), "{}"]
    stranger.credential_id = device.credential_id
    answers.append(await use(paulette, stranger))
    device.user_handle = ids.new().bytes
    answers.append(await use(paulette, device))
    device.user_handle = b""
    answers.append(await use(paulette, device))
    for answer in answers:
        with pytest.raises(PasskeyUnknown):
            await enter(paulette, answer)


async def test_a_copied_authenticator_is_found_out(paulette: Holder) -> None:
    device = Authenticator()
    await paulette.add_passkey(device)
    await enter(paulette, await use(paulette, device))
    device.count = 0
    with pytest.raises(PasskeyUnknown):
        await enter(paulette, await use(paulette, device))


async def test_a_challenge_serves_the_person_and_the_purpose_it_was_made_for(
    app: App, paulette: Holder, people: People
) -> None:
    marcel = await Holder.register(app, people, "marcel@example.org")
    device = Authenticator()
    await paulette.add_passkey(device)
    foreign = Authenticator().create(await passkeys.begin_passkey(app, marcel.user, by=marcel.by))
    registration = json.loads(await passkeys.begin_passkey(app, paulette.user, by=paulette.by))
    asserted = json.loads(await second_steps.begin_passkey_use(app))
    swapped = dict(registration, challenge=asserted["challenge"])
    credentials = (foreign, Authenticator().create(json.dumps(swapped)), "{}", device.credential_id.hex())
    for credential in credentials:
        with pytest.raises(PasskeyRefused):
            await passkeys.add_passkey(app, paulette.user, name="Mine", credential=credential, by=paulette.by)
    asserted["challenge"] = registration["challenge"]
    with pytest.raises(PasskeyUnknown):
        await enter(paulette, device.use(json.dumps(asserted)))
    assert len((await passkeys.list_passkeys(app, paulette.user, WHOLE))[0]) == 1


async def test_a_creation_is_taken_once(app: App, paulette: Holder, people: People) -> None:
    device = Authenticator()
    credential = device.create(await passkeys.begin_passkey(app, paulette.user, by=paulette.by))
    await passkeys.add_passkey(app, paulette.user, name="Mine", credential=credential, by=paulette.by)
    with pytest.raises(PasskeyRefused):
        await passkeys.add_passkey(app, paulette.user, name="Mine", credential=credential, by=paulette.by)
    marcel = await Holder.register(app, people, "marcel@example.org")
    again = device.create(await passkeys.begin_passkey(app, marcel.user, by=marcel.by))
    with pytest.raises(PasskeyExists):
        await passkeys.add_passkey(app, marcel.user, name="Theirs", credential=again, by=marcel.by)


async def test_twenty_passkeys_are_enough(app: App, paulette: Holder) -> None:
    credential = Authenticator().create(await passkeys.begin_passkey(app, paulette.user, by=paulette.by))
    await paulette.add_passkey(Authenticator())
    async with app.db.begin_platform(reason="make many rows in a test") as tx:
        (one,) = await store.list_passkeys(tx, paulette.user)
        for number in range(MOST_PASSKEYS - 1):
            values = {name: getattr(one, name) for name in PASSKEYS.c.keys()}  # noqa: SIM118
            changed = values | {"id": ids.new(), "credential_id": bytes([number])}
            await tx.execute(sa.insert(PASSKEYS).values(changed))
    with pytest.raises(TooManyPasskeys):
        await passkeys.begin_passkey(app, paulette.user, by=paulette.by)
    with pytest.raises(TooManyPasskeys):
        await passkeys.add_passkey(app, paulette.user, name="Mine", credential=credential, by=paulette.by)


async def test_names_and_removals_are_for_the_owner_alone(app: App, paulette: Holder, people: People) -> None:
    device = Authenticator()
    await paulette.add_passkey(device)
    (mine,) = (await passkeys.list_passkeys(app, paulette.user, WHOLE))[0]
    renamed = await passkeys.rename_passkey(app, paulette.user, mine.id, " Kitchen tablet ")
    assert renamed.name == "Kitchen tablet"
    marcel = await Holder.register(app, people, "marcel@example.org")
    for passkey_id in (mine.id, ids.new()):
        with pytest.raises(PasskeyNotFound):
            await passkeys.rename_passkey(app, marcel.user, passkey_id, "Ours")
        with pytest.raises(PasskeyNotFound):
            await passkeys.remove_passkey(app, marcel.user, passkey_id, by=marcel.by)
    await passkeys.remove_passkey(app, paulette.user, mine.id, by=paulette.by)
    assert isinstance(await paulette.knock(), SessionTokens)
    with pytest.raises(PasskeyUnknown):
        await enter(paulette, await use(paulette, device))
    assert (await factors.get_factors(app, paulette.user)).recovery_codes_left == 0


async def test_the_last_way_in_stays_also_when_two_are_removed_at_once(app: App, paulette: Holder) -> None:
    for _ in range(2):
        await paulette.add_passkey(Authenticator())
    await forget_password(app)
    present = (await passkeys.list_passkeys(app, paulette.user, WHOLE))[0]
    outcomes = await asyncio.gather(*(outcome(paulette, each) for each in present))
    assert Counter(outcomes) == {"REMOVED": 1, "LAST_WAY_IN": 1}
    assert len((await passkeys.list_passkeys(app, paulette.user, WHOLE))[0]) == 1
