"""Circuit breakers: against an oracle that remembers every call, and before services that are away."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.app import open_gateway
from gateway.breakers import Breaker, Outcome
from gateway.errors import ServiceUnavailable
from gateway.settings import BreakerSettings, Settings
from servicekit.errors import RETRY_AFTER, AppError, Kind, Unavailable
from testkit.waiting import eventually

from .conftest import Backend

RULES = BreakerSettings(window_seconds=10, least_calls=4, failing_share=0.5, open_seconds=3)
Problem = Callable[[httpx.Response, int, str], dict[str, Any]]


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class AgainstAnOracle(RuleBasedStateMachine):
    """The oracle keeps every call that counts, and looks at all of them each time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker("oracle", RULES, clock=self.clock)
        self.under_way: list[tuple[int, int]] = []
        self.counted: list[tuple[int, bool]] = []
        self.changes = 0
        self.opened_at: float | None = None
        self.probing = False

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.5, 3.0, 9.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def call(self) -> None:
        away = self.opened_at is not None and self.clock.now < self.opened_at + RULES.open_seconds
        if away or self.probing:
            with pytest.raises(ServiceUnavailable) as refused:
                self.breaker.enter()
            assert self.opened_at is not None
            left = self.opened_at + RULES.open_seconds - self.clock.now
            assert refused.value.metadata[RETRY_AFTER] == str(max(1, math.ceil(left)))
            return
        self.probing = self.opened_at is not None
        self.under_way.append((self.breaker.enter(), self.changes))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        position = data.draw(st.integers(0, len(self.under_way) - 1))
        era, begun = self.under_way.pop(position)
        self.breaker.leave(era, outcome)
        if begun != self.changes:
            return
        if self.opened_at is not None:
            self.probing = False
            if outcome is Outcome.ANSWERED:
                self.opened_at, self.counted, self.changes = None, [], self.changes + 1
            elif outcome is Outcome.FAILED:
                self.opened_at, self.changes = self.clock.now, self.changes + 1
        elif outcome is not Outcome.ABANDONED:
            self._count(failed=outcome is Outcome.FAILED)

    def _count(self, *, failed: bool) -> None:
        second = int(self.clock.now)
        self.counted.append((second, failed))
        recent = [bad for at, bad in self.counted if at > second - 10]
        enough = len(recent) >= RULES.least_calls and sum(recent) >= RULES.failing_share * len(recent)
        if failed and enough:
            self.opened_at, self.changes = self.clock.now, self.changes + 1

    @invariant()
    def never_more_than_one_tries(self) -> None:
        if self.opened_at is not None:
            assert sum(begun == self.changes for _, begun in self.under_way) == self.probing


AgainstAnOracle.TestCase.settings = hypothesis_settings(
    max_examples=200, stateful_step_count=60, suppress_health_check=[HealthCheck.too_slow]
)
test_against_an_oracle = AgainstAnOracle.TestCase


def test_it_opens_tries_and_closes() -> None:
    clock = Clock()
    breaker = Breaker("story", RULES, clock=clock)
    for _ in range(4):
        breaker.leave(breaker.enter(), Outcome.FAILED)
    with pytest.raises(ServiceUnavailable):
        breaker.enter()
    clock.now += 3
    probe = breaker.enter()
    with pytest.raises(ServiceUnavailable):
        breaker.enter()
    breaker.leave(probe, Outcome.FAILED)
    clock.now += 3
    probe = breaker.enter()
    breaker.leave(probe, Outcome.ABANDONED)
    breaker.leave(breaker.enter(), Outcome.ANSWERED)
    for _ in range(3):
        breaker.leave(breaker.enter(), Outcome.FAILED)
    breaker.enter()


class Refusal(AppError):
    """What a service says of a part behind it."""

    kind = Kind.UNAVAILABLE
    reason = "PROVIDER_AWAY_FOR_A_TEST"
    detail = "Another part is away."


@pytest.mark.parametrize("refusal", [Refusal(), Unavailable()])
async def test_what_a_service_refuses_opens_nothing(
    settings: Settings, backend: Backend, bearer: dict[str, str], refusal: AppError
) -> None:
    quick = BreakerSettings(least_calls=2, open_seconds=60)
    async with (
        open_gateway(settings.model_copy(update={"breakers": quick}), lambda: True) as edge,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=edge), base_url="http://gateway") as client,
    ):
        backend.refusal = refusal
        for _ in range(4):
            answer = await client.get("/v1/bookings/bkg_1", headers=bearer)
            assert (answer.status_code, answer.json()["reason"]) == (503, refusal.reason)
        backend.refusal = None
        assert (await client.get("/v1/bookings/bkg_1", headers=bearer)).status_code == 200


async def test_a_service_that_is_away_is_not_waited_for(
    settings: Settings, backend: Backend, bearer: dict[str, str], problem: Problem
) -> None:
    quick = BreakerSettings(least_calls=2, open_seconds=60)
    async with (
        open_gateway(settings.model_copy(update={"breakers": quick}), lambda: True) as edge,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=edge), base_url="http://gateway") as client,
    ):
        away = "/v1/manage/secret/tickets"
        for _ in range(2):
            problem(await client.get(away), 503, "UNAVAILABLE")
        refused = await client.get(away)
        problem(refused, 503, "SERVICE_UNAVAILABLE")
        assert 58 <= int(refused.headers["retry-after"]) <= 60
        # Others are asked as ever.
        assert (await client.get("/v1/bookings/bkg_1", headers=bearer)).status_code == 200
    assert backend.calls == 1


async def test_a_service_that_answers_too_late_is_cut_off_and_then_left_alone(
    settings: Settings, backend: Backend, problem: Problem
) -> None:
    limits = settings.limits.model_copy(update={"timeout_seconds": 0.5})
    quick = BreakerSettings(least_calls=2, open_seconds=60)
    changes = {"limits": limits, "breakers": quick}
    backend.gate = asyncio.Event()
    search = "/v1/venues/v/availability?date=2027-10-31&party_size={}"
    async with (
        open_gateway(settings.model_copy(update=changes), lambda: True) as edge,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=edge), base_url="http://gateway") as client,
    ):
        for size in (1, 2):
            problem(await client.get(search.format(size)), 504, "DEADLINE_EXCEEDED")
        problem(await client.get(search.format(3)), 503, "SERVICE_UNAVAILABLE")
        assert await eventually(lambda: backend.cancelled == 2)
    assert backend.calls == 2


async def test_a_service_hears_how_long_it_has(
    client: httpx.AsyncClient, settings: Settings, backend: Backend, bearer: dict[str, str]
) -> None:
    await client.get("/v1/bookings/bkg_1", headers=bearer)
    assert backend.seconds is not None
    assert 0 < backend.seconds <= settings.limits.timeout_seconds * 1.05  # gRPC sends two digits of it
