"""Sessions of browsers: tokens that no script sees, and no change but by pages that may make it."""

import re
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from comptoir.auth.v1 import account_pb2
from gateway.cookies import ACCESS, REFRESH, SESSION
from gateway.routes import routes
from gateway.session_routes import SessionRoutes
from servicekit import ids
from servicekit.errors import Unauthenticated
from servicekit.identity import CallerKind

from .browsing import (
    CREDENTIALS,
    IN_COOKIES,
    NAMES,
    ORIGIN,
    OTHER_ORIGIN,
    Jar,
    allow,
    set_by,
    tokens_of,
)
from .conftest import AccessTokens
from .test_openapi import fits

BOOKING = f"/v1/bookings/{ids.show('bkg', ids.new())}"
CANCEL = f"{BOOKING}/cancel"


@pytest.fixture(autouse=True)
async def allowed(client: httpx.AsyncClient, backend: Any, access: AccessTokens) -> None:
    await allow(client, backend, access.organization)


@pytest.fixture
async def jar(client: httpx.AsyncClient, backend: Any, access: AccessTokens) -> Jar:
    jar = await Jar.log_in(client, backend, access.sign())
    client.cookies.clear()
    backend.calls = 0
    return jar


async def test_a_log_in_with_cookies_shows_no_token_to_scripts(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens
) -> None:
    token = access.sign()
    backend.answer = account_pb2.LogInResponse(tokens=tokens_of(token))
    answer = await client.post("/v1/auth/login", json=CREDENTIALS, headers=IN_COOKIES)
    assert answer.status_code == 200
    assert set(answer.json()["tokens"]) == {"expires_in", "csrf_token"}
    assert token not in answer.text
    assert "refresh-1" not in answer.text
    assert set_by(answer).keys() == NAMES
    assert set_by(answer)[ACCESS] == token
    assert set_by(answer)[REFRESH] == "refresh-1"
    for each in answer.headers.get_list("set-cookie"):
        (cookie,) = SimpleCookie(each).values()
        assert cookie["path"] == "/"
        assert cookie["samesite"] == "Strict"
        assert cookie["secure"] is True
        assert cookie["httponly"] is True
        assert not cookie["domain"]
        assert cookie["max-age"] == ("600" if cookie.key == ACCESS else "")
    assert answer.headers["cache-control"] == "no-store"


async def test_who_does_not_ask_for_cookies_gets_tokens(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens
) -> None:
    backend.answer = account_pb2.LogInResponse(tokens=tokens_of(access.sign()))
    answer = await client.post("/v1/auth/login", json=CREDENTIALS)
    assert answer.json()["tokens"]["refresh_token"] == "refresh-1"
    assert "set-cookie" not in answer.headers


async def test_a_log_in_that_waits_for_a_second_factor_sets_none_yet(
    client: httpx.AsyncClient, backend: Any
) -> None:
    challenge = account_pb2.LogInChallenge(token="challenge", expires_in=300, factors=["totp"])
    backend.answer = account_pb2.LogInResponse(challenge=challenge)
    answer = await client.post("/v1/auth/login", json=CREDENTIALS, headers=IN_COOKIES)
    assert answer.json()["challenge"]["token"] == "challenge"
    assert "set-cookie" not in answer.headers


async def test_the_cookie_says_who_calls(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, jar: Jar
) -> None:
    assert (await client.get(BOOKING, headers=jar.headers(csrf=""))).status_code == 200
    assert (backend.caller.kind, backend.caller.user) == (CallerKind.MEMBER, access.user)


async def test_a_change_needs_the_token_of_the_session(
    client: httpx.AsyncClient, backend: Any, jar: Jar
) -> None:
    assert (await client.post(CANCEL, json={}, headers=jar.headers())).status_code == 200
    assert backend.calls == 1


@pytest.mark.parametrize("csrf", ["", "wrong", "A" * 43, "é"])
async def test_without_it_or_with_a_wrong_one_nothing_happens(
    client: httpx.AsyncClient, backend: Any, jar: Jar, problem: Any, csrf: str
) -> None:
    headers = {name: value.encode() for name, value in jar.headers(csrf=csrf).items()}
    answer = await client.post(CANCEL, json={}, headers=headers)
    problem(answer, 403, "CSRF_TOKEN_REQUIRED")
    del headers["x-csrf-token"]
    problem(await client.post(CANCEL, json={}, headers=headers), 403, "CSRF_TOKEN_REQUIRED")
    assert backend.calls == 0


