"""SCIM at the edge: directories count by their tokens, guesses by their addresses, in SCIM's own form."""

import asyncio
from typing import Any

import httpx

from gateway.scim import AcceptedTokens
from servicekit.errors import Unauthenticated, Unavailable

from .rated import Limited, standings
from .stand_ins import SCIM_TOKEN

USERS = "/scim/v2/Users"
GOOD = {"Authorization": f"Bearer {SCIM_TOKEN}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused(answer: httpx.Response, policy: str) -> None:
    """A 429 as a directory reads it, that says by which policy."""
    assert (answer.status_code, answer.json()["status"]) == (429, "429")
    assert answer.headers["content-type"] == "application/scim+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert standings(answer)[policy]["r"] == 0


async def test_a_directory_is_counted_by_its_token_once_auth_has_taken_it(limited: Limited) -> None:
    rates = {"key": "3/900", "unvalidated": "1/900", "anonymous": "1/900"}
    async with limited(**rates) as at, at("203.0.113.1") as client:
        first = await client.get(USERS, headers=GOOD)
        assert (first.status_code, set(standings(first))) == (200, {"unvalidated", "key"})
        for left in (1, 0):
            answer = await client.get(USERS, headers=GOOD)
            assert (answer.status_code, set(standings(answer))) == (200, {"key"})
            assert standings(answer)["key"]["r"] == left
        refused(await client.get(USERS, headers=GOOD), "key")


async def test_guesses_in_parallel_are_counted_by_their_address_before_auth_hears_of_them(
    limited: Limited, backend: Any
) -> None:
    async with limited(unvalidated="5/900") as at, at("203.0.113.1") as client:
        assert (await client.get(USERS, headers=GOOD)).status_code == 200
        guesses = [client.get(USERS, headers=bearer(f"guess-{each}")) for each in range(30)]
        answers = await asyncio.gather(*guesses)
        passed = [each for each in answers if each.status_code == 401]
        assert len(passed) == 4
        assert all(standings(each)["unvalidated"] for each in passed)
        assert backend.calls == 5, "what is refused reaches no service"
        for each in answers:
            if each not in passed:
                refused(each, "unvalidated")
        assert (await client.get(USERS, headers=GOOD)).status_code == 200, "drains nothing of what is known"


async def test_who_guessed_too_often_is_counted_on(limited: Limited) -> None:
    async with limited(unvalidated="100/900") as at, at("203.0.113.1") as client:
        answers = [await client.get(USERS, headers=bearer(f"guess-{each}")) for each in range(30)]
        assert {each.status_code for each in answers} == {401, 429}
        assert [standings(each)["unvalidated"]["r"] for each in answers] == list(range(99, 69, -1))


async def test_without_a_token_a_request_is_anonymous(limited: Limited) -> None:
    async with limited(anonymous="1/900") as at, at("203.0.113.1") as client:
        answer = await client.get(USERS)
        assert (answer.status_code, set(standings(answer))) == (401, {"anonymous"})
        refused(await client.get(USERS), "anonymous")


async def test_a_token_that_auth_takes_no_more_is_a_guess_again(limited: Limited, backend: Any) -> None:
    async with limited(unvalidated="2/900") as at, at("203.0.113.1") as client:
        assert (await client.get(USERS, headers=GOOD)).status_code == 200
        backend.refusal = Unauthenticated()
        assert [(await client.get(USERS, headers=GOOD)).status_code for _ in range(3)] == [401, 401, 429]


async def test_while_auth_is_away_a_directory_hears_when_to_come_again(
    client: httpx.AsyncClient, backend: Any
) -> None:
    backend.refusal = Unavailable()
    answer = await client.get(USERS, headers=GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def test_a_token_is_taken_for_a_quarter_of_an_hour_and_longer_only_by_being_used() -> None:
    now = [1000.0]
    accepted = AcceptedTokens(clock=lambda: now[0])
    assert "one" not in accepted
    accepted.add("one")
    now[0] += 899
    assert "one" in accepted
    accepted.add("one")
    now[0] += 899
    assert "one" in accepted
    now[0] += 1
    assert "one" not in accepted


def test_tokens_are_forgotten_rather_than_kept_without_end() -> None:
    accepted = AcceptedTokens()
    for number in range(10_001):
        accepted.add(f"token-{number}")
    assert "token-0" not in accepted
    assert "token-1" in accepted
