"""What an ID token must be to be believed, and how far auth goes to ask. The provider here is hostile."""

import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from auth.clients.openid import Issuers, OpenIdProvider, Rejected, Return
from auth.clients.web import Unanswered, Web
from auth.domain.sso import pkce_challenge
from auth.settings import SsoSettings

from .conftest import LOOPBACK_SSO
from .forger import Forger, new_key, other_key, running_forger

GIVEN = Return("code", "", "https://api.example.org/v1/auth/sso/google/callback", "the nonce", "v" * 43)


@dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def forger() -> AsyncIterator[Forger]:
    async with running_forger() as running:
        running.be_openid()
        yield running


@pytest.fixture
async def web_client() -> AsyncIterator[Web]:
    opened = Web(LOOPBACK_SSO)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def provider(forger: Forger, web_client: Web, clock: Clock) -> OpenIdProvider:
    return OpenIdProvider(Issuers(web_client, clock), forger.issuer, "us", "secret", "groups")


def claims(provider: OpenIdProvider, **changed: Any) -> bytes:
    now = int(provider.issuers.clock())
    said = {
        "iss": provider.issuer,
        "aud": "us",
        "sub": "42",
        "nonce": GIVEN.nonce,
        "iat": now,
        "exp": now + 300,
        "email": "Swann@Corp.example",
        "email_verified": True,
        "groups": ["a", 1, "b"],
    } | changed
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


async def test_an_honest_token_says_who_somebody_is(provider: OpenIdProvider, forger: Forger) -> None:
    forger.sign(claims(provider, aud=["us", "them"], azp="us", amr=["mfa"], name="Swann"))
    found = await provider.receive(GIVEN)
    assert (found.issuer, found.subject, found.email, found.name) == (
        forger.issuer,
        "42",
        "swann@corp.example",
        "Swann",
    )
    assert (found.groups, found.second_factor) == (("a", "b"), True)
    assert forger.forms == [
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": GIVEN.redirect_uri,
            "code_verifier": GIVEN.verifier,
        }
    ]
    assert forger.tokens[1] == "Basic " + base64.b64encode(b"us:secret").decode()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"iss": "https://other.example"}, "iss"),
        ({"aud": "them"}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": ["us", "them"]}, "azp"),
        ({"azp": "them"}, "azp"),
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"exp": 1}, "exp"),
        ({"exp": None}, "exp"),
        ({"exp": True}, "exp"),
        ({"iat": None}, "iat"),
        ({"iat": 1}, "iat"),
        ({"iat": 99_999_999_999}, "iat"),
        ({"sub": ""}, "sub"),
        ({"sub": 42}, "sub"),
        ({"sub": "4" * 256}, "sub"),
    ],
)
async def test_every_claim_must_be_as_it_must_be(
    provider: OpenIdProvider, forger: Forger, changed: dict[str, Any], why: str
) -> None:
    forger.sign(claims(provider, **changed))
    with pytest.raises(Rejected, match=f"^{why}$"):
        await provider.receive(GIVEN)


@pytest.mark.parametrize("said", [False, None, "yes", 1.5])
async def test_an_address_that_is_not_called_verified_is_none(
    provider: OpenIdProvider, forger: Forger, said: object
) -> None:
    forger.sign(claims(provider, email_verified=said))
    assert (await provider.receive(GIVEN)).email == ""


async def test_a_token_is_believed_by_the_providers_own_key_alone(
    provider: OpenIdProvider, forger: Forger
) -> None:
    good = claims(provider)
    forger.sign(good, key=new_key("one"))
    with pytest.raises(Rejected, match="signature"):
        await provider.receive(GIVEN)
    forger.sign(good, key=other_key(), algorithm="Ed25519")
    with pytest.raises(Rejected, match="header"):
        await provider.receive(GIVEN)
    for header in (
        {"jku": "https://evil.example/jwks"},
        {"jwk": other_key().as_dict(private=False)},
        {"x5u": "https://evil.example/x5u"},
        {"x5c": ["MIIB"]},
    ):
        forger.sign(good, header=header)
        with pytest.raises(Rejected, match="header"):
            await provider.receive(GIVEN)


