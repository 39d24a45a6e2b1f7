"""Wrong second factors are limited by place, too: knowing many passwords gives nobody more tries."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.challenges import Factor, GivenFactor, SecondFactorWrong, TooManyFactorAttempts
from auth.domain.limits import GuessLimits
from auth.tables import WISH_COUNTS
from auth.usecases import operator_log_in, own_sessions, second_steps
from servicekit.errors import RETRY_AFTER

from .conftest import BROWSER, PASSWORD, People
from .holders import Holder
from .operating import Agent

WRONG = GivenFactor(Factor.RECOVERY_CODE, "aaaaa-aaaaa")
ELSEWHERE = "203.0.113.7"
PLACES = ("198.51.100.7", "2001:db8:1:2::{:x}")


def at(address: str) -> Author:
    return Author(ActorKind.NOBODY, address=address)


@pytest.fixture
def app(app: App) -> App:
    """Three in five minutes, fifteen in an hour: fewer people are needed."""
    return replace(app, guessing=GuessLimits.of(factors_from_place=3))


async def somebody(app: App, people: People, number: int = 0) -> Holder:
    return await (await Holder.register(app, people, f"somebody{number}@example.org")).add_totp()


async def give(app: App, holder: Holder, factor: GivenFactor, address: str) -> str:
    """The second step of a log-in; answers its outcome."""
    pending = await holder.challenge()
    try:
        await second_steps.answer_challenge(
            app, pending.challenge, factor, remember_device=False, by=at(address), user_agent=BROWSER
        )
    except (SecondFactorWrong, TooManyFactorAttempts) as refused:
        return refused.reason
    return "in"


@pytest.mark.parametrize("network", PLACES)
async def test_one_place_has_so_many_wrong_factors_whosever_they_are(
    app: App, people: People, network: str
) -> None:
    holders = [await somebody(app, people, number) for number in range(5)]
    answers = [
        await give(app, each, WRONG, network.format(number)) for number, each in enumerate(holders, start=1)
    ]
    assert answers == ["SECOND_FACTOR_WRONG"] * 3 + ["TOO_MANY_FACTOR_ATTEMPTS"] * 2
    right = GivenFactor(Factor.TOTP, holders[4].code())
    assert await give(app, holders[4], right, network.format(99)) == "TOO_MANY_FACTOR_ATTEMPTS"
    assert await give(app, holders[4], right, ELSEWHERE) == "in"


async def test_a_network_has_so_many_wrong_factors_from_all_of_its_addresses(
    app: App, people: People
) -> None:
    few = replace(app, guessing=GuessLimits.of(factors_from_network=2))
    holders = [await somebody(app, people, number) for number in range(3)]
    answers = [
        await give(few, each, WRONG, f"198.51.100.{number}") for number, each in enumerate(holders, start=1)
    ]
    assert answers == ["SECOND_FACTOR_WRONG"] * 2 + ["TOO_MANY_FACTOR_ATTEMPTS"]
    right = GivenFactor(Factor.TOTP, holders[2].code())
    assert await give(few, holders[2], right, "198.51.101.3") == "in"


async def test_when_to_come_again_is_told(app: App, people: People) -> None:
    holder = await somebody(app, people)
    for _ in range(3):
        assert await give(app, holder, WRONG, ELSEWHERE) == "SECOND_FACTOR_WRONG"
    pending = await holder.challenge()
    with pytest.raises(TooManyFactorAttempts) as refused:
        await second_steps.answer_challenge(
            app, pending.challenge, WRONG, remember_device=False, by=at(ELSEWHERE), user_agent=BROWSER
        )
    assert 0 < int(refused.value.metadata[RETRY_AFTER]) <= 300


async def test_guessing_at_many_in_parallel_gets_no_more_tries(app: App, people: People) -> None:
    holders = [await somebody(app, people, number) for number in range(6)]
    pending = [await each.challenge() for each in holders]

    async def answer(challenge: str) -> str:
        with pytest.raises((SecondFactorWrong, TooManyFactorAttempts)) as refused:
            await second_steps.answer_challenge(
                app, challenge, WRONG, remember_device=False, by=at(ELSEWHERE), user_agent=BROWSER
            )
        return str(refused.value.reason)

    answers = Counter(await asyncio.gather(*(answer(each.challenge) for each in pending)))
    assert answers == {"SECOND_FACTOR_WRONG": 3, "TOO_MANY_FACTOR_ATTEMPTS": 3}


async def test_right_factors_do_not_count(app: App, people: People) -> None:
    holder = await somebody(app, people)
    for _ in range(5):
        right = GivenFactor(Factor.TOTP, holder.code())
        assert await give(app, holder, right, ELSEWHERE) == "in"
        await holder.let_codes_pass()


async def test_an_hour_has_a_limit_of_its_own(app: App, people: People) -> None:
    holders = [await somebody(app, people, number) for number in range(6)]
    for each in holders[:5]:
        answers = [await give(app, each, WRONG, ELSEWHERE) for _ in range(3)]
        assert answers == ["SECOND_FACTOR_WRONG"] * 3
        async with app.db.begin_platform(reason="let five minutes pass in a test") as tx:
            short = app.guessing.factors_from_place[0].key("203.0.113.7/32")
            await tx.execute(sa.delete(WISH_COUNTS).where(WISH_COUNTS.c.key == short))
    assert await give(app, holders[5], WRONG, ELSEWHERE) == "TOO_MANY_FACTOR_ATTEMPTS"


async def test_whoever_is_logged_in_is_counted_as_well(app: App, people: People) -> None:
    holder = await somebody(app, people)
    tokens, _ = await holder.answer(await holder.challenge(), Factor.TOTP, holder.code())
    session = await people.session(tokens)
    for refusal in [SecondFactorWrong] * 3 + [TooManyFactorAttempts]:
        with pytest.raises(refusal):
            await own_sessions.reauthenticate(
                app, holder.user, session.id, password=PASSWORD, factor=WRONG, by=at(ELSEWHERE)
            )


async def test_operators_are_counted_with_all_others(app: App, people: People) -> None:
    sylvie = await Agent.add(app)
    challenge = await sylvie.knock()
    holder = await somebody(app, people)
    for _ in range(3):
        assert await give(app, holder, WRONG, ELSEWHERE) == "SECOND_FACTOR_WRONG"
    with pytest.raises(TooManyFactorAttempts):
        await operator_log_in.answer_operator_challenge(
            app, challenge, WRONG, by=at(ELSEWHERE), user_agent=BROWSER
        )
