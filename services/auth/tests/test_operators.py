"""Operators: how they come and enrol, how they log in, and that nothing walks around the second factor."""

import ast
import inspect
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

import auth.usecases
from auth.app import App
from auth.domain.account_mails import MailKind
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.audit import PLATFORM_CHAIN, Action
from auth.domain.challenges import (
    ChallengeInvalid,
    Factor,
    OneFactorWanted,
    SecondFactorWrong,
    TooManyFactorAttempts,
)
from auth.domain.operators import (
    OperatorIsYou,
    OperatorNotFound,
    OperatorRole,
)
from auth.domain.passwords import PasswordTooCommon
from auth.domain.sessions import (
    EndReason,
    RefreshTokenInvalid,
    RefreshTokenReused,
    SessionNotFound,
    SessionTokens,
)
from auth.sealing import SealBroken
from auth.tables import OPERATOR_SECRETS, OPERATOR_SESSIONS, OPERATOR_TOTPS, OPERATORS
from auth.usecases import operator_log_in, operator_sessions, operators, own_sessions, sessions
from comptoir.auth.v1 import operator_pb2
from servicekit import contract, ids, paging
from servicekit.errors import InvalidPageToken, Unauthenticated

from .conftest import PASSWORD, PLACE, People
from .mailbox import waiting, written
from .operating import COMMAND, NOBODY, OTHER_WORDS, WORDS, Agent

MARCEL = "marcel@platform.example"
JUDGED = {
    "AnswerOperatorChallenge": "is the second step",
    "RefreshOperatorSession": "goes on with a session that was opened by both",
    "ReauthenticateOperator": "asks for both: test_fresh_credentials_are_both",
}
"""Every RPC that answers an operator's tokens, and why nobody walks around the factor by it."""


@pytest.fixture
async def sylvie(app: App) -> Agent:
    return await Agent.add(app)


async def refresh(app: App, tokens: SessionTokens) -> SessionTokens:
    return await operator_sessions.refresh_operator_session(app, tokens.refresh_token, by=NOBODY)


def test_every_rpc_that_hands_out_an_operators_tokens_has_been_judged() -> None:
    tokens = operator_pb2.OperatorTokens.DESCRIPTOR
    doors = {
        name.rpartition("/")[2]
        for name, rpc in contract.rpcs().items()
        if any(field.message_type is tokens for field in rpc.response.DESCRIPTOR.fields)
    }
    assert doors == set(JUDGED)


def test_sessions_of_operators_are_opened_in_one_place() -> None:
    folder = Path(inspect.getfile(auth.usecases)).parent
    openers = [
        path.stem
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "tokens_of" and "operator" in path.stem
    ]
    assert sorted(openers) == ["operator_log_in", "operator_log_in", "operator_sessions"]


async def test_password_and_code_open_a_session_of_eight_hours(app: App, sylvie: Agent) -> None:
    tokens = await sylvie.log_in()
    session = await sylvie.session(tokens)
    assert session.methods == ("otp", "pwd")
    assert session.expires_at - session.created_at == timedelta(hours=8)
    assert (await refresh(app, tokens)).expires_in == 600


async def test_the_password_alone_opens_nothing_and_a_challenge_is_answered_once(
    app: App, sylvie: Agent
) -> None:
    challenge = await sylvie.knock()
    with pytest.raises(SecondFactorWrong):
        await sylvie.answer(challenge, Factor.TOTP, "000000")
    with pytest.raises(SecondFactorWrong):
        await sylvie.answer(challenge, Factor.PASSKEY, "{}")
    with pytest.raises(OneFactorWanted):
        await operator_log_in.answer_operator_challenge(app, challenge, None, by=NOBODY, user_agent="")
    assert await sylvie.answer(challenge, Factor.TOTP, sylvie.code())
    await sylvie.let_codes_pass()
    with pytest.raises(ChallengeInvalid):
        await sylvie.answer(challenge, Factor.TOTP, sylvie.code())


async def test_a_code_is_taken_once(sylvie: Agent) -> None:
    assert await sylvie.answer(await sylvie.knock(), Factor.TOTP, sylvie.code())
    with pytest.raises(SecondFactorWrong):
        await sylvie.answer(await sylvie.knock(), Factor.TOTP, sylvie.code())