async def test_the_token_of_another_session_does_not_do(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, jar: Jar, problem: Any
) -> None:
    other = await Jar.log_in(client, backend, access.sign(sid=str(ids.new())))
    client.cookies.clear()
    backend.calls = 0
    assert other.csrf != jar.csrf
    answer = await client.post(CANCEL, json={}, headers=jar.headers(csrf=other.csrf))
    problem(answer, 403, "CSRF_TOKEN_REQUIRED")
    assert backend.calls == 0


async def test_a_session_cookie_that_we_did_not_write_names_nobody(
    client: httpx.AsyncClient, backend: Any, jar: Jar, problem: Any
) -> None:
    session, organization, signed = jar.cookies[SESSION].split(".")
    for text in (
        f"{ids.new().hex}.{organization}.{signed}",
        f"{session}.{ids.new().hex}.{signed}",
        f"{session}.{organization}.{'A' * 43}",
        session,
    ):
        forged = Jar(jar.cookies | {SESSION: text}, jar.csrf)
        problem(await client.post(CANCEL, json={}, headers=forged.headers()), 403, "CSRF_TOKEN_REQUIRED")
        problem(await client.get("/v1/auth/csrf", headers=forged.headers()), 401, "UNAUTHENTICATED")
    assert backend.calls == 0


async def test_a_page_that_was_loaded_anew_is_told_its_token(
    client: httpx.AsyncClient, jar: Jar, problem: Any
) -> None:
    """Also once the access token is over, because going on with the session needs it."""
    del jar.cookies[ACCESS]
    answer = await client.get("/v1/auth/csrf", headers=jar.headers(origin=ORIGIN))
    assert answer.json() == {"csrf_token": jar.csrf}
    assert fits(answer.json(), "CsrfToken")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    foreign = await client.get("/v1/auth/csrf", headers=jar.headers(origin=OTHER_ORIGIN))
    assert "access-control-allow-origin" not in foreign.headers
    problem(await client.get("/v1/auth/csrf"), 401, "UNAUTHENTICATED")


async def test_an_authorization_header_goes_before_cookies_and_needs_no_token(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, jar: Jar
) -> None:
    user = ids.new()
    headers = jar.headers(csrf="") | access.bearer(sub=str(user))
    assert (await client.post(CANCEL, json={}, headers=headers)).status_code == 200
    assert backend.caller.user == user
    broken = jar.headers() | {"authorization": "Bearer nonsense"}
    assert (await client.get(BOOKING, headers=broken)).status_code == 401


@pytest.mark.parametrize("origin", ["null", "https://evil.example", OTHER_ORIGIN, "http://gateway"])
async def test_no_page_of_another_origin_changes_anything(
    client: httpx.AsyncClient, backend: Any, jar: Jar, problem: Any, origin: str
) -> None:
    answer = await client.post(CANCEL, json={}, headers=jar.headers(origin=origin))
    problem(answer, 403, "ORIGIN_NOT_ALLOWED")
    assert backend.calls == 0


@pytest.mark.parametrize("origin", [ORIGIN, "https://gateway"])
async def test_pages_of_ours_and_of_the_organizations_origins_do(
    client: httpx.AsyncClient, jar: Jar, origin: str
) -> None:
    answer = await client.post(CANCEL, json={}, headers=jar.headers(origin=origin))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("same-site", 200), ("cross-site", 403), ("none", 403)]
)
async def test_what_the_browser_says_of_the_page_counts(
    client: httpx.AsyncClient, jar: Jar, site: str, status: int
) -> None:
    headers = jar.headers(origin=ORIGIN, sec_fetch_site=site)
    assert (await client.post(CANCEL, json={}, headers=headers)).status_code == status


async def test_nobody_is_logged_in_by_a_page_of_another_site(
    client: httpx.AsyncClient, backend: Any, jar: Jar, problem: Any
) -> None:
    """Else somebody would work, unknowing, in the account of whoever made that page (log-in CSRF)."""
    evil = {"origin": "https://evil.example"}
    for headers in (IN_COOKIES | evil, jar.headers() | evil, IN_COOKIES | {"sec-fetch-site": "cross-site"}):
        answer = await client.post("/v1/auth/login", json=CREDENTIALS, headers=headers)
        problem(answer, 403, "ORIGIN_NOT_ALLOWED")
        assert "set-cookie" not in answer.headers
    assert backend.calls == 0


