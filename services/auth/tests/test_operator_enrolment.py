"""How operators enrol, and enrol anew: by a secret that was handed over, and never by themselves."""

from datetime import timedelta

import pytest

from auth.app import App
from auth.domain.accounts import InvalidCredentials
from auth.domain.audit import PLATFORM_CHAIN, Action, ActorKind
from auth.domain.challenges import ChallengeInvalid, Factor, SecondFactorWrong
from auth.domain.operators import EnrolmentInvalid, OperatorExists, OperatorIsYou, OperatorRole
from auth.domain.passwords import PasswordTooCommon
from auth.domain.sessions import RefreshTokenInvalid
from auth.domain.totp import CodeWrong, TotpNotFound
from auth.tables import OPERATOR_SECRETS
from auth.usecases import operator_sessions, operators

from .conftest import People
from .operating import COMMAND, NOBODY, OTHER_WORDS, WORDS, Agent

MARCEL = "marcel@platform.example"


@pytest.fixture
async def sylvie(app: App) -> Agent:
    return await Agent.add(app)


async def test_enrolling_takes_the_secret_a_code_and_a_good_password(app: App, people: People) -> None:
    made, token = await operators.add_operator(
        app, email=" Sylvie@Platform.example", display_name="Sylvie", role=OperatorRole.SUPPORT, by=COMMAND
    )
    agent = Agent(app, made.id, made.email)
    assert agent.email == "sylvie@platform.example"

    async def finish(secret: str, password: str, code: str) -> None:
        await operators.finish_enrolment(app, secret, password=password, code=code, by=NOBODY)

    with pytest.raises(TotpNotFound):
        await finish(token, WORDS, "000000")
    with pytest.raises(EnrolmentInvalid):
        await operators.begin_enrolment(app, "somebody else's")
    with pytest.raises(InvalidCredentials):
        await agent.knock()
    with pytest.raises(CodeWrong):
        await operators.begin_enrolment(app, token)
        await finish(token, WORDS, "000000")
    with pytest.raises(PasswordTooCommon):
        await finish(token, "password1234", "000000")
    await agent.enrol(token)
    assert len(agent.recovery_codes) == 10
    assert await agent.log_in()
    for after in (operators.begin_enrolment(app, token), finish(token, WORDS, agent.code())):
        with pytest.raises(EnrolmentInvalid):
            await after
    actions = [(each.action, each.actor_kind) for each in await people.log(PLATFORM_CHAIN)]
    assert actions == [
        (Action.OPERATOR_ADDED, ActorKind.SYSTEM),
        (Action.OPERATOR_ENROLLED, ActorKind.OPERATOR),
        (Action.SESSION_OPENED, ActorKind.OPERATOR),
    ]


async def test_the_secret_of_an_enrolment_holds_a_day(app: App, people: People) -> None:
    _, token = await operators.add_operator(
        app, email=MARCEL, display_name="Marcel", role=OperatorRole.ADMIN, by=COMMAND
    )
    await people.age(OPERATOR_SECRETS, timedelta(hours=24))
    with pytest.raises(EnrolmentInvalid):
        await operators.begin_enrolment(app, token)
    with pytest.raises(OperatorExists):
        await operators.add_operator(
            app, email=MARCEL.upper(), display_name="Marcel", role=OperatorRole.ADMIN, by=COMMAND
        )


async def test_a_log_in_secret_enrols_nobody_and_the_other_way_round(app: App, sylvie: Agent) -> None:
    with pytest.raises(EnrolmentInvalid):
        await operators.begin_enrolment(app, await sylvie.knock())
    _, token = await operators.add_operator(
        app, email=MARCEL, display_name="Marcel", role=OperatorRole.ADMIN, by=COMMAND
    )
    with pytest.raises(ChallengeInvalid):
        await sylvie.answer(token, Factor.TOTP, sylvie.code())


async def test_whoever_lost_their_factor_enrols_anew_by_another_and_never_by_themselves(
    app: App, sylvie: Agent
) -> None:
    marcel = await Agent.add(app, MARCEL)
    tokens, waiting, old_code = await marcel.log_in(), await marcel.knock(), marcel.recovery_codes[0]
    with pytest.raises(OperatorIsYou):
        await operators.reenrol_operator(app, marcel.id, by=marcel.by)
    first = await operators.reenrol_operator(app, marcel.id, by=sylvie.by)
    token = await operators.reenrol_operator_of(app, MARCEL, by=COMMAND)
    with pytest.raises(EnrolmentInvalid):
        await operators.begin_enrolment(app, first)
    with pytest.raises(RefreshTokenInvalid):
        await operator_sessions.refresh_operator_session(app, tokens.refresh_token, by=NOBODY)
    with pytest.raises(ChallengeInvalid):
        await marcel.answer(waiting, Factor.TOTP, marcel.code())
    with pytest.raises(InvalidCredentials):
        await marcel.knock()
    await marcel.enrol(token, password=OTHER_WORDS)
    challenge = await marcel.knock(OTHER_WORDS)
    with pytest.raises(SecondFactorWrong):
        await marcel.answer(challenge, Factor.RECOVERY_CODE, old_code)
    assert await marcel.log_in(OTHER_WORDS)
