"""Access tokens: what passes, every way to confuse a verifier, and what happens while auth is away."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from joserfc.jwk import OKPKey

from gateway.revocations import Revocations
from gateway.signing_keys import SigningKeys
from gateway.tokens import AccessTokens
from servicekit.errors import Unauthenticated, Unavailable
from servicekit.identity import CallerKind

AVAILABILITY = "/v1/venues/chez-paulette/availability?date=2027-10-31&party_size=2"


def nothing_revoked() -> Revocations:
    async def fetch(_since: float | None) -> tuple[list[UUID], float]:
        return [], 0

    return Revocations(fetch)


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(access: Any, header: dict[str, Any], **changes: Any) -> str:
    """A token with any header, signed with the real key: only the header is wrong."""
    content = f"{encoded(header)}.{encoded(access.claims(**changes))}"
    return f"{content}.{encoded(access.key.private_key.sign(content.encode()))}"


GOOD = {"alg": "Ed25519", "kid": "access-1", "typ": "at+jwt"}


def hs256_with_the_public_key(access: Any) -> str:
    content = f"{encoded(GOOD | {'alg': 'HS256'})}.{encoded(access.claims())}"
    secret = json.dumps(access.key.as_dict(private=False)).encode()
    return f"{content}.{encoded(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def signed_by_somebody_else(access: Any) -> str:
    other = OKPKey.generate_key("Ed25519", {"kid": "access-1"}, private=True)
    return str(type(access)(other).sign())


def with_changed_claims(access: Any) -> str:
    head, _, signature = access.sign(role="viewer").split(".")
    return f"{head}.{encoded(access.claims(role='owner'))}.{signature}"


CONFUSIONS: dict[str, Callable[[Any], str]] = {
    "alg none": lambda access: f"{encoded(GOOD | {'alg': 'none'})}.{encoded(access.claims())}.",
    "HS256 with the public key": hs256_with_the_public_key,
    "another algorithm's name": lambda access: forged(access, GOOD | {"alg": "ES256"}),
    "EdDSA that could be Ed448": lambda access: forged(access, GOOD | {"alg": "EdDSA"}),
    "a kid that is unknown": lambda access: forged(access, GOOD | {"kid": "access-2"}),
    "a kid that is a path": lambda access: forged(access, GOOD | {"kid": "../../dev/null"}),
    "a kid that is a number": lambda access: forged(access, GOOD | {"kid": 1}),
    "no kid": lambda access: forged(access, {"alg": "Ed25519", "typ": "at+jwt"}),
    "crit": lambda access: forged(access, GOOD | {"crit": ["exp"], "exp": 1}),
    "jku": lambda access: forged(access, GOOD | {"jku": "https://example.com/keys"}),
    "jwk": lambda access: forged(access, GOOD | {"jwk": access.key.as_dict(private=False)}),
    "x5u": lambda access: forged(access, GOOD | {"x5u": "https://example.com/cert"}),
    "b64": lambda access: forged(access, GOOD | {"b64": False}),
    "another type": lambda access: forged(access, GOOD | {"typ": "dpop+jwt"}),
    "any JWT": lambda access: forged(access, GOOD | {"typ": "JWT"}),
    "no type": lambda access: forged(access, {"alg": "Ed25519", "kid": "access-1"}),
    "a header that is a list": lambda access: forged(access, ["Ed25519"]),  # type: ignore[arg-type]
    "expired": lambda access: access.sign(iat=1, exp=2),
    "without an end": lambda access: access.sign(exp=None),
    "not begun": lambda access: access.sign(nbf=2**33),
    "another audience": lambda access: access.sign(aud="booking"),
    "another issuer": lambda access: access.sign(iss="comptoir-gateway"),
    "without the time of the log-in": lambda access: access.sign(auth_time=None),
    "venues that are no ids": lambda access: access.sign(ven=["*"]),
    "a scope that is a list": lambda access: access.sign(scope=["bookings.read"]),
    "no organization": lambda access: access.sign(org=None),
    "an organization that is no id": lambda access: access.sign(org="' OR 1=1"),
    "a user that is a number": lambda access: access.sign(sub=1),
    "signed by somebody else": signed_by_somebody_else,
    "changed claims": with_changed_claims,
    "a signature cut off": lambda access: access.sign()[:-4],
    "four parts": lambda access: access.sign() + ".x",
    "nothing but dots": lambda _: "..",
    "not base64": lambda _: "é.é.é",
    "too long": lambda access: access.sign(filler="x" * 5000),
}


@pytest.mark.parametrize("confusion", CONFUSIONS)
async def test_a_token_that_is_not_exactly_ours_is_refused_even_on_a_public_route(
    client: httpx.AsyncClient, backend: Any, access: Any, confusion: str
) -> None:
    token = CONFUSIONS[confusion](access)
    headers = {"Authorization": f"Bearer {token}".encode()}
    answer = await client.get(AVAILABILITY, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert backend.calls == 0


async def test_the_control_a_token_with_the_same_forging_and_a_good_header_passes(
    client: httpx.AsyncClient, backend: Any, access: Any
) -> None:
    headers = {"Authorization": f"bearer {forged(access, GOOD)}"}
    assert (await client.get(AVAILABILITY, headers=headers)).status_code == 200
    assert backend.caller.kind is CallerKind.MEMBER


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x"])
async def test_another_authorization_is_refused(client: httpx.AsyncClient, header: str) -> None:
    answer = await client.get(AVAILABILITY, headers={"Authorization": header})
    assert answer.status_code == 401


async def test_two_authorizations_are_refused(client: httpx.AsyncClient, access: Any) -> None:
    twice = [("Authorization", f"Bearer {access.sign()}")] * 2
    assert (await client.get(AVAILABILITY, headers=twice)).status_code == 401


async def test_a_route_for_members_needs_a_token(client: httpx.AsyncClient, backend: Any) -> None:
    answer = await client.get("/v1/bookings/bkg_1")
    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert backend.calls == 0


@pytest.mark.parametrize("role", ["viewer", "accountant", "nobody"])
async def test_a_role_without_the_permission_is_refused(
    client: httpx.AsyncClient, backend: Any, access: Any, role: str
) -> None:
    answer = await client.post("/v1/bookings/bkg_1/cancel", headers=access.bearer(role=role))
    assert (answer.status_code, answer.json()["reason"]) == (403, "PERMISSION_DENIED")
    assert backend.calls == 0


class Auth:
    """Auth as the gateway's key store sees it."""

    def __init__(self, *keys: OKPKey) -> None:
        self.keys = list(keys)
        self.down = False
        self.asked = 0
        self.text: str | None = None

    async def fetch(self) -> str:
        self.asked += 1
        if self.down:
            raise Unavailable
        return self.text or json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]})


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_an_unknown_key_is_asked_for_but_not_more_often_than_every_ten_seconds(access: Any) -> None:
    auth, clock = Auth(access.key), Clock()
    keys = SigningKeys(auth.fetch, clock=clock)
    await keys.find("access-1")
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            await keys.find("access-2")
    assert auth.asked == 1
    auth.keys.append(OKPKey.generate_key("Ed25519", {"kid": "access-2"}, private=True))
    clock.now += 11
    assert (await keys.find("access-2")).kid == "access-2"
    assert auth.asked == 2


