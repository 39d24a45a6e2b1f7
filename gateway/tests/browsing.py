"""A browser before the gateway: an organization that allows an origin, and the cookies of a session."""

from dataclasses import dataclass
from typing import Any

import httpx

from comptoir.auth.v1 import account_pb2, site_pb2
from gateway.cookies import ACCESS, REFRESH, SESSION
from servicekit import ids
from testkit import eventually

ORIGIN = "https://app.allowed.example"
OTHER_ORIGIN = "https://app.other.example"
DOMAIN = "book.allowed.example"
OTHER = ids.new()
"""Another organization, with an origin of its own."""
IN_COOKIES = {"comptoir-session": "cookie"}
NAMES = {ACCESS, REFRESH, SESSION}


async def allow(client: httpx.AsyncClient, backend: Any, organization: Any) -> None:
    """Has auth tell of the origins and the domain, and waits until the gateway has heard of them."""
    backend.sites = [
        site_pb2.Site(organization_id=organization.bytes, origins=[ORIGIN], domains=[DOMAIN]),
        site_pb2.Site(organization_id=OTHER.bytes, origins=[OTHER_ORIGIN]),
    ]

    async def heard() -> bool:
        asked = {"origin": OTHER_ORIGIN, "access-control-request-method": "POST"}
        answer = await client.options("/v1/bookings", headers=asked)
        page = await client.get("/", headers={"host": DOMAIN})
        return "access-control-allow-origin" in answer.headers and page.is_success

    await eventually(heard)


def tokens_of(access_token: str, refresh_token: str = "refresh-1") -> account_pb2.SessionTokens:  # noqa: S107
    """What auth answers."""
    return account_pb2.SessionTokens(
        access_token=access_token, token_type="Bearer", expires_in=600, refresh_token=refresh_token
    )


@dataclass
class Jar:
    """The cookies of a browser, as it would send them, and what it knows of its session."""

    cookies: dict[str, str]
    csrf: str

    @classmethod
    async def log_in(cls, client: httpx.AsyncClient, backend: Any, access_token: str) -> "Jar":
        """Logs in with cookies."""
        backend.answer = account_pb2.LogInResponse(tokens=tokens_of(access_token))
        answer = await client.post("/v1/auth/login", json=CREDENTIALS, headers=IN_COOKIES)
        backend.answer = None
        return cls(set_by(answer), answer.json()["tokens"]["csrf_token"])

    def headers(self, *, csrf: str | None = None, **others: str) -> dict[str, str]:
        """Headers with the cookies, the session's own token, and others."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {name.replace("_", "-"): value for name, value in others.items()}
        return {"cookie": cookie, "x-csrf-token": self.csrf if csrf is None else csrf} | sent


CREDENTIALS = {"email": "zoe@example.com", "password": "correct horse battery"}


def set_by(answer: httpx.Response) -> dict[str, str]:
    """Names and values of the cookies that an answer sets."""
    pairs = [each.partition(";")[0] for each in answer.headers.get_list("set-cookie")]
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
