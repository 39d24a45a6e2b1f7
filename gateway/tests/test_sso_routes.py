"""The redirects of a log-in at a provider: what auth is told, where browsers go, and the cookie between."""

import re
from typing import Any

import httpx

from gateway.sso import COOKIE
from servicekit.errors import AppError, Kind
from servicekit.identity import CallerKind

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
START = "/v1/auth/sso/google/start"
CALLBACK = "/v1/auth/sso/google/callback"
ASKED = {"return_to": "https://app.example/in?x=1", "challenge": CHALLENGE}
SECRET = "s" * 43


class StateInvalid(AppError):
    """As auth refuses a foreign state."""

    kind = Kind.REFUSED
    reason = "SSO_STATE_INVALID"
    detail = "This log-in does not wait."


async def test_a_browser_is_sent_away_with_a_cookie_of_its_own(
    client: httpx.AsyncClient, backend: Any
) -> None:
    answer = await client.get(START, params=ASKED)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://idp.example/go")
    sent = backend.request
    assert (sent.connection, sent.return_to, sent.challenge) == ("google", ASKED["return_to"], CHALLENGE)
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    value, *flags = attributes.split("; ")
    assert (name, value) == (COOKIE, sent.browser)
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(flags)
    assert not any(flag.lower().startswith("domain") for flag in flags)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", value)
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (backend.caller.kind, backend.caller.issuer) == (CallerKind.SERVICE, "gateway")


async def test_two_log_ins_of_one_browser_share_its_cookie(client: httpx.AsyncClient, backend: Any) -> None:
    await client.get(START, params=ASKED, headers={"cookie": f"{COOKIE}={SECRET}"})
    assert backend.request.browser == SECRET


async def test_a_cookie_that_we_cannot_have_made_counts_for_nothing(
    client: httpx.AsyncClient, backend: Any
) -> None:
    await client.get(START, params=ASKED, headers={"cookie": f"{COOKIE}=short"})
    assert len(backend.request.browser) == 43
    await client.get(CALLBACK, params={"state": "x"}, headers={"cookie": f"{COOKIE}=short"})
    assert backend.request.browser == ""


async def test_what_the_provider_says_reaches_auth_and_the_browser_goes_on(
    client: httpx.AsyncClient, backend: Any
) -> None:
    told = {"state": "st", "code": "co/de+", "iss": "https://idp.example", "error": "e" * 300}
    answer = await client.get(CALLBACK, params=told, headers={"cookie": f"{COOKIE}={SECRET}"})
    assert (answer.status_code, answer.headers["location"]) == (302, "https://app.example/in")
    sent = backend.request
    assert sent.connection == "google"
    assert (sent.state, sent.code, sent.issuer, sent.error, sent.browser) == (
        "st",
        "co/de+",
        "https://idp.example",
        "e" * 200,
        SECRET,
    )


async def test_a_refusal_is_a_problem_and_no_redirect(client: httpx.AsyncClient, backend: Any) -> None:
    backend.refusal = StateInvalid()
    answer = await client.get(CALLBACK, params={"state": "x"})
    assert (answer.status_code, answer.json()["reason"]) == (409, "SSO_STATE_INVALID")
    assert "location" not in answer.headers


async def test_what_breaks_the_contract_never_leaves_for_anywhere(
    client: httpx.AsyncClient, backend: Any
) -> None:
    for wrong in ({"challenge": "short"}, {"return_to": "javascript:alert(1)"}):
        answer = await client.get(START, params=ASKED | wrong)
        assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")
    assert backend.calls == 0
