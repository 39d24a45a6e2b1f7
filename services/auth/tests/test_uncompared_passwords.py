"""A try that was not compared counts by nothing: the pool was full, the caller gone, or a limit refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.limits import GuessLimits
from auth.hashing import Passwords, Verdict
from auth.settings import HashingSettings
from auth.tables import LOG_IN_ATTEMPTS, WISH_COUNTS
from auth.usecases import sessions
from auth.usecases.guessing import compare, count_try
from servicekit import deadline
from servicekit.errors import Unavailable
from testkit import eventually

from .conftest import BROWSER, PASSWORD, People
from .operating import Agent
from .test_guessing import ELSEWHERE, WRONG, at
from .test_guessing_in_sessions import change, renew

EMAIL = "paulette@example.org"


class Full(Passwords):
    """A pool that admits nobody."""

    async def verify(self, _kept: str | None, _password: str) -> Verdict:
        raise Unavailable


class Slow(Passwords):
    """A pool in which everybody waits."""

    def __init__(self, settings: HashingSettings) -> None:
        super().__init__(settings)
        self.waits = asyncio.Event()

    async def verify(self, _kept: str | None, _password: str) -> Verdict:
        self.waits.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
async def full(app: App) -> AsyncIterator[App]:
    pool = Full(HashingSettings())
    yield replace(app, passwords=pool)
    pool.close()


@pytest.fixture
async def slow() -> AsyncIterator[Slow]:
    pool = Slow(HashingSettings())
    yield pool
    pool.close()


async def counted(app: App) -> int:
    """By how many counts anything is counted."""
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        tries = await tx.execute(sa.select(LOG_IN_ATTEMPTS.c.attempts))
        wishes = await tx.execute(sa.select(WISH_COUNTS.c.count))
        return sum(each > 0 for each in (*tries.scalars(), *wishes.scalars()))


async def log_in(app: App, email: str = EMAIL, password: str = PASSWORD, address: str = ELSEWHERE) -> object:
    return await sessions.log_in(app, email, password, by=at(address), user_agent=BROWSER)


async def test_a_full_pool_locks_nobody_out(app: App, people: People, full: App) -> None:
    await people.own(EMAIL)
    before = await counted(app)
    session = await people.session(await people.log_in(EMAIL))
    for _ in range(6):
        for ask in (log_in(full), renew(full, session, PASSWORD), change(full, session, PASSWORD)):
            with pytest.raises(Unavailable):
                await ask
    assert await counted(app) == before
    assert await log_in(app)
    assert await renew(app, session, PASSWORD)


async def test_a_full_pool_locks_no_operator_out(app: App, full: App) -> None:
    sylvie = await Agent.add(app)
    sylvie.app = full
    for _ in range(6):
        with pytest.raises(Unavailable):
            await sylvie.knock()
    sylvie.app = app
    assert await sylvie.knock()


async def test_who_goes_before_the_outcome_is_not_counted(app: App, slow: Slow) -> None:
    waiting = asyncio.ensure_future(log_in(replace(app, passwords=slow)))
    await slow.waits.wait()
    assert await counted(app) == 6  # account and network, place, in flight, network, account, all
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    async def nothing_is_counted() -> bool:
        return await counted(app) == 0

    assert await eventually(nothing_is_counted)


async def test_an_outcome_is_kept_when_the_callers_time_is_up(app: App) -> None:
    async with app.db.begin_platform(reason="count a try in a test") as tx:
        done = await count_try(app, tx, EMAIL, by=at(ELSEWHERE))
    before = await counted(app)
    deadline.start(0)
    try:
        assert not (await compare(app, done, None, WRONG)).fits
    finally:
        deadline.start(None)
    assert await counted(app) == before - 1  # nothing is in flight any more


async def test_who_waits_for_a_neighbour_has_all_tries_at_their_own_account_afterwards(
    app: App, people: People
) -> None:
    """Refused by the limit of the place six times, each with the right password; then from next door."""
    few = replace(app, guessing=GuessLimits.of(from_place=1))
    await people.own(EMAIL)
    with pytest.raises(InvalidCredentials):
        await log_in(few, "nobody@example.org", WRONG)
    for _ in range(6):
        with pytest.raises(TooManyAttempts):
            await log_in(few)
    assert await log_in(few, address="203.0.113.8")