async def test_keys_are_kept_while_auth_is_down(access: Any) -> None:
    auth, clock = Auth(access.key), Clock()
    keys = SigningKeys(auth.fetch, clock=clock)
    tokens = AccessTokens(keys, nothing_revoked())
    authorization = access.bearer()["Authorization"].encode()
    await tokens.caller(authorization, "")
    auth.down = True
    clock.now += 3600
    with pytest.raises(Unauthenticated):
        await keys.find("access-2")
    assert (await tokens.caller(authorization, "another address")).user == access.user


async def test_without_any_key_a_token_is_neither_good_nor_bad(access: Any) -> None:
    auth, clock = Auth(access.key), Clock()
    auth.down = True
    keys = SigningKeys(auth.fetch, clock=clock)
    with pytest.raises(Unavailable):
        await AccessTokens(keys, nothing_revoked()).caller(access.bearer()["Authorization"].encode(), "")
    with pytest.raises(Unavailable):
        await keys.published()
    auth.down = False
    clock.now += 3
    assert json.loads(await keys.published())["keys"][0]["kid"] == "access-1"


async def test_a_key_set_that_is_none_is_not_taken(access: Any) -> None:
    auth, clock = Auth(access.key), Clock()
    keys = SigningKeys(auth.fetch, clock=clock)
    await keys.find("access-1")
    for text in ("{", "[]", '{"keys": [{"crv": "Ed25519"}]}'):
        auth.text = text
        clock.now += 11
        with pytest.raises(Unauthenticated):
            await keys.find("access-2")
        assert (await keys.find("access-1")).kid == "access-1"


async def test_only_public_parts_are_published(access: Any) -> None:
    auth = Auth(access.key)
    auth.text = json.dumps({"keys": [access.key.as_dict(private=True)]})
    assert b'"d"' not in await SigningKeys(auth.fetch).published()


async def test_a_verified_token_is_good_until_it_expires(access: Any) -> None:
    auth, clock = Auth(access.key), Clock()
    tokens = AccessTokens(SigningKeys(auth.fetch), nothing_revoked(), clock=clock)
    claims = access.claims()
    authorization = f"Bearer {access.sign(exp=claims['exp'])}".encode()
    first = await tokens.caller(authorization, "192.0.2.1")
    assert await tokens.caller(authorization, "192.0.2.1") is first
    assert (await tokens.caller(authorization, "192.0.2.2")).address == "192.0.2.2"
    clock.now = claims["exp"] + 1
    assert await tokens.caller(authorization, "192.0.2.1") is not first
