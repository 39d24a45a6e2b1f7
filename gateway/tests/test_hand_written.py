"""The routes outside the contract: documents, pages, probes, keys and Stripe's webhook."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from comptoir.booking.v1 import booking_pb2, waitlist_pb2
from gateway.routes import routes
from notification.domain.accounts import AccountMail
from notification.mails import account_letters, letters
from notification.mails.texts import load
from servicekit.errors import AppError, Kind
from servicekit.identity import CallerKind
from servicekit.permissions import ROLES

ERRORS = Path(__file__).parents[2] / "docs" / "errors.md"
ACCOUNT_LINKS = [
    "/reset-password?token=some-token",
    "/confirm-email?token=some-token",
    "/revert-email?token=some-token",
    "/invitation?token=some-token",
]
LINKS = ["/manage/some-token", "/waitlist/some-token", "/verify-email?token=some-token", *ACCOUNT_LINKS]
PAGES = [*LINKS, "/forgot-password", "/docs"]


class SignatureInvalid(AppError):
    """As payment refuses a webhook."""

    kind = Kind.INVALID
    reason = "SIGNATURE_INVALID"
    detail = "The signature does not hold."


def hashes(html: str, tag: str) -> list[str]:
    contents = re.findall(rf"<{tag}>(.+?)</{tag}>", html, re.DOTALL)
    return [
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in contents
    ]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_runs_only_what_its_policy_names(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(each.split(" ", 1) for each in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe-inline" not in policy["script-src"]
    [script] = hashes(answer.text, "script")
    assert script in policy["script-src"]
    for style in hashes(answer.text, "style"):
        assert style in policy["style-src"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert not re.search(r"\son[a-z]+=|innerHTML", answer.text)


async def test_a_page_never_holds_the_token(client: httpx.AsyncClient) -> None:
    for path in LINKS:
        assert "some-token" not in (await client.get(path)).text


@pytest.mark.parametrize(
    ("path", "states"),
    [("/manage/t", booking_pb2.BookingStatus), ("/waitlist/t", waitlist_pb2.WaitlistStatus)],
    ids=["booking", "waitlist entry"],
)
async def test_a_page_has_words_for_every_state_in_every_language(
    client: httpx.AsyncClient, path: str, states: Any
) -> None:
    page = (await client.get(path)).text
    names = [name.lower() for name in states.keys() if not name.endswith("_UNSPECIFIED")]  # noqa: SIM118
    for name in names:
        state = name.partition("_status_")[2]
        words = re.findall(rf'[ {{]{state}: "[^"]+"', page)
        assert len(words) == 2, name


@pytest.mark.parametrize(("path", "step"), [("/manage/t", "/cancel"), ("/waitlist/t", "/accept")])
async def test_a_page_agrees_to_no_other_fee_than_it_has_shown(
    client: httpx.AsyncClient, path: str, step: str
) -> None:
    page = (await client.get(path)).text
    assert re.search(rf'shownFee\(\(\) => call\([^)]*"{step}"\)?, \{{ accepted_fee: fee \}}\), load\)', page)
    assert len(re.findall(r'[ {]fee: "[^"]+"', page)) == 2


async def test_the_page_of_an_invitation_has_words_for_every_role_and_calls_what_there_is(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/invitation")).text
    for role in ROLES:
        assert len(re.findall(rf'[ {{]{role}: "[^"]+"', page)) == 2, role
        assert len(re.findall(rf'const ROLES = \[[^\]]*"{role}"', page)) == 1, role
    (named,) = re.findall(r"const REFUSALS = \{([^}]+)\}", page)
    refusals = re.findall(r'([A-Z_]+): "(\w+)"', named)
    catalogue = ERRORS.read_text(encoding="utf-8")
    assert [reason for reason, _ in refusals if f"| `{reason}` |" not in catalogue] == []
    for _, word in refusals:
        assert len(re.findall(rf'[ {{]{word}: "[^"]+"', page)) == 2, word
    called = set(re.findall(r'"(/v1/auth/[^"]+)"', page))
    assert called == {"/v1/auth/invitations/read", "/v1/auth/invitations/join"}
    assert called <= {each.template for each in routes() if each.method == "POST"}


@pytest.mark.parametrize("path", ["/manage/t", "/waitlist/t"])
async def test_a_page_names_the_zone_of_the_time_it_shows(client: httpx.AsyncClient, path: str) -> None:
    page = (await client.get(path)).text
    (shown,) = re.findall(r'const when = instant\((\w+)\.start, \{ dateStyle: "full"', page)
    assert re.search(rf'when \+ " \(" \+ zone\({shown}\.start, \w+\.time_zone\) \+ "\)"', page)


async def test_every_link_of_a_mail_about_accounts_leads_to_a_page(client: httpx.AsyncClient) -> None:
    to: Any = {
        "email": "zoe@example.com",
        "language": "en",
        "token": "t",
        "public_url": "http://gateway.test",
    }
    about = AccountMail("zoe@example.com", "Zoe", "en", "", "t", "Firefox", "192.0.2.7", datetime.now(UTC))
    mails = [
        letters.verification(name="Zoe", **to),
        letters.invitation(organization="Chez Paulette", inviter="", **to),
        *(
            account_letters.about_account(replace(about, kind=kind), public_url="http://gateway.test")
            for kind in load("en")["account"]
        ),
    ]
    links = [each.link for each in mails if each.link]
    assert len(links) > len(ACCOUNT_LINKS)
    for link in links:
        answer = await client.get(urlsplit(link).path)
        assert (answer.status_code, answer.headers["content-type"][:9]) == (200, "text/html"), link


@pytest.mark.parametrize("path", ["/verify-email?token=some-token", *ACCOUNT_LINKS])
async def test_a_mail_scanner_that_follows_the_link_does_nothing(
    client: httpx.AsyncClient, backend: Any, path: str
) -> None:
    assert (await client.get(path)).status_code == 200
    assert backend.calls == 0


async def test_the_documentation_needs_no_other_host(client: httpx.AsyncClient) -> None:
    html = (await client.get("/docs")).text
    named = re.findall(r"""\b(?:src|href)\s*=\s*["']?([^"'\s>]+)""", html)
    kinds = []
    for name in named:
        if name != "data:,":  # an empty icon, so that browsers ask for none
            assert name.startswith("/docs/")
            answer = await client.get(name)
            assert (answer.status_code, len(answer.content) > 10_000) == (200, True)
            kinds.append(answer.headers["content-type"].split(";")[0])
    assert sorted(kinds) == ["text/css", "text/javascript"]


async def test_probes_and_keys(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    answer = await client.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert [(key["kid"], key["crv"], "d" in key) for key in answer.json()["keys"]] == [
        ("access-1", "Ed25519", False)
    ]


async def test_head_works_on_hand_written_routes_too(client: httpx.AsyncClient) -> None:
    got, head = await client.get("/docs"), await client.head("/docs")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


async def test_a_stripe_event_reaches_payment_byte_for_byte(client: httpx.AsyncClient, backend: Any) -> None:
    body = b'{"id": "evt_1",  "odd  spaces": "\xc3\xa9"}\n'
    answer = await client.post("/hooks/stripe", content=body, headers={"Stripe-Signature": "t=1,v1=abc"})
    assert (answer.status_code, answer.json()) == (200, {})
    assert (backend.request.payload, backend.request.signature) == (body, "t=1,v1=abc")
    assert (backend.caller.kind, backend.caller.issuer) == (CallerKind.SERVICE, "gateway")


async def test_a_stripe_event_that_payment_refuses_is_a_problem(
    client: httpx.AsyncClient, backend: Any
) -> None:
    backend.refusal = SignatureInvalid()
    answer = await client.post("/hooks/stripe", content=b"{}", headers={"Stripe-Signature": "t=1,v1=abc"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "SIGNATURE_INVALID")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_stripe_event_without_a_signature_is_refused(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.post("/hooks/stripe", content=b"{}")
    assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_REQUEST")
    assert backend.calls == 0


async def test_a_stripe_event_may_be_larger_than_other_bodies_but_not_endless(
    client: httpx.AsyncClient, backend: Any
) -> None:
    headers = {"Stripe-Signature": "t=1,v1=abc"}
    answer = await client.post("/hooks/stripe", content=b" " * 1024 * 1024, headers=headers)
    assert answer.status_code == 200
    answer = await client.post("/hooks/stripe", content=b" " * (1024 * 1024 + 1), headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (413, "PAYLOAD_TOO_LARGE")
    assert backend.calls == 1


@pytest.mark.parametrize("path", ["/manage/..%2Fsecret", "/v1/auth/sso/a%2Fb/start?challenge=c&return_to=r"])
async def test_an_escaped_slash_is_a_problem_like_any_other_address(
    client: httpx.AsyncClient, problem: Any, path: str
) -> None:
    problem(await client.get(path), 404, "NOT_FOUND")