async def test_a_challenge_waits_five_minutes(app: App, sylvie: Agent, people: People) -> None:
    challenge = await sylvie.knock()
    await people.age(OPERATOR_SECRETS, timedelta(minutes=5))
    with pytest.raises(ChallengeInvalid):
        await sylvie.answer(challenge, Factor.TOTP, sylvie.code())


async def test_a_recovery_code_stands_in_once(sylvie: Agent, people: People) -> None:
    code = sylvie.recovery_codes[0]
    tokens = await sylvie.answer(await sylvie.knock(), Factor.RECOVERY_CODE, code)
    assert (await sylvie.session(tokens)).methods == ("pwd", "rec")
    with pytest.raises(SecondFactorWrong):
        await sylvie.answer(await sylvie.knock(), Factor.RECOVERY_CODE, code)
    used = [each for each in await people.log(PLATFORM_CHAIN) if each.action is Action.RECOVERY_CODE_USED]
    assert [each.after for each in used] == [{"left": 9}]


async def test_codes_are_not_guessed(sylvie: Agent) -> None:
    challenge = await sylvie.knock()
    for _ in range(5):
        with pytest.raises(SecondFactorWrong):
            await sylvie.answer(challenge, Factor.TOTP, "000000")
    for another in (challenge, await sylvie.knock()):
        with pytest.raises(TooManyFactorAttempts):
            await sylvie.answer(another, Factor.TOTP, sylvie.code())


async def test_passwords_are_not_guessed_from_one_place(app: App, sylvie: Agent) -> None:
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await sylvie.knock("a guess and another")
    with pytest.raises(TooManyAttempts):
        await sylvie.knock()


async def test_an_operator_is_no_user_and_a_user_no_operator(app: App, sylvie: Agent, people: People) -> None:
    await people.own("paulette@example.org")
    with pytest.raises(InvalidCredentials):
        await operator_log_in.log_in_operator(app, "paulette@example.org", PASSWORD, by=NOBODY)
    with pytest.raises(InvalidCredentials):
        await sessions.log_in(app, sylvie.email, WORDS, by=NOBODY, user_agent="")


async def test_refresh_tokens_of_members_and_operators_are_not_each_others(
    app: App, sylvie: Agent, people: People
) -> None:
    await people.own("paulette@example.org")
    members, operators_ = await people.log_in("paulette@example.org"), await sylvie.log_in()
    with pytest.raises(RefreshTokenInvalid):
        await refresh(app, members)
    with pytest.raises(RefreshTokenInvalid):
        await sessions.refresh_session(app, operators_.refresh_token)


@pytest.mark.parametrize(
    ("column", "hours", "ends"),
    [
        ("last_used_at", 0.4, None),
        ("last_used_at", 0.5, RefreshTokenInvalid),
        ("expires_at", 7.9, None),
        ("expires_at", 8, RefreshTokenInvalid),
    ],
)
async def test_a_session_ends_after_half_an_hour_unused_or_eight_hours(
    app: App, sylvie: Agent, column: str, hours: float, ends: type[Exception] | None
) -> None:
    tokens = await sylvie.log_in()
    moved = OPERATOR_SESSIONS.c[column] - timedelta(hours=hours)
    async with app.db.begin_platform(reason="let time pass in a test") as tx:
        await tx.execute(sa.update(OPERATOR_SESSIONS).values({column: moved}))
    if ends is None:
        assert await refresh(app, tokens)
        return
    with pytest.raises(ends):
        await refresh(app, tokens)


async def test_no_access_token_outlives_its_session(app: App, sylvie: Agent) -> None:
    tokens = await sylvie.log_in()
    soon = sa.func.now() + timedelta(minutes=3)
    async with app.db.begin_platform(reason="let time pass in a test") as tx:
        await tx.execute(sa.update(OPERATOR_SESSIONS).values(expires_at=soon))
    assert (await refresh(app, tokens)).expires_in <= 180


async def test_an_old_refresh_token_ends_the_session(app: App, sylvie: Agent) -> None:
    first = await sylvie.log_in()
    second = await refresh(app, first)
    assert (await refresh(app, first)).refresh_token == second.refresh_token
    await refresh(app, second)
    with pytest.raises(RefreshTokenReused):
        await refresh(app, first)
    assert (await sylvie.session(first)).end_reason is EndReason.TOKEN_REUSED
    assert (await sylvie.session(first)).id in await revoked(app)


