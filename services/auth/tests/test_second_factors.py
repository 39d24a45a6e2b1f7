"""Authenticator apps, recovery codes and the second step of a log-in, on a real database."""

from collections import Counter
from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import PLATFORM_CHAIN
from auth.domain.challenges import (
    ChallengeInvalid,
    Factor,
    GivenFactor,
    OneFactorWanted,
    PendingLogIn,
)
from auth.domain.recovery_codes import NoSecondFactor
from auth.domain.sessions import SessionTokens
from auth.domain.totp import CodeWrong, TotpExists, TotpNotFound
from auth.tables import ACCOUNT_MAILS, CHALLENGES, RECOVERY_CODES, TOTP_FACTORS
from auth.usecases import factors, second_steps, sessions
from auth.usecases.factors import FactorSummary
from servicekit import ids
from servicekit.errors import AppError, Unauthenticated
from testkit.authenticator import decode
from testkit.paging import WHOLE

from .conftest import BROWSER, People
from .holders import EMAIL, Holder

WRONG = "000000"


@pytest.fixture
async def paulette(app: App, people: People) -> Holder:
    return await (await Holder.register(app, people)).add_totp()


async def mails(app: App) -> Counter[str]:
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        return Counter((await tx.execute(sa.select(ACCOUNT_MAILS.c.kind))).scalars())


async def platform_log(people: People) -> list[str]:
    async with people.app.db.begin_platform(reason="look into the database in a test") as tx:
        found = await tx.execute(
            sa.text("SELECT action FROM audit_entries WHERE organization_id = :chain ORDER BY seq"),
            {"chain": PLATFORM_CHAIN},
        )
        return list(found.scalars())


async def outcome(holder: Holder, pending: PendingLogIn, factor: Factor, secret: str) -> str:
    try:
        await holder.answer(pending, factor, secret)
    except AppError as error:
        return error.reason
    return "OPENED"


async def test_an_app_counts_from_its_first_code_on(app: App, people: People) -> None:
    paulette = await Holder.register(app, people)
    await factors.begin_totp(app, paulette.user, by=paulette.by)
    assert isinstance(await paulette.knock(), SessionTokens)
    assert await factors.get_factors(app, paulette.user) == FactorSummary(
        totp=False, passkeys=0, recovery_codes_left=0
    )
    await paulette.add_totp()
    assert len(paulette.recovery_codes) == 10
    assert await factors.get_factors(app, paulette.user) == FactorSummary(
        totp=True, passkeys=0, recovery_codes_left=10
    )
    pending = await paulette.challenge()
    assert (pending.expires_in, pending.factors) == (300, (Factor.TOTP, Factor.RECOVERY_CODE))
    assert await mails(app) >= Counter(["totp_added"])
    assert await platform_log(people) == ["factor.added"]


async def test_the_second_step_opens_a_session_that_says_how(paulette: Holder, people: People) -> None:
    pending = await paulette.challenge()
    tokens, device_token = await paulette.answer(pending, Factor.TOTP, paulette.code())
    session = await people.session(tokens)
    assert (session.user_id, session.methods, session.device) == (
        paulette.user,
        ("otp", "pwd"),
        "Firefox on Linux",
    )
    assert device_token == ""
    refreshed = await sessions.refresh_session(paulette.app, tokens.refresh_token)
    assert (await people.session(refreshed)).methods == ("otp", "pwd")


async def test_a_challenge_is_answered_once_in_time_and_by_its_own_secret(
    app: App, paulette: Holder, people: People
) -> None:
    pending = await paulette.challenge()
    await paulette.answer(pending, Factor.TOTP, paulette.code())
    await paulette.let_codes_pass()
    assert await outcome(paulette, pending, Factor.TOTP, paulette.code()) == "CHALLENGE_INVALID"
    late = await paulette.challenge()
    await people.age(CHALLENGES, timedelta(seconds=300))
    assert await outcome(paulette, late, Factor.TOTP, paulette.code()) == "CHALLENGE_INVALID"
    for nonsense in ("", "é", "A" * 43, "=" * 43, "A"):
        with pytest.raises(ChallengeInvalid):
            await second_steps.answer_challenge(
                app,
                nonsense,
                GivenFactor(Factor.TOTP, paulette.code()),
                remember_device=False,
                by=paulette.by,
                user_agent=BROWSER,
            )


async def test_the_database_keeps_no_secret_of_a_factor(app: App, paulette: Holder) -> None:
    pending = await paulette.challenge()
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        rows = [
            row
            for table in (TOTP_FACTORS, RECOVERY_CODES, CHALLENGES)
            for row in (await tx.execute(sa.select(table))).all()
        ]
    kept = b"".join(value for row in rows for value in row if isinstance(value, bytes))
    assert len(kept) >= 400
    secrets = [paulette.secret, decode(pending.challenge), pending.challenge.encode()]
    for secret in (*secrets, *(each.encode() for each in paulette.recovery_codes)):
        assert secret not in kept


