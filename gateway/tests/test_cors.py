"""Which pages may ask, and read: those of origins that the caller's organization allows, to the letter."""

from typing import Any

import httpx
import pytest

from gateway.sites import Site, Sites
from servicekit import ids
from servicekit.errors import Unavailable

from .browsing import DOMAIN, ORIGIN, OTHER, OTHER_ORIGIN, allow
from .conftest import AccessTokens

ASKING = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type",
}
BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
LIKE_IT = [
    "null",
    "https://evil.example",
    f"{ORIGIN}.evil.example",
    f"https://evil.example.{ORIGIN.removeprefix('https://')}",
    f"https://evil.example/{ORIGIN}",
    f"https://evil.example@{ORIGIN.removeprefix('https://')}",
    f"https://{ORIGIN.removeprefix('https://')}@evil.example",
    f"{ORIGIN}:8443",
    f"{ORIGIN}:443",
    f"{ORIGIN}/",
    f"{ORIGIN}.",
    f"{ORIGIN} ",
    f"{ORIGIN}, https://evil.example",
    ORIGIN.upper(),
    ORIGIN.replace("https", "http"),
    ORIGIN.replace("app.", ""),
    ORIGIN.replace("app.", "deep.app."),
    ORIGIN.replace("example", "exampl"),
    "*",
    "",
]


@pytest.fixture(autouse=True)
async def allowed(client: httpx.AsyncClient, backend: Any, access: AccessTokens) -> None:
    await allow(client, backend, access.organization)


def leave(answer: httpx.Response) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


async def test_a_browser_that_asks_first_is_told_what_it_may(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.options("/v1/bookings", headers=ASKING | {"origin": ORIGIN})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "idempotency-key", "if-match", "x-csrf-token"} <= set(allowed)
    assert int(answer.headers["access-control-max-age"]) > 0
    assert answer.headers["vary"] == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    assert backend.calls == 0


@pytest.mark.parametrize("origin", LIKE_IT)
@pytest.mark.parametrize("signed_in", [True, False])
async def test_what_is_not_the_origin_to_the_letter_is_given_no_leave(
    client: httpx.AsyncClient, bearer: dict[str, str], origin: str, *, signed_in: bool
) -> None:
    asked = {"origin": origin} | (bearer if signed_in else {})
    for answer in (
        await client.options(BOOKING, headers=ASKING | {"origin": origin}),
        await client.get(BOOKING, headers=asked),
        await client.get(SEARCH, headers=asked),
    ):
        assert not leave(answer)


def varies(answer: httpx.Response) -> set[str]:
    """What a cache must keep answers apart by."""
    return {each.strip() for each in answer.headers.get("vary", "").split(",")}


async def test_an_origin_of_the_callers_organization_reads_answers_and_their_headers(
    client: httpx.AsyncClient, bearer: dict[str, str]
) -> None:
    answer = await client.get(BOOKING, headers=bearer | {"origin": ORIGIN})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"ETag", "RateLimit", "Retry-After", "X-Request-Id", "Link"} <= set(exposed)
    assert "Origin" in varies(answer)


async def test_an_origin_of_another_organization_reads_nothing_of_the_callers(
    client: httpx.AsyncClient, bearer: dict[str, str], access: AccessTokens
) -> None:
    answer = await client.get(BOOKING, headers=bearer | {"origin": OTHER_ORIGIN})
    assert answer.status_code == 200
    assert not leave(answer)
    assert "Origin" in varies(answer)
    theirs = access.bearer(org=str(OTHER))
    assert leave(await client.get(BOOKING, headers=theirs | {"origin": OTHER_ORIGIN}))
    assert not leave(await client.get(BOOKING, headers=theirs | {"origin": ORIGIN}))


async def test_a_refusal_of_a_known_caller_is_not_for_other_origins_either(
    client: httpx.AsyncClient, access: AccessTokens
) -> None:
    nobody = access.bearer(role="viewer", scope="")
    answer = await client.get(BOOKING, headers=nobody | {"origin": OTHER_ORIGIN})
    assert answer.status_code == 403
    assert not leave(answer)
    assert leave(await client.get(BOOKING, headers=nobody | {"origin": ORIGIN}))


@pytest.mark.parametrize("origin", [ORIGIN, OTHER_ORIGIN])
async def test_what_is_for_everybody_any_allowed_origin_reads(client: httpx.AsyncClient, origin: str) -> None:
    for path in (SEARCH, "/openapi.json", "/no-such-path", BOOKING):
        answer = await client.get(path, headers={"origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin


async def test_caches_keep_an_answer_apart_for_each_origin_also_when_none_asked(
    client: httpx.AsyncClient,
) -> None:
    """Else a shared cache would hand an answer without leave, or with somebody else's, to the next page."""
    answer = await client.get("/openapi.json")
    assert answer.headers["cache-control"].startswith("public")
    assert varies(answer) >= {"Origin", "Cookie"}
    assert not leave(answer)


async def test_without_an_origin_nothing_is_added(client: httpx.AsyncClient, bearer: dict[str, str]) -> None:
    answer = await client.get(BOOKING, headers=bearer)
    assert not leave(answer)
    assert "Origin" not in varies(answer)


async def test_a_plain_options_still_says_what_a_path_takes(client: httpx.AsyncClient) -> None:
    answer = await client.options(BOOKING, headers={"origin": ORIGIN})
    assert "GET" in answer.headers["allow"]


class Auth:
    def __init__(self) -> None:
        self.sites: list[Site] = []
        self.asked: list[float | None] = []
        self.down = False

    async def fetch(self, since: float | None) -> tuple[list[Site], float]:
        self.asked.append(since)
        if self.down:
            raise Unavailable
        return self.sites, 1000.0


async def test_what_changed_replaces_all_of_one_organization_and_stays_while_auth_is_down() -> None:
    auth, one, other = Auth(), ids.new(), ids.new()
    auth.sites = [Site(one, ("https://a.example", "https://b.example"), ("book.a.example",))]
    sites = Sites(auth.fetch)
    await sites.refresh()
    auth.sites = [Site(one, ("https://b.example",)), Site(other, ("https://b.example",))]
    await sites.refresh()
    auth.down = True
    await sites.refresh()
    assert sites.allowing("https://a.example") == frozenset()
    assert sites.allowing("https://b.example") == {one, other}
    assert sites.at(b"book.a.example") is None
    assert auth.asked == [None, 970.0, 970.0]


@pytest.mark.parametrize(
    ("host", "found"),
    [
        (DOMAIN, True),
        (DOMAIN.upper(), True),
        (f"{DOMAIN}:8443", True),
        (f"{DOMAIN}.", True),
        (f"evil.{DOMAIN}", False),
        (f"{DOMAIN}.evil.example", False),
        (f"{DOMAIN}:x", False),
        (f"evil.example:80@{DOMAIN}", False),
        ("", False),
    ],
)
async def test_a_host_is_a_domain_in_any_case_and_with_any_port(host: str, *, found: bool) -> None:
    auth, one = Auth(), ids.new()
    auth.sites = [Site(one, (), (DOMAIN,))]
    sites = Sites(auth.fetch)
    await sites.refresh()
    assert (sites.at(host.encode()) == one) is found
