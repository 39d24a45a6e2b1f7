"""Limits by place keep guessers out, and nobody who is known, in a session, right, or merely next door."""

import asyncio
from dataclasses import replace

import pytest

from auth.app import App
from auth.domain.accounts import InvalidCredentials, TooManyAttempts
from auth.domain.audit import ActorKind, Author
from auth.domain.limits import GuessLimits
from auth.domain.members import NoOrganization
from auth.domain.passwords import PasswordTooCommon
from auth.domain.sessions import SessionTokens
from auth.domain.sso import SsoRequired
from auth.usecases import credentials, members, own_sessions, sessions
from auth.usecases.guessing import Crowded, count_try

from .conftest import BROWSER, PASSWORD, PLACE, People
from .providers_of_people import connect, with_dns
from .staff import by, hire, log_in
from .test_reach_of_connections import require

OWNER, SWANN = "paulette@corp.example", "swann@corp.example"
WRONG = "a guess and another"
GUESSER = "198.51.100.9"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"


def at(address: str) -> Author:
    return Author(ActorKind.NOBODY, address=address)


async def attempt(app: App, email: str, password: str, address: str) -> str:
    """One log-in from a device that nobody has used; answers its outcome."""
    try:
        await sessions.log_in(app, email, password, by=at(address), user_agent=PHONE)
    except (InvalidCredentials, TooManyAttempts, SsoRequired, NoOrganization) as refused:
        return refused.reason
    return "in"


async def use_up(app: App, address: str, times: int = 10) -> None:
    for number in range(times):
        assert await attempt(app, f"x{number}@example.org", WRONG, address) == "INVALID_CREDENTIALS"


async def test_a_guesser_next_door_locks_no_session_out(app: App, people: People) -> None:
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    swann = await hire(people, owner, SWANN)
    assert swann.user is not None
    assert swann.session is not None
    for _ in range(5):
        assert await attempt(app, SWANN, WRONG, PLACE) == "INVALID_CREDENTIALS"
    await use_up(app, PLACE, 5)
    assert await attempt(app, SWANN, PASSWORD, PLACE) == "TOO_MANY_ATTEMPTS"
    here = replace(by(swann), session=swann.session)
    assert await own_sessions.reauthenticate(app, swann.user, swann.session, password=PASSWORD, by=here)
    new = "ten kingfishers by the weir"
    await credentials.change_password(app, swann.user, swann.session, old=PASSWORD, new=new, by=here)


async def test_neighbours_learn_nobody_and_have_no_more_tries_once_their_place_is_used_up(
    app: App, people: People
) -> None:
    """As the review found it: same network, same browser as the owner, who has logged in there."""
    few = replace(app, guessing=GuessLimits.of(from_place=2))
    await people.own(OWNER)
    await people.log_in(OWNER)
    neighbour = PLACE.rpartition(".")[0] + ".200"
    await use_up(few, neighbour, 2)
    for email in (OWNER, "nobody@corp.example"):
        with pytest.raises(TooManyAttempts):
            await sessions.log_in(few, email, WRONG, by=at(neighbour), user_agent=BROWSER)


@pytest.mark.parametrize("reason", ["SSO_REQUIRED", "NO_ORGANIZATION"])
async def test_a_right_password_that_gets_nobody_in_is_no_guess(
    app: App, people: People, reason: str
) -> None:
    app = with_dns(app)
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    swann = await hire(people, owner, SWANN)
    assert swann.user is not None
    if reason == "SSO_REQUIRED":
        await require(app, owner, await connect(app, owner, "corp.example"))
    else:
        await members.remove_member(app, owner, swann.user, by=by(owner))
    assert [await attempt(app, SWANN, PASSWORD, GUESSER) for _ in range(12)] == [reason] * 12
    await use_up(app, GUESSER)
    assert await attempt(app, "y@example.org", WRONG, GUESSER) == "TOO_MANY_ATTEMPTS"


async def test_a_new_password_that_anybody_would_guess_is_no_wrong_old_one(app: App, people: People) -> None:
    await people.own(OWNER)
    owner = await log_in(people, OWNER)
    assert owner.user is not None
    assert owner.session is not None
    for _ in range(6):
        with pytest.raises(PasswordTooCommon):
            await credentials.change_password(
                app,
                owner.user,
                owner.session,
                old=PASSWORD,
                new="passwordpassword",
                by=replace(by(owner), session=owner.session),
            )


async def test_an_office_that_logs_in_at_once_gets_in(app: App, people: People) -> None:
    few = replace(app, guessing=GuessLimits.of(from_place=2))
    emails = [f"p{number}@example.org" for number in range(6)]
    for email in emails:
        await people.own(email)
    outcomes = await asyncio.gather(*(attempt(few, email, PASSWORD, GUESSER) for email in emails))
    assert outcomes == ["in"] * 6


async def test_guessing_at_many_in_parallel_gets_no_more_tries(app: App, people: People) -> None:
    few = replace(app, guessing=GuessLimits.of(from_place=3))
    await people.own(OWNER)
    emails = [f"x{number}@example.org" for number in range(9)] + [OWNER]
    outcomes = await asyncio.gather(*(attempt(few, email, WRONG, GUESSER) for email in emails))
    assert sorted(outcomes) == ["INVALID_CREDENTIALS"] * 3 + ["TOO_MANY_ATTEMPTS"] * 7
    assert await attempt(few, OWNER, PASSWORD, GUESSER) == "TOO_MANY_ATTEMPTS"


async def test_only_what_is_being_compared_is_waited_for(app: App) -> None:
    few = replace(app, guessing=GuessLimits.of(from_place=1))
    async with app.db.begin_platform(reason="begin to compare in a test") as tx:
        assert (await count_try(few, tx, "a@example.org", by=at(GUESSER))).wait is None
    with pytest.raises(Crowded):
        async with app.db.begin_platform(reason="begin to compare in a test") as tx:
            await count_try(few, tx, "b@example.org", by=at(GUESSER))
    other = "198.51.100.10"
    assert await attempt(few, "c@example.org", WRONG, other) == "INVALID_CREDENTIALS"
    async with app.db.begin_platform(reason="begin to compare in a test") as tx:
        assert (await count_try(few, tx, "d@example.org", by=at(other))).wait is not None


async def test_next_door_is_another_place_and_a_network_has_ten_times_as_many(
    app: App, people: People
) -> None:
    few = replace(app, guessing=GuessLimits.of(from_place=2, from_network=5))
    await use_up(few, GUESSER, 2)
    assert await attempt(few, "y@example.org", WRONG, GUESSER) == "TOO_MANY_ATTEMPTS"
    for address in ("198.51.100.10", "198.51.100.10", "198.51.100.11"):
        assert await attempt(few, f"{address}@example.org", WRONG, address) == "INVALID_CREDENTIALS"
    assert await attempt(few, "z@example.org", WRONG, "198.51.100.12") == "TOO_MANY_ATTEMPTS"
    assert await attempt(few, "z@example.org", WRONG, "203.0.113.12") == "INVALID_CREDENTIALS"
    await people.own(OWNER)
    tokens = await sessions.log_in(few, OWNER, PASSWORD, by=at("203.0.113.12"), user_agent=BROWSER)
    assert isinstance(tokens, SessionTokens)
