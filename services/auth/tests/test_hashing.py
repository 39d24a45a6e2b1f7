"""The hashing pool: parameters, refusal of floods, equal work for the unknown, and re-hashing."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from pydantic import ValidationError

from auth.hashing import Passwords
from auth.settings import HashingSettings
from servicekit.errors import Unavailable
from testkit import eventually


@pytest.fixture
def narrow() -> Iterator[Passwords]:
    pool = Passwords(HashingSettings(workers=1, waiting=2))
    yield pool
    pool.close()


async def test_hashes_are_argon2id_with_the_parameters_of_the_settings(passwords: Passwords) -> None:
    parameters = extract_parameters(await passwords.hash("seven herons over the canal"))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19_456, 2, 1)


async def test_only_the_right_password_fits(passwords: Passwords) -> None:
    kept = await passwords.hash("seven herons over the canal")
    assert (await passwords.verify(kept, "seven herons over the canal")).fits
    assert not (await passwords.verify(kept, "Seven herons over the canal")).fits
    assert not (await passwords.verify(None, "seven herons over the canal")).fits
    assert not (await passwords.verify("not a hash", "seven herons over the canal")).fits


async def test_a_password_counts_to_its_last_character(passwords: Passwords) -> None:
    long = "x" * 255
    kept = await passwords.hash(long + "a")
    assert (await passwords.verify(kept, long + "a")).fits
    assert not (await passwords.verify(kept, long + "b")).fits
    assert not (await passwords.verify(kept, long)).fits


async def test_a_hash_of_weaker_parameters_is_made_anew(passwords: Passwords) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash("seven herons over the canal")
    verdict = await passwords.verify(weak, "seven herons over the canal")
    assert verdict.stronger_hash is not None
    assert extract_parameters(verdict.stronger_hash).memory_cost == 19_456
    again = await passwords.verify(verdict.stronger_hash, "seven herons over the canal")
    assert again.stronger_hash is None


async def test_a_flood_is_refused_and_the_pool_serves_again_afterwards(narrow: Passwords) -> None:
    answers = await asyncio.gather(*(narrow.hash("x" * 20) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, str) for each in answers) == 3
    assert sum(isinstance(each, Unavailable) for each in answers) == 7
    assert await narrow.hash("x" * 20)


async def test_callers_who_leave_give_their_places_back(narrow: Passwords) -> None:
    left = [asyncio.ensure_future(narrow.hash("x" * 20)) for _ in range(3)]
    await asyncio.sleep(0)
    for each in left:
        each.cancel()
    await asyncio.gather(*left, return_exceptions=True)

    assert await eventually(lambda: narrow._admitted._value == 3)
    assert await narrow.hash("x" * 20)


async def test_the_event_loop_goes_on_while_passwords_are_hashed(passwords: Passwords) -> None:
    hashing = asyncio.gather(*(passwords.hash("x" * 20) for _ in range(6)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    await hashing
    assert turns > 20


async def test_an_unknown_account_costs_as_much_as_a_known_one(passwords: Passwords) -> None:
    kept = await passwords.hash("seven herons over the canal")

    async def median(against: str | None) -> float:
        taken = []
        for _ in range(7):
            started = time.perf_counter()
            await passwords.verify(against, "a wrong password")
            taken.append(time.perf_counter() - started)
        return statistics.median(taken)

    ratio = await median(None) / await median(kept)
    assert 0.3 < ratio < 3


@pytest.mark.parametrize("weak", [{"memory_kib": 19_455}, {"passes": 1}, {"lanes": 0}, {"workers": 0}])
def test_settings_refuse_what_is_weaker_than_owasp_asks(weak: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        HashingSettings(**weak)