async def test_algorithms_that_need_no_private_key_are_refused(
    provider: OpenIdProvider, forger: Forger
) -> None:
    """The provider's own metadata offers them; the public key as a secret is the classic."""
    body = encoded(claims(provider))
    hs256 = encoded(b'{"alg":"HS256","kid":"one"}') + "." + body
    mac = hmac.digest(forger.key.as_pem(private=False), hs256.encode(), "sha256")
    none = encoded(b'{"alg":"none","kid":"one"}') + "." + body
    critical = encoded(b'{"alg":"RS256","kid":"one","crit":["b64"],"b64":false}') + f".{body}.eA"
    for token in (f"{hs256}.{encoded(mac)}", f"{none}.", none, critical, "x" * 20_000, 7, None):
        forger.answers["/token"] = {"access_token": "access", "id_token": token}
        with pytest.raises(Rejected):
            await provider.receive(GIVEN)


async def test_a_new_key_is_fetched_but_at_most_once_a_minute(
    provider: OpenIdProvider, forger: Forger, clock: Clock
) -> None:
    forger.sign(claims(provider))
    await provider.receive(GIVEN)
    rotated = new_key("two")
    forger.answers["/jwks"] = {"keys": [{"kty": "unheard of"}, rotated.as_dict(private=False)]}
    forger.sign(claims(provider), key=rotated, header={"kid": "two"})
    for _ in range(3):
        with pytest.raises(Rejected, match="key"):
            await provider.receive(GIVEN)
    assert forger.asked.count("/jwks") == 1
    clock.now += 60
    forger.sign(claims(provider), key=rotated, header={"kid": "two"})
    assert (await provider.receive(GIVEN)).subject == "42"
    assert forger.asked.count("/jwks") == 2
    assert forger.asked.count("/.well-known/openid-configuration") == 1


async def test_keys_for_something_else_verify_nothing(provider: OpenIdProvider, forger: Forger) -> None:
    public = forger.key.as_dict(private=False)
    for wrong in ({"use": "enc"}, {"alg": "RS512"}, {"kid": "two"}):
        provider = replace(provider, issuers=Issuers(provider.issuers.web))
        forger.answers["/jwks"] = {"keys": [public | wrong]}
        forger.sign(claims(provider))
        with pytest.raises(Rejected, match="key"):
            await provider.receive(GIVEN)


async def test_the_metadata_must_be_that_of_exactly_this_issuer(
    provider: OpenIdProvider, forger: Forger
) -> None:
    honest = forger.answers["/.well-known/openid-configuration"]
    for wrong in (
        {"issuer": forger.issuer + "/"},
        {"issuer": None},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ):
        forger.answers["/.well-known/openid-configuration"] = honest | wrong
        with pytest.raises(Rejected):
            await provider.receive(GIVEN)


async def test_userinfo_of_somebody_else_is_refused(provider: OpenIdProvider, forger: Forger) -> None:
    forger.answers["/.well-known/openid-configuration"] |= {"userinfo_endpoint": f"{forger.issuer}/me"}
    forger.sign(claims(provider, email=None))
    forger.answers["/me"] = {"sub": "43", "email": "odette@corp.example"}
    with pytest.raises(Rejected, match="sub_of_userinfo"):
        await provider.receive(GIVEN)
    forger.answers["/me"] = {"sub": "42", "email": "odette@corp.example", "nonce": "x"}
    assert (await provider.receive(GIVEN)).email == "odette@corp.example"
    assert forger.tokens[-1] == "Bearer access"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (web.Response(status=302, headers={"Location": "/jwks"}), "status_302"),
        (web.Response(status=500), "status_500"),
        (web.Response(text="<html>"), "no_json"),
        (web.Response(body=b" " * 300_000), "too_large"),
    ],
)
async def test_what_is_no_answer_is_none(
    web_client: Web, forger: Forger, answer: web.Response, why: str
) -> None:
    forger.answers["/x"] = answer
    with pytest.raises(Unanswered, match=why):
        await web_client.get(f"{forger.issuer}/x")


async def test_nobody_is_asked_inside_the_own_network_or_without_tls(forger: Forger) -> None:
    inside = Web(SsoSettings(allow_http=True))
    plain = Web(LOOPBACK_SSO.model_copy(update={"allow_http": False}))
    port = forger.issuer.rpartition(":")[2]
    for url in (forger.issuer, f"http://localhost:{port}", f"http://[::ffff:127.0.0.1]:{port}"):
        with pytest.raises(Unanswered, match="connection"):
            await inside.get(url)
    for url in (forger.issuer, "file:///etc/passwd"):
        with pytest.raises(Unanswered, match="https_only"):
            await plain.get(url)
    assert forger.asked == []
    await inside.close()
    await plain.close()


def test_pkce_is_that_of_the_rfc() -> None:
    """RFC 7636 appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert pkce_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