async def test_a_log_in_ignores_the_session_of_before(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, jar: Jar
) -> None:
    """Its cookie may be over, or revoked: that must keep nobody out."""
    jar.cookies[ACCESS] = "a.b.c"
    backend.answer = account_pb2.LogInResponse(tokens=tokens_of(access.sign()))
    headers = jar.headers(csrf="") | IN_COOKIES
    assert (await client.post("/v1/auth/login", json=CREDENTIALS, headers=headers)).status_code == 200
    assert backend.caller.kind is CallerKind.ANONYMOUS


async def test_a_session_goes_on_by_its_cookie(
    client: httpx.AsyncClient, backend: Any, access: AccessTokens, jar: Jar, problem: Any
) -> None:
    del jar.cookies[ACCESS]
    backend.answer = account_pb2.RefreshSessionResponse(tokens=tokens_of(access.sign(), "refresh-2"))
    answer = await client.post("/v1/auth/refresh", headers=jar.headers() | IN_COOKIES)
    assert answer.status_code == 200
    assert backend.request.refresh_token == "refresh-1"
    assert answer.json()["tokens"]["csrf_token"] == jar.csrf
    assert set_by(answer)[REFRESH] == "refresh-2"
    assert "refresh-2" not in answer.text
    forged = await client.post("/v1/auth/refresh", headers=jar.headers(csrf="") | IN_COOKIES)
    problem(forged, 403, "CSRF_TOKEN_REQUIRED")


async def test_a_session_that_cannot_go_on_is_forgotten(
    client: httpx.AsyncClient, backend: Any, jar: Jar
) -> None:
    backend.refusal = Unauthenticated()
    answer = await client.post("/v1/auth/refresh", headers=jar.headers() | IN_COOKIES)
    assert answer.status_code == 401
    assert forgotten(answer)


async def test_logging_out_forgets_the_cookies(client: httpx.AsyncClient, jar: Jar) -> None:
    answer = await client.post("/v1/auth/logout", json={}, headers=jar.headers())
    assert answer.status_code == 204
    assert forgotten(answer)


async def test_a_log_out_that_was_refused_forgets_nothing(
    client: httpx.AsyncClient, backend: Any, jar: Jar
) -> None:
    backend.refusal = Unauthenticated()
    answer = await client.post("/v1/auth/logout", json={}, headers=jar.headers())
    assert "set-cookie" not in answer.headers


async def test_a_cookie_that_is_there_twice_counts_for_nothing(
    client: httpx.AsyncClient, access: AccessTokens, jar: Jar
) -> None:
    headers = jar.headers()
    headers["cookie"] += f"; {ACCESS}={access.sign(sub=str(ids.new()))}"
    assert (await client.get(BOOKING, headers=headers)).status_code == 401


async def test_cookies_of_others_are_nobodys(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/v1/auth/login", json=CREDENTIALS, headers={"cookie": "theme=dark; x"})
    assert answer.status_code == 200
    assert backend.calls == 1


async def test_what_is_answered_to_a_cookie_no_cache_keeps(client: httpx.AsyncClient, jar: Jar) -> None:
    answer = await client.get("/openapi.json", headers=jar.headers())
    assert answer.headers["cache-control"] == "no-store"


def test_every_route_that_answers_tokens_is_known() -> None:
    found = SessionRoutes.of(routes())
    assert {path for _, path in found.holders} == {
        "/v1/auth/login",
        "/v1/auth/refresh",
        "/v1/auth/challenge",
        "/v1/auth/switch",
        "/v1/auth/reauthenticate",
        "/v1/auth/passkeys/login",
        "/v1/auth/sso/token",
    }
    assert found.trading == {("POST", "/v1/auth/refresh")}
    assert ("POST", "/v1/auth/switch") not in found.opening
    assert found.ending == {
        ("POST", "/v1/auth/logout"),
        ("POST", "/v1/auth/logout-all"),
        ("DELETE", "/v1/me"),
        ("POST", "/v1/organizations/{organization_id}/leave"),
    }


def forgotten(answer: httpx.Response) -> bool:
    given = answer.headers.get_list("set-cookie")
    return {each.partition("=")[0] for each in given} == NAMES and all(
        re.search(r"=; Max-Age=0; Path=/; Secure", each) for each in given
    )