async def revoked(app: App) -> set[UUID]:
    return set((await own_sessions.list_revocations(app, None))[0])


async def test_operators_see_and_end_their_own_sessions_alone(app: App, sylvie: Agent) -> None:
    marcel = await Agent.add(app, MARCEL, "support")
    theirs = await marcel.session(await marcel.log_in())
    mine = [await sylvie.session(await sylvie.log_in()) for _ in range(2)]
    page = paging.page(0, "", "test", keys=1)
    listed, _ = await operator_sessions.list_operator_sessions(app, sylvie.id, page)
    assert [each.id for each in listed] == [each.id for each in reversed(mine)]

    async def end(session_id: UUID) -> None:
        await operator_sessions.end_operator_session(
            app, sylvie.id, session_id, reason=EndReason.REVOKED, by=sylvie.by
        )

    for foreign in (theirs.id, ids.new()):
        with pytest.raises(SessionNotFound):
            await end(foreign)
    await end(mine[0].id)
    listed, _ = await operator_sessions.list_operator_sessions(app, sylvie.id, page)
    assert [each.id for each in listed] == [mine[1].id]
    assert {mine[0].id} == await revoked(app)


async def test_fresh_credentials_are_both(app: App, sylvie: Agent) -> None:
    session = await sylvie.session(
        await sylvie.answer(await sylvie.knock(), Factor.RECOVERY_CODE, sylvie.recovery_codes[0])
    )

    async def renew(password: str, code: str) -> SessionTokens:
        return await operator_log_in.reauthenticate_operator(
            app, sylvie.id, session.id, password=password, code=code, by=sylvie.by
        )

    with pytest.raises(SecondFactorWrong):
        await renew(WORDS, "000000")
    with pytest.raises(InvalidCredentials):
        await renew("a guess and another", sylvie.code())
    renewed = await sylvie.session(await renew(WORDS, sylvie.code()))
    assert (renewed.id, renewed.methods) == (session.id, ("otp", "pwd"))
    assert renewed.authenticated_at > session.authenticated_at
    marcel = await Agent.add(app, MARCEL)
    with pytest.raises(Unauthenticated):
        await operator_log_in.reauthenticate_operator(
            app, marcel.id, session.id, password=WORDS, code=marcel.code(), by=marcel.by
        )


async def test_another_password_ends_the_other_sessions(app: App, sylvie: Agent) -> None:
    other = await sylvie.log_in()
    kept = await sylvie.log_in()
    waiting = await sylvie.knock()

    async def change(old: str, new: str) -> None:
        session = await sylvie.session(kept)
        await operator_log_in.change_operator_password(
            app, sylvie.id, session.id, old=old, new=new, by=sylvie.by
        )

    with pytest.raises(InvalidCredentials):
        await change("a guess and another", OTHER_WORDS)
    with pytest.raises(PasswordTooCommon):
        await change(WORDS, "sylvie and some words")
    await change(WORDS, OTHER_WORDS)
    with pytest.raises(RefreshTokenInvalid):
        await refresh(app, other)
    with pytest.raises(ChallengeInvalid):
        await sylvie.answer(waiting, Factor.TOTP, sylvie.code())
    with pytest.raises(InvalidCredentials):
        await sylvie.knock()
    assert await refresh(app, kept)
    assert await sylvie.log_in(OTHER_WORDS)


async def test_who_is_disabled_is_out_at_once_and_stays_listed(
    app: App, sylvie: Agent, people: People
) -> None:
    marcel = await Agent.add(app, MARCEL)
    tokens = await marcel.log_in()
    with pytest.raises(OperatorIsYou):
        await operators.disable_operator(app, marcel.id, by=marcel.by)
    for missing in (
        operators.disable_operator(app, ids.new(), by=sylvie.by),
        operators.disable_operator_of(app, "nobody@platform.example", by=COMMAND),
    ):
        with pytest.raises(OperatorNotFound):
            await missing
    for _ in range(2):
        await operators.disable_operator(app, marcel.id, by=sylvie.by)
    with pytest.raises(RefreshTokenInvalid):
        await refresh(app, tokens)
    with pytest.raises(InvalidCredentials):
        await marcel.knock()
    with pytest.raises(Unauthenticated):
        await operators.get_operator(app, marcel.id)
    assert (await marcel.session(tokens)).id in await revoked(app)
    found, _ = await operators.list_operators(app, paging.page(0, "", "test", keys=1))
    assert [(each.email, each.disabled_at is None) for each in found] == [
        (MARCEL, False),
        (sylvie.email, True),
    ]
    disabled = [each for each in await people.log(PLATFORM_CHAIN) if each.action is Action.OPERATOR_DISABLED]
    assert [(each.actor_id, each.target) for each in disabled] == [(sylvie.id, ids.show("opr", marcel.id))]


