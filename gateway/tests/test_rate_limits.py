"""Quotas through the whole gateway: who is counted by what, what a refusal says, what is never counted."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from pydantic_settings import BaseSettings, SettingsConfigDict

from comptoir.api.v1 import policy_pb2
from comptoir.auth.v1 import account_pb2
from comptoir.booking.v1 import availability_pb2, booking_pb2
from gateway.limits import Limiter, RateSettings
from gateway.limits.buckets import Buckets
from gateway.routes import routes
from servicekit import ids
from servicekit.api_keys import ApiKeyText
from servicekit.errors import AppError, Kind
from servicekit.settings import RedisSettings
from testkit import eventually

from .rated import Limited, issue, refused, standings

SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
BOOKING = "/v1/bookings/bkg_1"
LOG_IN = "/v1/auth/login"
FORGOT = "/v1/auth/password/forgot"


async def test_the_quotas_of_production(limited: Limited, backend: Any) -> None:
    async with limited() as at, at("203.0.113.1") as guest:
        served = 0
        while (answer := await guest.get(SEARCH)).status_code == 200:
            served += 1
            told = standings(answer)["anonymous"]
            assert (told["q"], told["w"]) == (100, 900)
        refused(answer, "anonymous")
        assert 100 <= served < 110, "one comes back every nine seconds"
        assert backend.calls == served, "what is refused reaches no service"
        async with at("203.0.113.2") as neighbour:
            assert (await neighbour.get(SEARCH)).status_code == 200
            for _ in range(5):
                assert (await log_in(neighbour, "zoe@example.com")).status_code == 200
            refused(await log_in(neighbour, "zoe@example.com"), "login")
            for _ in range(3):
                assert (await forgot(neighbour, "zoe@example.com")).status_code == 202
            refused(await forgot(neighbour, "zoe@example.com"), "reset")


async def log_in(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post(LOG_IN, json={"email": email, "password": "wrong"})


async def forgot(client: httpx.AsyncClient, email: str) -> httpx.Response:
    return await client.post(FORGOT, json={"email": email})


async def test_log_ins_are_counted_by_account_and_address_however_it_is_spelled(
    limited: Limited, backend: Any
) -> None:
    async with limited(login="2/900") as at, at("203.0.113.1") as here, at("203.0.113.2") as there:
        assert (await log_in(here, "zoe@example.com")).status_code == 200
        assert (await log_in(here, " ZOE@Example.COM ")).status_code == 200
        refused(await log_in(here, "zoe@example.com"), "login")
        refused(await log_in(here, "ｚoe@example.com"), "login")  # noqa: RUF001
        assert backend.calls == 2
        assert (await log_in(here, "max@example.com")).status_code == 200
        assert (await log_in(there, "zoe@example.com")).status_code == 200


async def test_a_wrong_password_costs_as_much_as_a_right_one(limited: Limited, backend: Any) -> None:
    class WrongPassword(AppError):
        """What auth says."""

        kind = Kind.UNAUTHENTICATED
        reason = "WRONG_PASSWORD"

    async with limited(login="2/900") as at, at("203.0.113.1") as guest:
        backend.refusal = WrongPassword()
        answer = await log_in(guest, "zoe@example.com")
        assert answer.status_code == 401
        assert standings(answer)["login"]["r"] == 1
        await log_in(guest, "zoe@example.com")
        refused(await log_in(guest, "zoe@example.com"), "login")


async def test_a_network_of_ipv6_is_one_place(limited: Limited) -> None:
    async with limited(anonymous="2/900") as at:
        for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"):
            async with at(address) as guest:
                assert (await guest.get(SEARCH)).status_code == 200
        async with at("2001:db8:1:2:1:1:1:1") as guest:
            refused(await guest.get(SEARCH), "anonymous")
        async with at("2001:db8:1:3::1") as guest:
            assert (await guest.get(SEARCH)).status_code == 200


async def test_members_are_counted_as_persons_and_as_an_organization(limited: Limited, access: Any) -> None:
    rates = {"member": "2/900", "organization": "3/900", "anonymous": "1/900"}
    async with limited(**rates) as at, at("203.0.113.1") as client:
        first, second = access.bearer(), access.bearer(sub=str(ids.new()))
        stranger = access.bearer(sub=str(ids.new()), org=str(ids.new()))
        for left in (1, 0):
            answer = await client.get(BOOKING, headers=first)
            assert answer.status_code == 200
            assert standings(answer)["member"]["r"] == left
            assert standings(answer)["organization"]["r"] == left + 1
        refused(await client.get(BOOKING, headers=first), "member")
        assert (await client.get(BOOKING, headers=second)).status_code == 200
        refused(await client.get(BOOKING, headers=second), "organization")
        assert (await client.get(BOOKING, headers=stranger)).status_code == 200


async def test_a_key_is_counted_by_itself(limited: Limited, backend: Any) -> None:
    async with limited(key="2/900", member="1/900") as at, at("203.0.113.1") as client:
        one, another = issue(backend), issue(backend)
        for _ in range(2):
            assert (await client.get(BOOKING, headers=one)).status_code == 200
        refused(await client.get(BOOKING, headers=one), "key")
        assert (await client.get(BOOKING, headers=another)).status_code == 200


@pytest.mark.parametrize("shown", ["not.a.token", "ckt_short", "key"])
async def test_credentials_that_are_wrong_end_in_429_and_those_known_to_be_right_go_on(
    limited: Limited, access: Any, backend: Any, shown: str
) -> None:
    wrong = ApiKeyText.make(sandbox=False).show() if shown == "key" else shown
    async with limited(unvalidated="3/900") as at, at("203.0.113.1") as client:
        good, good_key = access.bearer(), issue(backend)
        for right in (good, good_key, good, good_key):
            assert (await client.get(BOOKING, headers=right)).status_code == 200
        guess = {"Authorization": f"Bearer {wrong}"}
        assert (await client.get(BOOKING, headers=guess)).status_code == 401
        refused(await client.get(BOOKING, headers=guess), "unvalidated")
        for right in (good, good_key):
            assert (await client.get(BOOKING, headers=right)).status_code == 200, "drains nothing"
        fresh = access.bearer(sub=str(ids.new()))
        refused(await client.get(BOOKING, headers=fresh), "unvalidated")
        async with at("203.0.113.2") as elsewhere:
            assert (await elsewhere.get(BOOKING, headers=fresh)).status_code == 200


async def test_every_answer_says_how_one_stands_whatever_its_status(
    limited: Limited, access: Any, backend: Any
) -> None:
    async with limited(anonymous="50/900") as at, at("203.0.113.1") as client:
        viewer = access.bearer(role="viewer")
        seen = [
            (await client.get(SEARCH), 200),
            (await client.head(SEARCH), 200),
            (await client.get(SEARCH + "&unknown=1"), 400),
            (await client.get(BOOKING), 401),
            (await client.post(f"{BOOKING}/cancel", json={}, headers=viewer), 403),
            (await client.get("/docs"), 200),
        ]
        backend.refusal = AppError()
        seen.append((await client.get(SEARCH), 500))
        for answer, status in seen:
            assert answer.status_code == status
            assert standings(answer)


async def test_a_refusal_comes_before_the_body_is_read(limited: Limited) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError
        yield b""

    async with limited(anonymous="1/900") as at, at("203.0.113.1") as guest:
        await guest.get(SEARCH)
        headers = {"content-type": "application/json"}
        refused(await guest.post("/v1/bookings", content=never(), headers=headers), "anonymous")
        refused(await guest.post(LOG_IN, content=never(), headers=headers), "anonymous")


async def test_whoever_waits_as_told_is_let_in_again(limited: Limited) -> None:
    async with limited(anonymous="3/6") as at, at("203.0.113.1") as guest:
        while (answer := await guest.get(SEARCH)).status_code == 200:
            pass
        refused(answer, "anonymous")

        async def again() -> bool:
            return (await guest.get(SEARCH)).status_code == 200

        assert await eventually(again)


async def test_pages_are_counted_but_neither_probes_nor_what_stripe_signs(limited: Limited) -> None:
    async with limited(anonymous="1/900") as at, at("203.0.113.1") as client:
        for _ in range(3):
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 200
            signed = {"stripe-signature": "t=1,v1=ab"}
            assert (await client.post("/hooks/stripe", content=b"{}", headers=signed)).status_code == 200
        assert (await client.get("/docs")).status_code == 200
        refused(await client.get("/openapi.json"), "anonymous")


async def test_what_is_refused_is_counted_by_policy(limited: Limited) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("comptoir_rate_limited_total", {"policy": "anonymous"}) or 0

    before = counted()
    async with limited(anonymous="1/900") as at, at("203.0.113.1") as guest:
        for _ in range(3):
            await guest.get(SEARCH)
    assert counted() == before + 2


async def test_gateways_count_together(limited: Limited, redis_url: str) -> None:
    rates = {"anonymous": "3/900", "redis": redis_url}
    async with (
        limited(**rates) as one,
        limited(**rates) as two,
        one("203.0.113.77") as here,
        two("203.0.113.77") as there,
    ):
        for each in (here, there, here):
            assert (await each.get(SEARCH)).status_code == 200
        for each in (here, there):
            refused(await each.get(SEARCH), "anonymous")


async def test_while_redis_is_away_requests_go_on_and_log_ins_are_counted_all_the_same(
    limited: Limited, unused_target: str
) -> None:
    async with limited(redis=f"redis://{unused_target}/0", login="2/900") as at, at("203.0.113.1") as guest:
        assert (await guest.get(SEARCH)).status_code == 200
        for _ in range(2):
            assert (await log_in(guest, "zoe@example.com")).status_code == 200
        refused(await log_in(guest, "zoe@example.com"), "login")


def test_log_in_and_reset_of_the_contract_name_their_accounts() -> None:
    named = {route.rpc.method.name: route.policy for route in routes() if route.policy.rate_subject}
    credential, reset = policy_pb2.RATE_CLASS_CREDENTIAL, policy_pb2.RATE_CLASS_RESET
    assert {name: (policy.rate_class, policy.rate_subject) for name, policy in named.items()} == {
        "LogIn": (credential, "email"),
        "LogInOperator": (credential, "email"),
        "ForgotPassword": (reset, "email"),
        "ResendVerification": (reset, "email"),
    }


@pytest.mark.parametrize(
    "policy",
    [
        policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_CREDENTIAL, rate_subject="no_such_field"),
        policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_CREDENTIAL, rate_subject="email.deeper"),
        policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_WRITE, rate_subject="email"),
        policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_RESET),
    ],
)
def test_a_policy_that_names_no_account_is_refused_at_start(policy: policy_pb2.Policy) -> None:
    limiter = Limiter(RateSettings(), Buckets(RedisSettings()))
    with pytest.raises(ValueError, match="rate_subject"):
        limiter.subject(policy, account_pb2.LogInRequest.DESCRIPTOR)


def test_an_account_is_not_named_within_a_list() -> None:
    limiter = Limiter(RateSettings(), Buckets(RedisSettings()))
    policy = policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_CREDENTIAL, rate_subject="items.area_id")
    with pytest.raises(ValueError, match="rate_subject"):
        limiter.subject(policy, availability_pb2.BatchLookupAvailabilityRequest.DESCRIPTOR)


def test_an_account_may_be_named_by_a_field_within_a_field() -> None:
    limiter = Limiter(RateSettings(), Buckets(RedisSettings()))
    policy = policy_pb2.Policy(rate_class=policy_pb2.RATE_CLASS_CREDENTIAL, rate_subject="guest.email")
    assert limiter.subject(policy, booking_pb2.CreateBookingRequest.DESCRIPTOR) is not None


def test_quotas_are_read_from_the_environment(tmp_path: Path) -> None:
    class Own(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__")

        rates: RateSettings = RateSettings()

    file = tmp_path / "environment"
    file.write_text("GATEWAY_RATES__LOGIN=7/70\n")
    rates = Own(_env_file=file).rates  # type: ignore[call-arg]
    assert (rates.login, rates.reset) == ("7/70", "3/3600")


@pytest.mark.parametrize("text", ["", "100", "0/60", "60/0", "-1/60", "1.5/60", "100/900/1", "2000000/1"])
def test_a_setting_that_is_no_quota_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"requests/seconds|a quota is"):
        RateSettings.model_validate({"anonymous": text})
