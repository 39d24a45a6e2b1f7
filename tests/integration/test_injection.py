"""Texts that mean something to a database, log, header, page or key: kept as texts, or refused."""

import json
import secrets
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.asyncio.client import connect

from devstack.demo.api import Api, Sink
from devstack.demo.owner import Owner
from devstack.platform import Platform

from .conftest import new_owner

MARK = f"zebra{secrets.token_hex(4)}"
"""Too short to be taken for a secret that somebody was shown."""
HOSTILE = {
    "sql": f"{MARK}'); DROP TABLE areas; --",
    "sql, quoted": f'{MARK}" OR "1"="1',
    "log": f'{MARK}\n{{"event":"forged","level":"error"}}',
    "header": f"{MARK}\r\nSet-Cookie: injected=1",
    "header, escaped": f"{MARK}%0d%0aSet-Cookie:%20injected=1",
    "html": f"<script>alert('{MARK}')</script>",
    "template": f"{{{{7*7}}}}${{jndi:ldap://{MARK}.example}}",
    "format": f"%s%n{{0.__class__}}{MARK}",
    "path": f"../../{MARK}",
    "key": f"{MARK}:*",
    "nul": f"{MARK}\x00",
    "direction": f"\u202e{MARK}\u2028\u2029x",
    "long": MARK * 400,
}
NAMELESS = {"log", "header", "nul", "long"}
"""What no name takes: it is not one short line."""


@pytest.fixture(scope="module")
def owner(api: Api, sink: Sink) -> Owner:
    return new_owner(api, sink)


@pytest.fixture(scope="module")
def venue(owner: Owner) -> str:
    place = {"name": "V", "slug": f"v-{secrets.token_hex(4)}", "time_zone": "Europe/Paris", "currency": "EUR"}
    return str(owner.api.post("/v1/venues", place)["id"])


def assert_clean(answer: httpx.Response, *, shown: bool = False) -> None:
    """No defect, no header of the client's making; what was refused is not repeated."""
    assert answer.status_code < 500, answer.text
    assert "injected" not in answer.headers
    assert MARK not in str(answer.headers)
    assert "set-cookie" not in answer.headers
    if not shown:
        assert MARK not in answer.text
    if not answer.is_success:
        assert answer.headers["content-type"] == "application/problem+json", (answer.request.url, answer.text)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_name_is_a_text(http: httpx.AsyncClient, owner: Owner, venue: str, kind: str) -> None:
    """It is kept to the letter, found again, and the tables are still there; or it is refused."""
    path, name = f"/v1/venues/{venue}/areas", HOSTILE[kind]
    made = await http.post(path, json={"name": name}, headers=owner.api.headers)
    if kind in NAMELESS:
        assert made.status_code == httpx.codes.BAD_REQUEST, made.text
        assert_clean(made)
        return
    assert_clean(made, shown=True)
    assert (made.status_code, made.json()["name"]) == (201, name)
    listed = await http.get(path, headers=owner.api.headers)
    assert name in [each["name"] for each in listed.json()["items"]]


def _sites(hostile: str) -> list[tuple[str, str, dict[str, Any]]]:
    colours = {"name": "X", "background": "#ffffff", "text": "#000000", "accent": "#000000"}
    return [
        ("POST", "origins", {"origin": hostile}),
        ("POST", "origins", {"origin": f"https://{hostile}"}),
        ("POST", "origins", {"origin": f"https://a.example/{hostile}"}),
        ("POST", "origins", {"origin": f"https://{hostile}@a.example"}),
        ("POST", "domains", {"domain": hostile}),
        ("POST", "domains", {"domain": f"{hostile}.example.org"}),
        ("PUT", "theme", colours | {"background": hostile}),
        ("PUT", "theme", colours | {"accent": f"#000000;{hostile}"}),
        ("PUT", "theme", colours | {"logo_url": hostile}),
        ("PUT", "theme", colours | {"logo_url": f"javascript:{hostile}"}),
        ("PUT", "theme", colours | {"logo_url": f"https://a.example/{hostile}"}),
    ]


