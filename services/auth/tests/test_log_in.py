"""Logging in, and what is refused, on a real database."""

import asyncio
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from auth.app import App
from auth.domain.accounts import EmailNotVerified, InvalidCredentials, TooManyAttempts
from auth.tables import LOG_IN_ATTEMPTS, USERS, WISH_COUNTS

from .conftest import PASSWORD, People
from .test_tokens import read

EMAIL = "paulette@example.org"


async def test_logging_in_opens_a_session_in_the_own_organization(app: App, people: People) -> None:
    organization = await people.own(EMAIL)
    tokens = await people.log_in(" Paulette@example.org ")
    (public,) = json.loads(app.keyring.public_set())["keys"]
    _, claims = read(tokens.access_token, public)
    session = await people.session(tokens)
    assert claims["org"] == str(organization)
    assert claims["sid"] == str(session.id)
    assert claims["sub"] == str(session.user_id)
    assert claims["role"] == "owner"
    assert tokens.expires_in == claims["exp"] - claims["iat"] == 600
    assert session.expires_at - session.created_at == timedelta(days=30)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "another password altogether"),
        (EMAIL, PASSWORD + " "),
        (EMAIL, "\x00"),
        ("nobody@example.org", PASSWORD),
        ("\x00\x01\x02", PASSWORD),
        ("'; drop table users; --", PASSWORD),
    ],
)
async def test_wrong_credentials_are_refused_alike(people: People, email: str, password: str) -> None:
    await people.own(EMAIL)
    with pytest.raises(InvalidCredentials):
        await people.log_in(email, password=password)


async def test_an_address_that_waits_is_told_so_only_with_the_right_password(people: People) -> None:
    await people.register(EMAIL)
    with pytest.raises(InvalidCredentials):
        await people.log_in(EMAIL, password="another password altogether")
    for _ in range(7):
        with pytest.raises(EmailNotVerified):
            await people.log_in(EMAIL)


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
async def test_the_sixth_try_of_a_guesser_is_refused_and_the_owner_elsewhere_is_not(
    people: People, email: str
) -> None:
    await people.own(EMAIL)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await people.log_in(email, password="a guess and another", address="198.51.100.9")
    with pytest.raises(TooManyAttempts):
        await people.log_in(email, address="198.51.100.9")
    assert (await people.log_in(EMAIL)).access_token


async def test_guessing_in_parallel_gets_no_more_tries(people: People) -> None:
    await people.own(EMAIL)
    answers = await asyncio.gather(
        *(people.log_in(EMAIL, password="a guess and another") for _ in range(12)), return_exceptions=True
    )
    assert sum(isinstance(each, InvalidCredentials) for each in answers) == 5
    assert sum(isinstance(each, TooManyAttempts) for each in answers) == 7


async def test_a_success_clears_the_count_and_so_does_a_quarter_of_an_hour(app: App, people: People) -> None:
    await people.own(EMAIL)

    async def fail(times: int) -> None:
        for _ in range(times):
            with pytest.raises(InvalidCredentials):
                await people.log_in(EMAIL, password="a guess and another")

    await fail(4)
    await people.log_in(EMAIL)
    await fail(5)
    await people.age(LOG_IN_ATTEMPTS, timedelta(minutes=15))
    await people.age(WISH_COUNTS, timedelta(minutes=5))
    await fail(1)
    await people.log_in(EMAIL)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert (await tx.execute(sa.select(LOG_IN_ATTEMPTS))).all() == []


async def test_counts_that_are_over_are_swept(app: App, people: People) -> None:
    for number in range(4):
        with pytest.raises(InvalidCredentials):
            await people.log_in(f"nobody{number}@example.org")
    await people.age(LOG_IN_ATTEMPTS, timedelta(minutes=15))
    with pytest.raises(InvalidCredentials):
        await people.log_in("somebody@example.org")
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        assert len((await tx.execute(sa.select(LOG_IN_ATTEMPTS))).all()) == 1


async def test_a_weak_hash_is_replaced_at_the_next_log_in(app: App, people: People) -> None:
    await people.own(EMAIL)
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    async with app.db.begin_platform(reason="go round the rules in a test") as tx:
        await tx.execute(sa.update(USERS).values(password_hash=weak))
    await people.log_in(EMAIL)
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        kept = (await tx.execute(sa.select(USERS.c.password_hash))).scalar_one()
    assert "m=19456,t=2,p=1" in kept
    assert (await people.log_in(EMAIL)).access_token
