"""Log-in at an organization's own OpenID provider: browser, gateway, provider, and back with a code."""

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform
from devstack.psql import run_sql
from gateway.sso import COOKIE
from testkit import openid

from .conftest import new_owner

DOMAIN = f"corp-{secrets.token_hex(4)}.example"
SWANN = f"charles.swann@{DOMAIN}"
OURS = secrets.token_urlsafe(18)
PEOPLE = {
    "swann": {"email": SWANN, "email_verified": True, "name": "Charles Swann", "groups": ["Hosts"]},
    "foreign": {"email": "foreign@elsewhere.example", "email_verified": True, "name": "Foreign"},
}
_VERIFY = "UPDATE connection_domains SET verified_at = now() WHERE domain = :'domain';"


@dataclass
class Browser:
    """Follows redirects one by one, keeps cookies, and says no more than a browser would."""

    http: httpx.AsyncClient
    gateway: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    cookie: str = ""
    """That of our host. Over plain http a client would not send it, except browsers to localhost."""

    async def visit(self, url: str, *, person: str = "") -> httpx.Response:
        """One page; the provider is told who logs in, the gateway what it has set before."""
        headers = {"x-person": person} if person else {}
        if url.startswith(self.gateway) and self.cookie:
            headers["cookie"] = f"{COOKIE}={self.cookie}"
        answer = await self.http.get(url, headers=headers, follow_redirects=False)
        for name, value in answer.cookies.items():
            self.cookie = value if name == COOKIE else self.cookie
        return answer

    async def start(self, connection: str, *, return_to: str = "") -> httpx.Response:
        """Leaves for the provider."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "return_to": return_to or f"{self.gateway}/in?page=1",
            "challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        return await self.visit(f"{self.gateway}/v1/auth/sso/{connection}/start?{httpx.QueryParams(asked)}")

    async def callback(self, connection: str, person: str) -> str:
        """Where the provider sends the browser back to."""
        answer = await self.start(connection)
        for _ in range(10):
            assert answer.status_code in {302, 303}, answer.text
            location = str(answer.url.join(answer.headers["location"]))
            if location.startswith(f"{self.gateway}/v1/auth/sso/{connection}/callback?"):
                return location
            answer = await self.visit(location, person=person)
        raise AssertionError("the provider did not send the browser back")

    async def arrive(self, connection: str, person: str) -> dict[str, str]:
        """What the application is told at the end."""
        answer = await self.visit(await self.callback(connection, person))
        assert answer.status_code == 302, answer.text
        location = urlsplit(answer.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == f"{self.gateway}/in"
        told = {name: values[0] for name, values in parse_qs(location.query).items()}
        assert told.pop("page") == "1"
        return told


@pytest.fixture(scope="module")
async def issuer(platform: Platform) -> AsyncIterator[str]:
    callback = f"{platform.gateway_url}/v1/auth/sso/*/callback"
    async with openid.running_provider(redirect_uri=callback, secret=OURS, people=PEOPLE) as running:
        yield running


@pytest.fixture(scope="module")
def paulette(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture(scope="module")
def connection(platform: Platform, paulette: Owner, issuer: str) -> str:
    """An organization's connection; its domain's TXT record was seen, as the table says."""
    settings = {
        "name": "Corp",
        "issuer": issuer,
        "client_id": openid.client_id("ES256"),
        "default_role": "viewer",
        "role_claim": "groups",
        "role_mappings": [{"value": "Hosts", "role": "host"}],
        "domains": [DOMAIN],
    }
    made = paulette.api.post(
        f"/v1/organizations/{paulette.organization_id}/sso-connections",
        {"settings": settings, "client_secret": OURS},
    )
    server = urlsplit(platform.engines.postgres_url)
    script = "\\getenv domain DOMAIN\n" + _VERIFY
    run_sql(server._replace(path="/auth").geturl(), script, {"DOMAIN": DOMAIN})
    name: str = made["connection"]["id"]
    return name


@pytest.fixture
def browser(http: httpx.AsyncClient, platform: Platform) -> Browser:
    return Browser(http, platform.gateway_url)


async def test_somebody_of_the_domain_gets_in_with_the_role_that_the_provider_says(
    browser: Browser, api: Api, paulette: Owner, connection: str
) -> None:
    told = await browser.arrive(connection, "swann")
    trade = {"code": told["sso_code"], "verifier": browser.verifier}
    tokens = api.post("/v1/auth/sso/token", trade)["tokens"]
    me = api.as_member(tokens["access_token"]).get("/v1/me")
    assert (me["email"], me["role"], me["organization_id"]) == (SWANN, "host", paulette.organization_id)
    renewed = api.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})["tokens"]
    assert api.as_member(renewed["access_token"]).get("/v1/me")["user_id"] == me["user_id"]
    again = api.request("POST", "/v1/auth/sso/token", json=trade)
    assert again.json()["reason"] == "SSO_CODE_INVALID"


async def test_a_stolen_code_is_of_no_use_without_the_verifier(
    browser: Browser, api: Api, connection: str
) -> None:
    told = await browser.arrive(connection, "swann")
    stolen = {"code": told["sso_code"], "verifier": secrets.token_urlsafe(48)}
    assert api.request("POST", "/v1/auth/sso/token", json=stolen).json()["reason"] == "SSO_CODE_INVALID"


async def test_a_link_back_logs_in_nobody_elses_browser(
    browser: Browser, http: httpx.AsyncClient, connection: str
) -> None:
    location = await browser.callback(connection, "swann")
    victim = Browser(http, browser.gateway)
    await victim.start(connection)
    refused = await victim.visit(location)
    assert (refused.json()["reason"], "location" in refused.headers) == ("SSO_STATE_INVALID", False)


async def test_an_address_of_another_domain_does_not_get_in(
    browser: Browser, api: Api, connection: str
) -> None:
    told = await browser.arrive(connection, "foreign")
    trade = {"code": told["sso_code"], "verifier": browser.verifier}
    refused = api.request("POST", "/v1/auth/sso/token", json=trade)
    assert refused.json()["reason"] == "SSO_EMAIL_NOT_OF_DOMAIN"


async def test_whoever_refuses_at_the_provider_comes_back_with_that(
    browser: Browser, connection: str
) -> None:
    assert await browser.arrive(connection, "") == {"sso_error": "SSO_DENIED"}


async def test_the_gateway_sends_browsers_to_our_applications_alone(
    browser: Browser, connection: str
) -> None:
    for evil in ("https://evil.example/in", f"{browser.gateway}.evil.example/", "//evil.example"):
        refused = await browser.start(connection, return_to=evil)
        assert refused.status_code in {400, 422}, refused.text
        assert "location" not in refused.headers
