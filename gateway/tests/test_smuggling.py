"""What every answer carries for browsers; and headers of a client that must say nothing about who it is."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from servicekit import ids
from servicekit.identity import CallerKind

from .conftest import AccessTokens

BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
SEARCH = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"
ASKED = {"return_to": "https://app.example/in", "challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}
CAME_BACK = {"state": "st", "code": "code"}
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
ANSWERS = {
    "json": ("GET", SEARCH, 200),
    "problem": ("GET", BOOKING, 401),
    "no route": ("GET", "/no-such-path", 404),
    "method": ("PUT", "/healthz", 405),
    "options": ("OPTIONS", BOOKING, 204),
    "head": ("HEAD", SEARCH, 200),
    "page": ("GET", "/manage/t", 200),
    "documents": ("GET", "/docs", 200),
    "asset": ("GET", "/docs/swagger-ui.css", 200),
    "keys": ("GET", "/.well-known/jwks.json", 200),
    "probe": ("GET", "/healthz", 200),
    "redirect": ("GET", "/v1/auth/sso/google/start?" + urlencode(ASKED), 302),
}
IDENTITIES = {
    "x-user-id": str(ids.new()),
    "x-user-role": "owner",
    "x-organization-id": str(ids.new()),
    "x-tenant-id": str(ids.new()),
    "x-comptoir-caller": "eyJraW5kIjoibWVtYmVyIn0",
    "x-comptoir-organization": str(ids.new()),
    "x-forwarded-user": "owner@example.org",
    "x-remote-user": "owner",
    "forwarded": "for=203.0.113.66;by=203.0.113.67",
    "x-forwarded-for": "203.0.113.66",
    "x-real-ip": "203.0.113.66",
    "x-original-url": "/v1/me",
    "x-http-method-override": "DELETE",
    "identity": "forged",
    "identity-bin": "forged",
    "comptoir-identity": "forged",
    "x-identity": "forged",
    "grpc-timeout": "00000001n",
    "te": "trailers",
    "idempotency-key-bin": "forged",
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_every_answer_carries_what_keeps_browsers_safe(client: httpx.AsyncClient, name: str) -> None:
    method, path, status = ANSWERS[name]
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert {header: answer.headers.get(header) for header in ALWAYS} == ALWAYS
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "cache-control" in answer.headers


@pytest.mark.parametrize("path", ["/manage/t", "/waitlist/t", "/verify-email", "/reset-password", "/docs"])
async def test_a_page_is_alone_in_its_window_and_uses_no_device(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]


@pytest.mark.parametrize("header", IDENTITIES)
async def test_no_header_of_a_client_says_who_it_is(
    client: httpx.AsyncClient, backend: Any, problem: Any, header: str
) -> None:
    forged = {header: IDENTITIES[header]}
    assert (await client.get(SEARCH, headers=forged)).status_code == 200
    assert (backend.caller.kind, backend.caller.organization) == (CallerKind.ANONYMOUS, None)
    assert backend.caller.address == "192.0.2.7"
    assert IDENTITIES[header] not in "".join(backend.metadata.values())
    problem(await client.get(BOOKING, headers=forged), 401, "UNAUTHENTICATED")


async def test_they_change_nothing_for_who_is_known(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens
) -> None:
    assert (await client.get(BOOKING, headers=access.bearer() | IDENTITIES)).status_code == 200
    caller = backend.caller
    assert (caller.user, caller.organization) == (access.user, access.organization)
    assert caller.address == "192.0.2.7"


async def test_two_credentials_are_none(
    client: httpx.AsyncClient, access: AccessTokens, problem: Any
) -> None:
    twice = [("authorization", f"Bearer {access.sign()}"), ("authorization", f"Bearer {access.sign()}")]
    problem(await client.get(BOOKING, headers=twice), 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "%2F%2Fevil.example",
    ],
)
async def test_no_parameter_sends_a_browser_elsewhere(
    client: httpx.AsyncClient, backend: Any, target: str
) -> None:
    """Auth alone says where to; pages of ours do not redirect at all.

    Auth is asked with `return_to` and with no other parameter. That it lets no browser go where nobody has
    allowed it is proved with the real one: services/auth/tests/test_sso.py.
    """
    for name in ("return_to", "next", "url", "redirect", "redirect_uri", "continue"):
        backend.request = None
        answer = await client.get("/v1/auth/sso/google/start", params=ASKED | {name: target})
        assert answer.headers.get("location") in {None, "https://idp.example/go"}
        asked = backend.request
        if name == "return_to":
            assert answer.status_code == 400 if asked is None else asked.return_to == target
        else:
            assert (asked.return_to, asked.challenge) == (ASKED["return_to"], ASKED["challenge"])
            assert target not in {value for _, value in asked.ListFields()}
        for path in ("/manage/t", "/waitlist/t", "/verify-email", "/docs", "/v1/auth/sso/google/callback"):
            answer = await client.get(path, params=CAME_BACK | {name: target})
            assert answer.headers.get("location") in {None, "https://app.example/in"}
    for path in ("//evil.example", "/%2Fevil.example", "/\\evil.example", "//evil.example/%2e%2e"):
        answer = await client.get("http://gateway" + path)
        assert answer.status_code in {400, 404}
        assert "location" not in answer.headers
