"""Guessing links: whoever tries too many wrong ones has to wait, whatever they open, and nobody else."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from comptoir.api.v1 import policy_pb2
from gateway.edge import Edge
from gateway.errors import TooManyWrongLinks
from gateway.routes import Route, routes
from gateway.settings import LimitSettings, Settings
from gateway.wrong_links import WrongLinks
from servicekit.errors import RETRY_AFTER, AppError, Kind

Problem = Callable[[httpx.Response, int, str], dict[str, Any]]
_LIMITS = LimitSettings(wrong_links=10, wrong_link_seconds=100)
_OF_LINKS = [route for route in routes() if route.policy.audience == policy_pb2.AUDIENCE_GUEST]
_SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"


class ManageTokenNotFound(AppError):
    """What booking says of a link that is none."""

    kind = Kind.NOT_FOUND
    reason = "MANAGE_TOKEN_NOT_FOUND"


class BookingNotCancellable(AppError):
    """What it says of a right link and a wish that cannot be."""

    kind = Kind.REFUSED
    reason = "BOOKING_NOT_CANCELLABLE"


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def at(edge: Edge, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody anonymous at an address."""
    transport = httpx.ASGITransport(app=edge, raise_app_exceptions=True, client=(address, 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def called(route: Route) -> str:
    """A path of a route."""
    return route.template.replace("{token}", "guess")


async def test_wrong_links_end_in_429_for_that_address_and_the_right_link_of_another_opens(
    edge: Edge, settings: Settings, backend: Any, problem: Problem
) -> None:
    backend.refusal = ManageTokenNotFound()
    async with at(edge, "203.0.113.1") as guesser:
        for number in range(settings.limits.wrong_links):
            problem(await guesser.get(f"/v1/manage/guess-{number}"), 404, "MANAGE_TOKEN_NOT_FOUND")
        refused = await guesser.get("/v1/manage/guess-on")
        problem(refused, 429, "TOO_MANY_WRONG_LINKS")
        wait = settings.limits.wrong_link_seconds / settings.limits.wrong_links
        assert 0 < int(refused.headers["retry-after"]) <= wait
        assert backend.calls == settings.limits.wrong_links, "what is refused reaches no service"
        backend.refusal = None
        problem(await guesser.get("/v1/manage/right"), 429, "TOO_MANY_WRONG_LINKS")
        assert (await guesser.get(_SEARCH)).status_code == 200, "it needs no link"
    async with at(edge, "203.0.113.2") as guest:
        assert (await guest.get("/v1/manage/right")).status_code == 200


@pytest.mark.parametrize("route", _OF_LINKS, ids=lambda route: f"{route.method} {route.template}")
async def test_every_route_of_a_link_is_closed_to_whoever_guessed(
    edge: Edge, settings: Settings, backend: Any, problem: Problem, route: Route
) -> None:
    backend.refusal = ManageTokenNotFound()
    async with at(edge, "203.0.113.3") as guesser:
        for _ in range(settings.limits.wrong_links):
            await guesser.get("/v1/manage/guess")
        problem(await guesser.request(route.method, called(route)), 429, "TOO_MANY_WRONG_LINKS")


async def test_right_links_are_never_too_many_nor_are_refusals_of_what_they_ask(
    edge: Edge, settings: Settings, backend: Any
) -> None:
    async with at(edge, "203.0.113.4") as guest:
        for refusal in (None, BookingNotCancellable()):
            backend.refusal = refusal
            answers = {
                (await guest.get("/v1/manage/right")).status_code
                for _ in range(2 * settings.limits.wrong_links)
            }
            assert answers == {200 if refusal is None else 409}


def test_every_route_with_a_token_in_its_path_is_one_of_links() -> None:
    with_token = {route.template for route in routes() if "{token}" in route.template}
    assert with_token == {route.template for route in _OF_LINKS}
    assert len(_OF_LINKS) >= 13
    credential = policy_pb2.RATE_CLASS_CREDENTIAL
    assert all(route.policy.rate_class == credential for route in _OF_LINKS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def tries(links: WrongLinks, address: str, most: int = 1000) -> int:
    """How many wrong links an address can try now."""
    for number in range(most):
        try:
            links.refuse_guessing(address)
        except TooManyWrongLinks:
            return number
        links.count(address)
    return most


def test_one_more_is_let_through_in_each_part_of_the_time_and_all_after_the_whole(clock: Clock) -> None:
    links = WrongLinks(_LIMITS, clock=clock)
    assert tries(links, "203.0.113.1") == 10
    with pytest.raises(TooManyWrongLinks) as caught:
        links.refuse_guessing("203.0.113.1")
    assert caught.value.metadata == {RETRY_AFTER: "10"}
    clock.now += 9.5
    assert tries(links, "203.0.113.1") == 0
    clock.now += 0.5
    assert tries(links, "203.0.113.1") == 1
    clock.now += 100
    assert tries(links, "203.0.113.1") == 10


def test_requests_that_were_under_way_together_do_not_lock_for_longer(clock: Clock) -> None:
    links = WrongLinks(_LIMITS, clock=clock)
    for _ in range(500):
        links.count("203.0.113.1")
    clock.now += 10
    assert tries(links, "203.0.113.1") == 1


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("::ffff:203.0.113.1", "203.0.113.1", "203.0.113.2"),
        ("fe80::1%eth0", "fe80::2", "fe80:0:0:1::2"),
        ("unix", "unix", ""),
    ],
)
def test_who_counts_as_one(clock: Clock, address: str, same: str, other: str) -> None:
    links = WrongLinks(_LIMITS, clock=clock)
    assert tries(links, address) == 10
    assert tries(links, same) == 0
    assert tries(links, other) == 10


def test_addresses_are_forgotten_rather_than_kept_without_end(clock: Clock) -> None:
    links = WrongLinks(_LIMITS, clock=clock)
    assert tries(links, "203.0.113.1") == 10
    for number in range(10_000):
        links.count(f"198.51.{number // 250}.{number % 250}")
    assert tries(links, "203.0.113.1") == 10
