"""A real OpenID provider as a process of its own (npm oidc-provider), and a browser that logs in at it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
from yarl import URL

from auth.app import App
from auth.domain.audit import ActorKind, Author
from auth.domain.challenges import PendingLogIn
from auth.domain.sessions import SessionTokens
from auth.domain.sso import pkce_challenge
from auth.usecases import sso, sso_arrivals
from testkit import openid

from .conftest import BROWSER, LOOPBACK_SSO, PLACE

RETURN_TO = "https://book.example.org/in?page=1"
SECRET = "a:secret+with/every%kind of thing"
PEOPLE: dict[str, dict[str, Any]] = {
    "swann": {
        "email": "Swann@Corp.example",
        "email_verified": True,
        "name": "Charles Swann",
        "groups": ["Hosts"],
        "amr": ["pwd", "mfa"],
    },
    "unsure": {"email": "unsure@corp.example", "email_verified": False, "name": "Unsure"},
    "foreign": {"email": "foreign@elsewhere.example", "email_verified": True, "name": "Foreign"},
    "deeper": {"email": "deeper@sub.corp.example", "email_verified": True, "name": "Deeper"},
}


@dataclass
class OpenIdProcess:
    """The provider, and who we are there."""

    issuer: str

    @staticmethod
    def client(algorithm: str = "RS256") -> str:
        """Our client id for tokens that are signed so."""
        return openid.client_id(algorithm)


@asynccontextmanager
async def running_provider(**environment: str) -> AsyncIterator[OpenIdProcess]:
    """The provider on a free port."""
    async with openid.running_provider(
        redirect_uri=LOOPBACK_SSO.callback_url("*"), secret=SECRET, people=PEOPLE, **environment
    ) as issuer:
        yield OpenIdProcess(issuer)


@dataclass
class Visitor:
    """A browser with an application in it."""

    app: App
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    asked: str = ""
    """By whom it logs in."""

    async def begin(self, connection: str, return_to: str = RETURN_TO) -> str:
        """Where the browser is sent."""
        self.asked = connection
        return await sso.begin_sso(
            self.app,
            connection,
            return_to=return_to,
            challenge=pkce_challenge(self.verifier),
            browser=self.cookie,
        )

    @property
    def _back(self) -> str:
        return self.app.sso.callback_url(self.asked)

    async def at_provider(self, location: str, person: str | None) -> dict[str, str]:
        """What the provider sends back with, after the person logged in there; None refuses."""
        headers = {"X-Person": person} if person else {}
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            for _ in range(10):
                url = URL(location, encoded=True)
                async with session.get(url, headers=headers, allow_redirects=False) as answer:
                    assert answer.status in (302, 303), await answer.text()
                    location = urljoin(location, answer.headers["Location"])
                if location.startswith(f"{self._back}?"):
                    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        raise AssertionError("the provider did not send the browser back")

    async def come_back(self, told: dict[str, str], *, at: str = "") -> dict[str, str]:
        """What the application is told; `at` another place than the one that the provider was told."""
        location = await sso.finish_sso(
            self.app,
            at or self.asked,
            state=told.get("state", ""),
            code=told.get("code", ""),
            issuer=told.get("iss", ""),
            error=told.get("error", ""),
            browser=self.cookie,
        )
        assert location.startswith("https://book.example.org/in?page=1&")
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    async def trade(
        self, code: str, *, verifier: str = "", device_token: str = ""
    ) -> SessionTokens | PendingLogIn:
        """The end of it."""
        return await sso_arrivals.trade_code(
            self.app,
            code,
            verifier or self.verifier,
            device_token=device_token,
            by=Author(ActorKind.NOBODY, address=PLACE),
            user_agent=BROWSER,
        )

    async def code(self, connection: str, person: str | None) -> str:
        """Everything but the last step."""
        return (await self.come_back(await self.at_provider(await self.begin(connection), person)))[
            "sso_code"
        ]

    async def log_in(self, connection: str, person: str) -> SessionTokens | PendingLogIn:
        """All of it."""
        return await self.trade(await self.code(connection, person))
