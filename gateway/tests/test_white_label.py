"""An organization's own domain shows its venues and look, nobody else's; pages wear it as colours alone."""

from typing import Any

import httpx
import pytest

from comptoir.booking.v1 import venue_pb2
from servicekit.identity import CallerKind

from .browsing import DOMAIN, allow
from .conftest import AccessTokens
from .test_openapi import fits

THEME = {
    "name": "Chez Paulette",
    "logo_url": "https://www.allowed.example/logo.svg",
    "background": "#ffffff",
    "text": "#1d2433",
    "accent": "#8c2f39",
}


@pytest.fixture(autouse=True)
async def allowed(client: httpx.AsyncClient, backend: Any, access: AccessTokens) -> None:
    await allow(client, backend, access.organization)


def site() -> venue_pb2.ListSiteVenuesResponse:
    venue = venue_pb2.Venue(id="ven_1", name="Paulette", slug="paulette")
    return venue_pb2.ListSiteVenuesResponse(items=[venue], theme=venue_pb2.VenueTheme(**THEME))


@pytest.mark.parametrize("host", [DOMAIN, DOMAIN.upper(), f"{DOMAIN}:8443"])
async def test_the_domain_shows_the_venues_of_its_organization(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, host: str
) -> None:
    backend.answer = site()
    answer = await client.get("/v1/site", headers={"host": host})
    assert answer.status_code == 200
    assert answer.json()["theme"] == THEME
    assert fits(answer.json(), "ListSiteVenuesResponse")
    assert [each["name"] for each in answer.json()["items"]] == ["Paulette"]
    assert backend.caller.kind is CallerKind.SERVICE
    assert backend.caller.organization == access.organization
    assert answer.headers["cache-control"] == "no-store"


async def test_whoever_calls_the_domain_decides_what_is_shown_and_not_their_token(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens
) -> None:
    stranger = access.bearer(org="0192f0c1-2345-7000-8000-000000000001")
    await client.get("/v1/site", headers=stranger | {"host": DOMAIN})
    assert backend.caller.organization == access.organization


@pytest.mark.parametrize("host", ["gateway", f"evil.{DOMAIN}", f"{DOMAIN}.evil.example", "app.other.example"])
async def test_any_other_host_is_served_as_before(
    client: httpx.AsyncClient, backend: Any, problem: Any, host: str
) -> None:
    for path in ("/", "/v1/site"):
        problem(await client.get(path, headers={"host": host}), 404, "NOT_FOUND")
    assert backend.calls == 0
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200
    forwarded = {"host": host, "x-forwarded-host": DOMAIN, "x-host": DOMAIN, "forwarded": f"host={DOMAIN}"}
    problem(await client.get("/v1/site", headers=forwarded), 404, "NOT_FOUND")


async def test_the_root_page_names_what_runs_in_it_and_holds_nothing_of_a_tenant(
    client: httpx.AsyncClient, backend: Any
) -> None:
    page = await client.get("/", headers={"host": DOMAIN})
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert backend.calls == 0


async def test_guests_pages_wear_colours_that_look_like_some_and_ask_without_cookies(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/manage/t", "/waitlist/t"):
        page = (await client.get(path)).text
        assert "wear(" in page
        assert "/^#[0-9a-f]{6}$/.test" in page
        assert 'credentials: "omit"' in page
        assert 'id="brand"' in page