@pytest.mark.parametrize("kind", [each for each in HOSTILE if each != "header, escaped"])
async def test_origins_domains_and_themes_take_nothing_else(
    http: httpx.AsyncClient, owner: Owner, kind: str
) -> None:
    for method, what, body in _sites(HOSTILE[kind]):
        path = f"/v1/organizations/{owner.organization_id}/{what}"
        answer = await http.request(method, path, json=body, headers=owner.api.headers | {"if-match": "*"})
        logo = str(body.get("logo_url", "")).startswith("https://")
        if logo and answer.status_code == httpx.codes.OK:
            assert kind in {"path", "key"}, answer.text  # good addresses
            continue
        assert answer.status_code in {400, 422}, (body, answer.text)
        assert_clean(answer)


@pytest.mark.parametrize("kind", HOSTILE)
async def test_what_a_query_path_or_header_holds_is_refused_or_means_nothing(
    http: httpx.AsyncClient, owner: Owner, venue: str, kind: str
) -> None:
    hostile = HOSTILE[kind]
    escaped, mine = quote(hostile, safe=""), owner.api.headers
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    paths = [
        f"/v1/venues?page_token={escaped}",
        f"/v1/venues/{escaped}",
        f"/v1/venues/{escaped}/availability?date=2027-10-31&party_size=2",
        f"/v1/venues/{venue}/availability?date={escaped}&party_size=2",
        f"/v1/venues/{venue}/availability?date=2027-10-31&party_size=2&attributes={escaped}",
        f"/v1/manage/{escaped}",
        f"/v1/stream?topics={escaped}",
        f"/v1/stream?topics=feed&ticket={escaped}",
        f"/v1/auth/sso/{escaped}/start?return_to=https://a.example&challenge={challenge}",
        f"/v1/auth/sso/google/start?return_to={escaped}&challenge={challenge}",
        f"/v1/auth/sso/google/start?return_to=https://a.example/{escaped}&challenge={challenge}",
        f"/v1/auth/sso/google/callback?state={escaped}&code={escaped}&error={escaped}&iss={escaped}",
    ]
    for path in paths:
        assert_clean(await http.get(path, headers=mine))
    if hostile.isprintable() and hostile.isascii():
        for name in ("comptoir-version", "if-match", "traceparent", "user-agent", "last-event-id", "origin"):
            answer = await http.get("/v1/venues", headers=mine | {name: hostile})
            assert_clean(answer)
        for key in (hostile, f'"{hostile}"'):
            given = mine | {"idempotency-key": key}
            answer = await http.post(f"/v1/venues/{venue}/areas", json={"name": ""}, headers=given)
            assert answer.status_code == httpx.codes.BAD_REQUEST
            assert_clean(answer)


async def test_topics_are_names_and_nothing_else(platform: Platform, owner: Owner) -> None:
    address = platform.gateway_url.replace("http", "ws", 1) + "/v1/stream"
    headers = {"authorization": owner.api.headers["authorization"]}
    names = [each for each in HOSTILE.values() if len(each) <= 100]
    names += ["*", "feed\n", "venue:*", "feed/../feed", f"{owner.organization_id}/feed", "venue:ven_", ""]
    async with connect(address, additional_headers=headers) as socket:
        for name in names:
            await socket.send(json.dumps({"subscribe": [name]}))
            said = json.loads(await socket.recv())
            assert (said["control"], said["reason"]) == ("refused", "TOPIC_NOT_FOUND")
        for deep in ("[" * 2000, '{"subscribe":' * 500, '{"since":{"feed":' + "[" * 900):
            await socket.send(deep)
            assert json.loads(await socket.recv())["reason"] == "MALFORMED_MESSAGE"
        await socket.send('{"ping":"still here"}')
        assert json.loads(await socket.recv())["control"] == "pong"


def test_no_log_was_written_by_a_client(platform: Platform) -> None:
    """After the tests above: every line is one document of ours, and none holds what they sent."""
    for process in platform.programs:
        lines = process.read_log().splitlines()
        assert not [line for line in lines if MARK in line]
        assert not [line for line in lines if "forged" in line]
