"""No door walks around a second factor: remembered devices, resets, step-up, whatever hands out tokens."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import auth.usecases
from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import InvalidCredentials
from auth.domain.challenges import (
    MOST_DEVICES,
    Factor,
    GivenFactor,
    PendingLogIn,
    RememberedDeviceNotFound,
    SecondFactorRequired,
    SecondFactorWrong,
)
from auth.domain.sessions import SessionTokens
from auth.tables import REMEMBERED_DEVICES
from auth.usecases import account_mails, credentials, own_sessions, second_steps
from comptoir.auth.v1 import account_pb2
from servicekit import contract, ids
from servicekit.errors import Unauthenticated
from testkit.authenticator import Authenticator
from testkit.paging import WHOLE

from .conftest import PASSWORD, People
from .holders import Holder

NEW_PASSWORD = "nine kites above the estuary"
JUDGED = {
    "LogIn": "asks for the factor: test_the_password_alone_opens_nothing",
    "AnswerChallenge": "is the second step",
    "LogInWithPasskey": "takes two factors in one",
    "TradeSsoCode": "asks for the factor: test_a_provider_does_not_walk_around_a_second_factor",
    "RefreshSession": "goes on with a session that was opened by all of them",
    "Reauthenticate": "asks for the factor: test_fresh_credentials_are_all_of_them",
    "SwitchOrganization": "goes on with a session, in another organization",
}
"""Every RPC that answers tokens, and why nobody walks around a factor by it."""


@pytest.fixture
async def paulette(app: App, people: People) -> Holder:
    return await (await Holder.register(app, people)).add_totp()


async def remember(holder: Holder) -> tuple[SessionTokens, str]:
    pending = await holder.challenge()
    opened = await holder.answer(pending, Factor.TOTP, holder.code(), remember=True)
    await holder.let_codes_pass()
    return opened


def test_every_rpc_that_hands_out_tokens_has_been_judged() -> None:
    tokens = account_pb2.SessionTokens.DESCRIPTOR
    doors = {
        name.rpartition("/")[2]
        for name, rpc in contract.rpcs().items()
        if any(field.message_type is tokens for field in rpc.response.DESCRIPTOR.fields)
    }
    assert doors <= set(JUDGED)
    assert {"LogIn", "AnswerChallenge", "LogInWithPasskey"} <= doors


def test_sessions_are_opened_by_few() -> None:
    """Whoever has checked one factor alone calls `admit`."""
    folder = Path(inspect.getfile(auth.usecases)).parent
    callers = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "open_session"
    }
    assert callers == {"sessions", "second_steps"}


async def test_the_password_alone_opens_nothing(paulette: Holder) -> None:
    assert isinstance(await paulette.knock(), PendingLogIn)
    with pytest.raises(InvalidCredentials):
        await paulette.knock(password="another password altogether")


async def test_a_remembered_device_stands_in_for_the_factor_but_is_not_fresh_for_ever(
    paulette: Holder, people: People
) -> None:
    _, device_token = await remember(paulette)
    await people.age(REMEMBERED_DEVICES, timedelta(hours=2))
    tokens = await paulette.knock(device_token=device_token)
    assert isinstance(tokens, SessionTokens)
    session = await people.session(tokens)
    assert session.methods == ("pwd",)
    age = session.created_at - session.authenticated_at
    assert timedelta(hours=2) <= age < timedelta(hours=2, minutes=2)
    with pytest.raises(InvalidCredentials):
        await paulette.knock(password="another password altogether", device_token=device_token)


async def test_a_device_is_remembered_for_its_own_person_and_thirty_days(
    app: App, paulette: Holder, people: People
) -> None:
    _, device_token = await remember(paulette)
    marcel = await (await Holder.register(app, people, "marcel@example.org")).add_totp()
    assert isinstance(await marcel.knock(device_token=device_token), PendingLogIn)
    assert isinstance(await paulette.knock(device_token="A" * 43), PendingLogIn)
    await people.age(REMEMBERED_DEVICES, timedelta(days=30))
    assert isinstance(await paulette.knock(device_token=device_token), PendingLogIn)
    assert (await second_steps.list_remembered_devices(app, paulette.user, WHOLE))[0] == []


async def test_remembered_devices_are_listed_and_forgotten_by_their_owner(
    app: App, paulette: Holder, people: People
) -> None:
    _, device_token = await remember(paulette)
    (device,) = (await second_steps.list_remembered_devices(app, paulette.user, WHOLE))[0]
    assert (device.device, device.address) == ("Firefox on Linux", "192.0.2.7")
    marcel = await Holder.register(app, people, "marcel@example.org")
    for owner, device_id in ((marcel.user, device.id), (paulette.user, ids.new())):
        with pytest.raises(RememberedDeviceNotFound):
            await second_steps.forget_remembered_device(app, owner, device_id)
    await second_steps.forget_remembered_device(app, paulette.user, device.id)
    assert isinstance(await paulette.knock(device_token=device_token), PendingLogIn)


async def test_at_most_twenty_devices_are_remembered(app: App, paulette: Holder) -> None:
    await remember(paulette)
    (oldest,) = (await second_steps.list_remembered_devices(app, paulette.user, WHOLE))[0]
    async with app.db.begin_platform(reason="make many rows in a test") as tx:
        for number in range(MOST_DEVICES - 1):
            values = {name: getattr(oldest, name) for name in REMEMBERED_DEVICES.c.keys()}  # noqa: SIM118
            more = values | {"id": ids.new(), "token_hash": bytes([number]) * 32}
            await tx.execute(sa.insert(REMEMBERED_DEVICES).values(more))
    await remember(paulette)
    left = (await second_steps.list_remembered_devices(app, paulette.user, WHOLE))[0]
    assert len(left) == MOST_DEVICES
    assert oldest.id not in {each.id for each in left}


async def test_logging_out_everywhere_forgets_the_devices(app: App, paulette: Holder) -> None:
    _, device_token = await remember(paulette)
    await own_sessions.log_out_everywhere(app, paulette.user, keep=None, by=paulette.by)
    assert isinstance(await paulette.knock(device_token=device_token), PendingLogIn)


async def test_a_password_reset_leads_to_the_second_factor_and_forgets_devices(
    app: App, paulette: Holder, people: People
) -> None:
    _, device_token = await remember(paulette)
    waiting = await paulette.challenge()
    await credentials.forget_password(app, paulette.email, by=paulette.by)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        query = sa.text("SELECT id FROM account_mails WHERE kind = :kind")
        found = (await tx.execute(query, {"kind": MailKind.PASSWORD_RESET})).scalar_one()
    mail = await account_mails.issue_account_mail(app, found)
    assert mail is not None
    await credentials.reset_password(app, mail.token, new=NEW_PASSWORD, by=paulette.by)
    with pytest.raises(Exception, match="CHALLENGE_INVALID"):
        await paulette.answer(waiting, Factor.TOTP, paulette.code())
    pending = await paulette.knock(password=NEW_PASSWORD, device_token=device_token)
    assert isinstance(pending, PendingLogIn)
    assert (await paulette.answer(pending, Factor.TOTP, paulette.code()))[0].access_token


async def test_a_password_change_forgets_devices_and_keeps_the_factor(
    app: App, paulette: Holder, people: People
) -> None:
    tokens, device_token = await remember(paulette)
    session = await people.session(tokens)
    await credentials.change_password(
        app, paulette.user, session.id, old=PASSWORD, new=NEW_PASSWORD, by=paulette.by
    )
    assert isinstance(await paulette.knock(password=NEW_PASSWORD, device_token=device_token), PendingLogIn)


async def test_fresh_credentials_are_all_of_them(app: App, paulette: Holder, people: People) -> None:
    tokens, _ = await remember(paulette)
    before = await people.session(tokens)

    async def renew(password: str, factor: GivenFactor | None) -> SessionTokens:
        return await own_sessions.reauthenticate(
            app, paulette.user, before.id, password=password, factor=factor, by=paulette.by
        )

    right = GivenFactor(Factor.TOTP, paulette.code())
    with pytest.raises(SecondFactorRequired):
        await renew(PASSWORD, None)
    with pytest.raises(SecondFactorWrong):
        await renew(PASSWORD, GivenFactor(Factor.TOTP, "000000"))
    for password in ("", "another password altogether"):
        with pytest.raises(InvalidCredentials):
            await renew(password, right)
    assert await people.session(tokens) == before
    renewed = await people.session(await renew(PASSWORD, right))
    assert renewed.methods == ("otp", "pwd")
    assert renewed.authenticated_at > before.authenticated_at
    with pytest.raises(SecondFactorWrong):
        await renew(PASSWORD, right)


async def test_a_passkey_alone_is_full_credentials(app: App, people: People) -> None:
    paulette = await Holder.register(app, people)
    device = Authenticator()
    await paulette.add_passkey(device)
    answer = device.use(await second_steps.begin_passkey_use(app))
    tokens = await second_steps.log_in_with_passkey(app, answer, by=paulette.by, user_agent="")
    session = await people.session(tokens)
    await people.age_sessions(timedelta(hours=2))
    factor = GivenFactor(Factor.PASSKEY, device.use(await second_steps.begin_passkey_use(app)))
    stranger = await Holder.register(app, people, "marcel@example.org")
    with pytest.raises(Unauthenticated):
        await own_sessions.reauthenticate(
            app, stranger.user, session.id, password="", factor=factor, by=stranger.by
        )
    renewed = await own_sessions.reauthenticate(
        app, paulette.user, session.id, password="", factor=factor, by=paulette.by
    )
    after = await people.session(renewed)
    assert after.methods == ("hwk",)
    assert after.authenticated_at - session.authenticated_at < timedelta(minutes=2)


async def test_another_ones_factor_renews_nothing(app: App, paulette: Holder, people: People) -> None:
    tokens, _ = await remember(paulette)
    session = await people.session(tokens)
    marcel = await Holder.register(app, people, "marcel@example.org")
    device = Authenticator()
    await marcel.add_passkey(device)
    factor = GivenFactor(Factor.PASSKEY, device.use(await second_steps.begin_passkey_use(app)))
    with pytest.raises(SecondFactorWrong):
        await own_sessions.reauthenticate(
            app, paulette.user, session.id, password=PASSWORD, factor=factor, by=paulette.by
        )
