"""Whatever is refused before a service hears of it is counted, says so, and ends in 429."""

from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.live.upgrading import STREAM_PATH
from servicekit import ids
from servicekit.api_keys import ApiKeyText
from servicekit.api_versions import NEWEST, VERSIONS
from testkit import eventually

from .browsing import IN_COOKIES, Jar, allow
from .rated import Limited, issue, refused, standings

SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
BOOKING = "/v1/bookings/bkg_1"
CANCEL = f"{BOOKING}/cancel"
CSRF = "/v1/auth/csrf"
FOREIGN = {"origin": "https://evil.example"}
ELSEWHERE = ["198.51.100.0/24"]


@dataclass(frozen=True)
class Refused:
    """A request that no service ever hears of, why, and what it counts against."""

    status: int
    reason: str
    policy: str
    path: str = BOOKING
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"

    async def ask(self, client: httpx.AsyncClient, headers: dict[str, str]) -> httpx.Response:
        return await client.request(self.method, self.path, headers=self.headers | headers)


def credentials(text: str) -> Refused:
    return Refused(401, "UNAUTHENTICATED", "unvalidated", headers={"Authorization": text})


UNKNOWN_VERSION = {"Comptoir-Version": "1999-01-01"}
CASES = {
    "another scheme": credentials("Basic dXNlcjpwYXNz"),
    "a scheme of nobody": credentials("Token x"),
    "a scheme alone": credentials("Bearer"),
    "an empty header": credentials(""),
    "a token too long": credentials("Bearer " + "x" * 5000),
    "a token that is none": credentials("Bearer not.a.token"),
    "a key that is none": credentials("Bearer ckt_short"),
    "a key that nobody has": credentials(f"Bearer {ApiKeyText.make(sandbox=False).show()}"),
    "a key that expired": Refused(401, "UNAUTHENTICATED", "unvalidated"),
    "a key from elsewhere": Refused(403, "ADDRESS_NOT_ALLOWED", "unvalidated"),
    "no credentials": Refused(401, "UNAUTHENTICATED", "anonymous"),
    "a version that there is not": Refused(
        400, "UNKNOWN_VERSION", "anonymous", path=SEARCH, headers=UNKNOWN_VERSION
    ),
    "a member's version that there is not": Refused(
        400, "UNKNOWN_VERSION", "member", headers=UNKNOWN_VERSION
    ),
    "no session to tell of": Refused(401, "UNAUTHENTICATED", "anonymous", path=CSRF),
    "a page of another origin": Refused(
        403, "ORIGIN_NOT_ALLOWED", "anonymous", path=CANCEL, headers=IN_COOKIES | FOREIGN, method="POST"
    ),
    "a forged change": Refused(403, "CSRF_TOKEN_REQUIRED", "anonymous", path=CANCEL, method="POST"),
    "a stream for nobody": Refused(
        401, "UNAUTHENTICATED", "anonymous", path=f"{STREAM_PATH}?topics=venue:ven_1"
    ),
    "a stream of nothing": Refused(400, "INVALID_REQUEST", "anonymous", path=STREAM_PATH),
    "a stream with a token in its address": Refused(
        400, "INVALID_REQUEST", "anonymous", path=f"{STREAM_PATH}?access_token=x"
    ),
    "a stream for a page of another origin": Refused(
        401, "UNAUTHENTICATED", "anonymous", path=f"{STREAM_PATH}?topics=venue:ven_1", headers=FOREIGN
    ),
    "a ticket that is none": Refused(
        401, "TICKET_NOT_VALID", "unvalidated", path=f"{STREAM_PATH}?ticket=&topics=venue:ven_1"
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_refusal_before_any_service_is_counted_and_says_so(
    limited: Limited, backend: Any, access: Any, case: str
) -> None:
    refusal = CASES[case]
    async with (
        limited(**{refusal.policy: "3/900"}) as at,
        at("203.0.113.1") as client,
        at("203.0.113.9") as friend,
    ):
        headers = await prepared(case, friend, backend, access)
        for left in (2, 1, 0):
            answer = await refusal.ask(client, headers)
            assert (answer.status_code, answer.json()["reason"]) == (refusal.status, refusal.reason)
            assert standings(answer)[refusal.policy]["r"] == left
        refused(await refusal.ask(client, headers), refusal.policy)
        assert backend.request is None


async def prepared(case: str, friend: httpx.AsyncClient, backend: Any, access: Any) -> dict[str, str]:
    """What is there before the request is refused: headers that the case cannot know by itself."""
    headers: dict[str, str] = {}
    match case:
        case "a key that expired":
            headers = issue(backend, seconds=-1)
        case "a key from elsewhere":
            headers = issue(backend, networks=ELSEWHERE)
        case "a member's version that there is not":
            headers = access.bearer(sub=str(ids.new()))
        case "a forged change":
            await allow(friend, backend, access.organization)
            jar = await Jar.log_in(friend, backend, access.sign())
            headers = jar.headers(csrf="forged")
    backend.request = None
    return headers


async def test_a_key_whose_day_is_over_is_counted_on(limited: Limited, backend: Any) -> None:
    async with limited(key="3/900") as at, at("203.0.113.1") as client:
        key = issue(backend, daily_quota=1)
        assert (await client.get(BOOKING, headers=key)).status_code == 200
        for left in (1, 0):
            answer = await client.get(BOOKING, headers=key)
            assert (answer.status_code, answer.json()["reason"]) == (429, "DAILY_QUOTA_SPENT")
            assert standings(answer)["key"]["r"] == left
        refused(await client.get(BOOKING, headers=key), "key")


async def test_a_revoked_session_is_counted_though_its_token_was_verified(
    limited: Limited, backend: Any, access: Any
) -> None:
    session = ids.new()
    async with limited(unvalidated="2/900") as at, at("203.0.113.1") as client:
        bearer = access.bearer(sid=str(session))
        assert standings(await client.get(BOOKING, headers=bearer))["unvalidated"]["r"] == 1
        backend.revoked = {session}

        async def is_refused() -> bool:
            return (await client.get(BOOKING, headers=bearer)).status_code == 401

        assert await eventually(is_refused)
        refused(await client.get(BOOKING, headers=bearer), "unvalidated")


async def test_credentials_are_counted_once_a_request_and_not_at_all_once_they_are_known(
    limited: Limited, backend: Any, access: Any
) -> None:
    async with limited(unvalidated="6/900", member="9/900", key="9/900") as at, at("203.0.113.1") as client:
        fresh = 6
        for policy, headers in (
            ("member", access.bearer(sub=str(ids.new()))),
            ("key", issue(backend, pinned_version=VERSIONS[0])),
        ):
            fresh -= 1
            versions: list[dict[str, str]] = [{}, *({"Comptoir-Version": each} for each in VERSIONS), {}]
            for number, version in enumerate(versions):
                answer = await client.get(BOOKING, headers=headers | version)
                assert answer.status_code == 200
                told = standings(answer)
                assert told[policy]["r"] == 8 - number
                assert ("unvalidated" in told) is (number == 0)
                if number == 0:
                    assert told["unvalidated"]["r"] == fresh
        for _ in range(fresh):
            guess = {"Authorization": f"Bearer {ApiKeyText.make(sandbox=False).show()}"}
            answer = await client.get(BOOKING, headers=guess | {"Comptoir-Version": NEWEST})
            fresh -= 1
            assert (answer.status_code, standings(answer)["unvalidated"]["r"]) == (401, fresh)
        assert (await client.get(BOOKING, headers=guess)).status_code == 429


async def test_a_flood_of_refused_credentials_does_not_stop_those_that_are_known(
    limited: Limited, access: Any
) -> None:
    async with limited(unvalidated="2/900") as at, at("203.0.113.1") as client:
        known = access.bearer(sub=str(ids.new()))
        assert (await client.get(BOOKING, headers=known)).status_code == 200
        answers = [await client.get(BOOKING, headers={"Authorization": "Basic eA=="}) for _ in range(3)]
        assert [each.status_code for each in answers] == [401, 429, 429]
        assert (await client.get(BOOKING, headers=known)).status_code == 200