async def test_operators_are_listed_page_by_page(app: App, sylvie: Agent) -> None:
    await Agent.add(app, MARCEL)
    first, token = await operators.list_operators(app, paging.page(1, "", "test", keys=1))
    rest, last = await operators.list_operators(app, paging.page(1, token, "test", keys=1))
    assert ([each.email for each in first + rest], last) == ([MARCEL, sylvie.email], "")
    forged = paging.page(1, "", "test", keys=1).next_token(["\x00"])
    with pytest.raises(InvalidPageToken):
        await operators.list_operators(app, paging.page(1, forged, "test", keys=1))


async def test_recovery_codes_are_renewed_all_at_once(app: App, sylvie: Agent) -> None:
    renewed = await operators.renew_operator_codes(app, sylvie.id, by=sylvie.by)
    assert len(set(renewed) - set(sylvie.recovery_codes)) == 10
    with pytest.raises(SecondFactorWrong):
        await sylvie.answer(await sylvie.knock(), Factor.RECOVERY_CODE, sylvie.recovery_codes[0])
    assert await sylvie.answer(await sylvie.knock(), Factor.RECOVERY_CODE, renewed[0])
    assert (await operators.get_operator(app, sylvie.id))[1] == 9


async def test_nothing_that_is_kept_can_be_used(app: App, sylvie: Agent) -> None:
    """The authenticator's secret is sealed for its operator; what else is kept are hashes."""
    marcel = await Agent.add(app, MARCEL)
    await sylvie.knock()
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        mine = sa.select(OPERATOR_TOTPS.c.sealed_secret).where(OPERATOR_TOTPS.c.operator_id == sylvie.id)
        sealed = (await tx.execute(mine)).scalar_one()
        hashes = (await tx.execute(sa.select(OPERATORS.c.password_hash))).scalars().all()
    assert app.seal.open_up(sealed, bound_to=operator_log_in.bound_to(sylvie.id)) == sylvie.secret
    with pytest.raises(SealBroken):
        app.seal.open_up(sealed, bound_to=operator_log_in.bound_to(marcel.id))
    assert all(each.startswith("$argon2id$") for each in hashes)


async def test_all_who_can_log_in_hear_that_somebody_may_come_to(app: App) -> None:
    sylvie = await Agent.add(app)
    assert await waiting(app, MailKind.OPERATORS_CHANGED) == []  # the first: there was nobody to tell
    marcel = await Agent.add(app, "marcel@platform.example", "support")
    over = await Agent.add(app, "over@platform.example")
    before = len(await waiting(app, MailKind.OPERATORS_CHANGED))
    for _ in range(2):  # the second time there is nothing to tell
        await operators.disable_operator(app, over.id, by=sylvie.by)
    told = (await written(app, MailKind.OPERATORS_CHANGED))[before:]
    assert [each.email for each in told] == [marcel.email, over.email, sylvie.email]
    before = len(await waiting(app, MailKind.OPERATORS_CHANGED))
    await operators.renew_operator_codes(app, sylvie.id, by=sylvie.by)
    await operators.reenrol_operator(app, marcel.id, by=sylvie.by)  # what he had ends with it
    await operators.add_operator(
        app, email="new@platform.example", display_name="New", role=OperatorRole.ADMIN, by=sylvie.by
    )
    told = (await written(app, MailKind.OPERATORS_CHANGED))[before:]
    assert [each.email for each in told] == [marcel.email, sylvie.email] * 2 + [sylvie.email]
    assert {(each.address, each.token) for each in told} == {(PLACE, "")}
