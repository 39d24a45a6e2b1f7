"""Guessing passwords is limited by account and place, by place, by account and of all; owners get in."""

from dataclasses import replace

import pytest

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.audit import ActorKind, Author
from auth.domain.challenges import Factor
from auth.domain.limits import GuessLimits, network, place
from auth.domain.sessions import SessionTokens
from auth.usecases import credentials, operator_log_in, own_sessions, sessions
from servicekit.errors import RETRY_AFTER

from .conftest import PASSWORD, PLACE, People
from .holders import Holder
from .mailbox import waiting
from .operating import WORDS, Agent

EMAIL = "paulette@example.org"
WRONG = "a guess and another"
ELSEWHERE = "203.0.113.7"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"


def at(address: str) -> Author:
    return Author(ActorKind.NOBODY, address=address)


async def guess(app: App, email: str, address: str) -> type[Exception]:
    """One wrong password; answers how it is refused."""
    with pytest.raises((InvalidCredentials, TooManyAttempts)) as refused:
        await sessions.log_in(app, email, WRONG, by=at(address), user_agent=PHONE)
    return refused.type


async def use_up_account(app: App, email: str = EMAIL) -> None:
    """Strangers in ten networks guess at it."""
    for number in range(10):
        assert await guess(app, email, f"198.18.{number}.1") is InvalidCredentials


def test_one_place_is_an_address_or_a_64_in_a_24_or_a_48() -> None:
    assert place("192.0.2.7") == place("::ffff:192.0.2.7") == "192.0.2.7/32"
    assert network("192.0.2.7") == network("192.0.2.250") == network("::ffff:192.0.2.9") == "192.0.2.0/24"
    assert network("2001:db8:1:2::1") == network("2001:db8:1:ffff::7") == "2001:db8:1::/48"
    assert place("2001:db8:1:2::1") == place("2001:db8:1:2:ffff::7") == "2001:db8:1:2::/64"
    assert place("2001:db8:1:3::1") != place("2001:db8:1:2::1")
    assert place("no address") == network("no address") == "no address"


@pytest.mark.parametrize("network", ["2001:db8:1:2::{:x}", "198.18.7.{}"])
async def test_a_whole_network_has_five_guesses_at_an_account(app: App, people: People, network: str) -> None:
    await people.own(EMAIL)
    answers = [await guess(app, EMAIL, network.format(number)) for number in range(1, 9)]
    assert answers == [InvalidCredentials] * 5 + [TooManyAttempts] * 3


async def test_one_place_has_ten_guesses_whatever_accounts_they_are_at(app: App) -> None:
    answers = [await guess(app, f"somebody{number}@example.org", ELSEWHERE) for number in range(12)]
    assert answers == [InvalidCredentials] * 10 + [TooManyAttempts] * 2
    assert await guess(app, "somebody99@example.org", "198.18.0.1") is InvalidCredentials


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.org"])
async def test_one_account_takes_ten_guesses_wherever_they_come_from(
    app: App, people: People, email: str
) -> None:
    await people.own(EMAIL)
    await use_up_account(app, email)
    with pytest.raises(TooManyAttempts) as refused:
        await sessions.log_in(app, email, PASSWORD, by=at("198.18.99.1"), user_agent=PHONE)
    assert 0 < int(refused.value.metadata[RETRY_AFTER]) <= 300


async def test_strangers_do_not_lock_the_owner_out_of_a_remembered_device(app: App, people: People) -> None:
    paulette = await (await Holder.register(app, people, EMAIL)).add_totp()
    _, device_token = await paulette.answer(
        await paulette.challenge(), Factor.TOTP, paulette.code(), remember=True
    )
    await use_up_account(app)
    with pytest.raises(TooManyAttempts):
        await sessions.log_in(
            app, EMAIL, PASSWORD, by=at(ELSEWHERE), user_agent=PHONE, device_token="invented"
        )

    async def try_it(password: str) -> object:
        return await sessions.log_in(
            app, EMAIL, password, by=at(ELSEWHERE), user_agent=PHONE, device_token=device_token
        )

    assert isinstance(await try_it(PASSWORD), SessionTokens)
    for _ in range(5):
        with pytest.raises(InvalidCredentials):
            await try_it(WRONG)
    with pytest.raises(TooManyAttempts):
        await try_it(PASSWORD)


async def test_strangers_do_not_lock_the_owner_out_of_what_a_session_asks_the_password_for(
    app: App, people: People
) -> None:
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    await use_up_account(app)
    who, where = session.user_id, at(ELSEWHERE)
    assert await own_sessions.reauthenticate(app, who, session.id, password=PASSWORD, by=where)
    new = "nine kingfishers by the weir"
    await credentials.change_password(app, who, session.id, old=PASSWORD, new=new, by=where)


async def test_all_accounts_together_take_so_many_and_sessions_go_on(app: App, people: People) -> None:
    few = replace(app, guessing=GuessLimits.of(of_all=3))
    await people.own(EMAIL)
    session = await people.session(await people.log_in(EMAIL))
    answers = [await guess(few, f"nobody{each}@example.org", f"198.18.{each}.1") for each in range(5)]
    assert answers == [InvalidCredentials] * 3 + [TooManyAttempts] * 2
    who, here = session.user_id, at(PLACE)
    assert await own_sessions.reauthenticate(few, who, session.id, password=PASSWORD, by=here)


async def test_one_place_alone_uses_up_neither_the_limit_of_an_account_elsewhere_nor_that_of_all(
    app: App, people: People
) -> None:
    few = replace(app, guessing=GuessLimits.of(of_account=6, of_all=6))
    await people.own(EMAIL)
    for _ in range(20):
        await guess(few, EMAIL, ELSEWHERE)
    assert (await People(few).log_in(EMAIL)).access_token


async def test_logging_in_to_an_own_account_clears_no_guesses_at_others(app: App, people: People) -> None:
    await people.own("mallory@example.org")
    answers = []
    for number in range(14):
        answers.append(await guess(app, f"somebody{number}@example.org", PLACE))
        if number < 9:
            await people.log_in("mallory@example.org")
    assert answers == [InvalidCredentials] * 10 + [TooManyAttempts] * 4


async def test_who_gets_in_is_not_counted(app: App, people: People) -> None:
    await people.own(EMAIL)
    for _ in range(12):
        assert (await people.log_in(EMAIL)).access_token


async def test_operators_are_guessed_at_no_more_and_go_on_in_their_sessions(app: App) -> None:
    sylvie = await Agent.add(app)
    session = await sylvie.session(await sylvie.log_in())
    for number in range(10):
        with pytest.raises(InvalidCredentials):
            await operator_log_in.log_in_operator(app, sylvie.email, WRONG, by=at(f"198.18.{number}.1"))
    for address in ("198.18.99.1", PLACE):
        with pytest.raises(TooManyAttempts):
            await operator_log_in.log_in_operator(app, sylvie.email, WORDS, by=at(address))
    assert await operator_log_in.reauthenticate_operator(
        app, sylvie.id, session.id, password=WORDS, code=sylvie.code(), by=sylvie.by
    )


async def test_wishes_for_a_link_are_counted_by_network(app: App) -> None:
    for number in range(1, 6):
        await credentials.forget_password(
            app, f"somebody{number}@example.org", by=at(f"2001:db8:1:2::{number}")
        )
    assert len(await waiting(app)) == 3