async def test_begun_challenges_of_others_do_not_take_ones_own_code(
    app: App, paulette: Holder, people: People
) -> None:
    marcel = await (await Holder.register(app, people, "marcel@example.org")).add_totp()
    pending = await marcel.challenge()
    assert await outcome(paulette, pending, Factor.TOTP, paulette.code()) == "SECOND_FACTOR_WRONG"
    recovery = paulette.recovery_codes[0]
    assert await outcome(paulette, pending, Factor.RECOVERY_CODE, recovery) == "SECOND_FACTOR_WRONG"
    own = await paulette.challenge()
    assert await outcome(paulette, own, Factor.RECOVERY_CODE, recovery) == "OPENED"


async def test_one_factor_is_wanted(paulette: Holder) -> None:
    pending = await paulette.challenge()
    with pytest.raises(OneFactorWanted):
        await second_steps.answer_challenge(
            paulette.app,
            pending.challenge,
            None,
            remember_device=False,
            by=paulette.by,
            user_agent=BROWSER,
        )


async def test_new_recovery_codes_end_the_old_ones(app: App, paulette: Holder, people: People) -> None:
    old = paulette.recovery_codes
    new = await factors.renew_recovery_codes(app, paulette.user, by=paulette.by)
    assert len(new) == 10
    assert not set(new) & set(old)
    pending = await paulette.challenge()
    assert await outcome(paulette, pending, Factor.RECOVERY_CODE, old[0]) == "SECOND_FACTOR_WRONG"
    assert await outcome(paulette, pending, Factor.RECOVERY_CODE, new[0]) == "OPENED"
    assert (await mails(app))["recovery_codes_renewed"] == 1
    assert "recovery_codes.renewed" in await platform_log(people)


async def test_with_the_last_factor_all_that_stood_in_for_it_goes(
    app: App, paulette: Holder, people: People
) -> None:
    pending = await paulette.challenge()
    _, device_token = await paulette.answer(pending, Factor.TOTP, paulette.code(), remember=True)
    assert device_token
    waiting = await paulette.challenge()
    await factors.remove_totp(app, paulette.user, by=paulette.by)
    assert isinstance(await paulette.knock(), SessionTokens)
    recovery = paulette.recovery_codes[0]
    assert await outcome(paulette, waiting, Factor.RECOVERY_CODE, recovery) == "CHALLENGE_INVALID"
    assert (await second_steps.list_remembered_devices(app, paulette.user, WHOLE))[0] == []
    assert (await factors.get_factors(app, paulette.user)).recovery_codes_left == 0
    with pytest.raises(TotpNotFound):
        await factors.remove_totp(app, paulette.user, by=paulette.by)
    with pytest.raises(NoSecondFactor):
        await factors.renew_recovery_codes(app, paulette.user, by=paulette.by)
    assert (await mails(app))["totp_removed"] == 1
    assert await platform_log(people) == ["factor.added", "factor.removed"]


async def test_an_app_is_enrolled_once_and_only_by_its_code(app: App, people: People) -> None:
    paulette = await Holder.register(app, people)
    with pytest.raises(TotpNotFound):
        await factors.confirm_totp(app, paulette.user, WRONG, by=paulette.by)
    first = await factors.begin_totp(app, paulette.user, by=paulette.by)
    second = await factors.begin_totp(app, paulette.user, by=paulette.by)
    assert first.secret != second.secret
    assert quote(EMAIL, safe="") in second.uri
    with pytest.raises(CodeWrong):
        await factors.confirm_totp(app, paulette.user, "not a code", by=paulette.by)
    await people.age(TOTP_FACTORS, timedelta(minutes=15))
    with pytest.raises(TotpNotFound):
        await factors.confirm_totp(app, paulette.user, WRONG, by=paulette.by)
    await paulette.add_totp()
    with pytest.raises(TotpExists):
        await factors.begin_totp(app, paulette.user, by=paulette.by)
    with pytest.raises(TotpExists):
        await factors.confirm_totp(app, paulette.user, paulette.code(), by=paulette.by)
    with pytest.raises(Unauthenticated):
        await factors.begin_totp(app, ids.new(), by=paulette.by)


async def test_the_code_that_confirmed_the_app_opens_nothing(app: App, people: People) -> None:
    paulette = await Holder.register(app, people)
    await paulette.add_totp()
    async with app.db.begin_platform(reason="go round the helper in a test") as tx:
        await tx.execute(sa.update(TOTP_FACTORS).values(last_counter=TOTP_FACTORS.c.last_counter + 10))
    pending = await paulette.challenge()
    assert await outcome(paulette, pending, Factor.TOTP, paulette.code()) == "SECOND_FACTOR_WRONG"


async def test_challenges_that_are_over_are_swept(app: App, paulette: Holder, people: People) -> None:
    await paulette.challenge()
    await people.age(CHALLENGES, timedelta(minutes=6))
    await paulette.challenge()
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(CHALLENGES))).scalar_one() == 1
