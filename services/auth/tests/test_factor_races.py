"""Second factors that are given by many at once, or wrong too often, on a real database."""

import asyncio
from collections import Counter

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.challenges import (
    Factor,
    SecondFactorWrong,
    TooManyFactorAttempts,
)
from auth.domain.totp import Totp
from auth.store import factors as store
from auth.tables import FACTOR_ATTEMPTS, TOTP_FACTORS
from auth.usecases import factors

from .conftest import People
from .holders import Holder
from .test_second_factors import mails, outcome, platform_log

WRONG = "000000"


@pytest.fixture
async def paulette(app: App, people: People) -> Holder:
    return await (await Holder.register(app, people)).add_totp()


async def test_a_code_is_accepted_once_however_many_give_it(paulette: Holder) -> None:
    waiting = [await paulette.challenge() for _ in range(4)]
    code = paulette.code()
    outcomes = await asyncio.gather(*(outcome(paulette, each, Factor.TOTP, code) for each in waiting))
    assert Counter(outcomes) == {"OPENED": 1, "SECOND_FACTOR_WRONG": 3}


async def test_without_the_lock_a_code_would_be_accepted_twice(app: App, paulette: Holder) -> None:
    """The control of the test above: the same steps on a row that was read without the lock."""
    code = paulette.code()
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        unlocked = Totp(**(await tx.execute(sa.select(TOTP_FACTORS))).mappings().one())
        assert await outcome(paulette, await paulette.challenge(), Factor.TOTP, code) == "OPENED"
        assert unlocked.accept(paulette.secret, code, now=tx.now) is not None
        locked = await store.lock_totp(tx, paulette.user)
        assert locked is not None
        assert locked.accept(paulette.secret, code, now=tx.now) is None


async def test_a_recovery_code_works_once_and_its_owner_is_told(
    app: App, paulette: Holder, people: People
) -> None:
    code = paulette.recovery_codes[3]
    waiting = [await paulette.challenge() for _ in range(4)]
    outcomes = await asyncio.gather(
        *(outcome(paulette, each, Factor.RECOVERY_CODE, code.upper()) for each in waiting)
    )
    assert Counter(outcomes) == {"OPENED": 1, "SECOND_FACTOR_WRONG": 3}
    assert (await factors.get_factors(app, paulette.user)).recovery_codes_left == 9
    assert (await mails(app))["recovery_code_used"] == 1
    assert (await platform_log(people)).count("recovery_code.used") == 1


async def test_guessing_in_parallel_gains_nothing(paulette: Holder) -> None:
    waiting = [await paulette.challenge() for _ in range(12)]
    outcomes = await asyncio.gather(*(outcome(paulette, each, Factor.TOTP, WRONG) for each in waiting))
    assert Counter(outcomes) == {"SECOND_FACTOR_WRONG": 5, "TOO_MANY_FACTOR_ATTEMPTS": 7}


async def test_without_the_lock_attempts_would_not_be_counted(app: App, paulette: Holder) -> None:
    """The control: what two read at once and write back counts for one."""
    await outcome(paulette, await paulette.challenge(), Factor.TOTP, WRONG)
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        unlocked = (await tx.execute(sa.select(FACTOR_ATTEMPTS.c.failed_at))).scalar_one()
        await outcome(paulette, await paulette.challenge(), Factor.TOTP, WRONG)
        await store.save_attempts(tx, paulette.user, store.FailedAttempts(unlocked).with_one_more(tx.now))
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert len((await store.lock_attempts(tx, paulette.user)).moments) == 2  # of three


async def test_whoever_failed_too_often_waits_with_every_factor_and_is_told_how_long(
    app: App, paulette: Holder, people: People
) -> None:
    pending = await paulette.challenge()
    for _ in range(5):
        with pytest.raises(SecondFactorWrong):
            await paulette.answer(pending, Factor.TOTP, WRONG)
    for factor, secret in (
        (Factor.TOTP, paulette.code()),
        (Factor.RECOVERY_CODE, paulette.recovery_codes[0]),
    ):
        with pytest.raises(TooManyFactorAttempts) as refused:
            await paulette.answer(pending, factor, secret)
        assert 200 < int(refused.value.metadata["retry_after_seconds"]) <= 300
    async with app.db.begin_platform(reason="let time pass in a test") as tx:
        await tx.execute(
            sa.text(
                "UPDATE factor_attempts SET failed_at ="
                " ARRAY(SELECT unnest(failed_at) - interval '5 minutes')"
            )
        )
    assert await outcome(paulette, pending, Factor.TOTP, paulette.code()) == "OPENED"


async def test_right_answers_are_not_counted(paulette: Holder) -> None:
    for _ in range(7):
        pending = await paulette.challenge()
        assert await outcome(paulette, pending, Factor.TOTP, paulette.code()) == "OPENED"
        await paulette.let_codes_pass()
