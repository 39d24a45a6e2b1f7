"""Internal tokens: the clocks of two hosts, which never agree, and every way to confuse a verifier."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from servicekit import ids
from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind
from testkit.keys import Keys

CALLER = Caller(CallerKind.ANONYMOUS, "gateway")


def test_all_that_is_known_of_a_caller_arrives(keys: Keys) -> None:
    known = Caller(
        CallerKind.MEMBER,
        "gateway",
        organization=ids.new(),
        user=ids.new(),
        session=ids.new(),
        role="host",
        permissions=frozenset({"bookings.read"}),
        address="192.0.2.7",
        authenticated_at=1_795_000_000,
        methods=frozenset({"pwd", "otp"}),
        venues=frozenset({ids.new(), ids.new()}),
        key=ids.new(),
        sandbox=True,
        operator=ids.new(),
    )
    for caller in (known, CALLER, replace(known, venues=frozenset())):
        token = keys.signer("gateway").token("booking", caller)
        assert keys.verifier("booking").verify(token) == caller


def _made_elsewhere(keys: Keys, *, ahead: int) -> str:
    """A token of a gateway whose clock is so many seconds ahead; behind, if negative."""
    key = OKPKey.import_key(json.loads(keys.file("gateway").read_text()))
    token = keys.signer("gateway").token("booking", CALLER)
    claims = jwt.decode(token, key, algorithms=["Ed25519"]).claims
    claims = claims | {"iat": claims["iat"] + ahead, "exp": claims["exp"] + ahead}
    return jwt.encode({"alg": "Ed25519", "kid": "gateway"}, claims, key, algorithms=["Ed25519"])


@pytest.mark.parametrize("ahead", [-62, -30, 0, 3])
def test_a_token_of_a_host_whose_clock_is_a_little_off_is_believed(keys: Keys, ahead: int) -> None:
    assert keys.verifier("booking").verify(_made_elsewhere(keys, ahead=ahead)).issuer == "gateway"


@pytest.mark.parametrize("ahead", [-300, -70, 30, 300])
def test_a_token_that_is_over_or_not_yet_made_is_refused(keys: Keys, ahead: int) -> None:
    with pytest.raises(Unauthenticated):
        keys.verifier("booking").verify(_made_elsewhere(keys, ahead=ahead))


GOOD = {"alg": "Ed25519", "kid": "gateway"}


def _key(keys: Keys) -> OKPKey:
    return OKPKey.import_key(json.loads(keys.file("gateway").read_text()))


def _encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _claims(keys: Keys, **changes: Any) -> dict[str, Any]:
    token = keys.signer("gateway").token("booking", CALLER)
    return jwt.decode(token, _key(keys), algorithms=["Ed25519"]).claims | changes


def _forged(keys: Keys, header: Any, **changes: Any) -> str:
    """Signed with the real key of the gateway: only the header, or what is changed, is wrong."""
    content = f"{_encoded(header)}.{_encoded(_claims(keys, **changes))}"
    return f"{content}.{_encoded(_key(keys).private_key.sign(content.encode()))}"


def _hs256_with_the_public_key(keys: Keys) -> str:
    content = f"{_encoded(GOOD | {'alg': 'HS256'})}.{_encoded(_claims(keys))}"
    secret = json.dumps(_key(keys).as_dict(private=False)).encode()
    return f"{content}.{_encoded(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def _by_a_key_of_its_own(keys: Keys) -> str:
    other = OKPKey.generate_key("Ed25519", {"kid": "gateway"}, private=True)
    header = GOOD | {"jwk": other.as_dict(private=False)}
    content = f"{_encoded(header)}.{_encoded(_claims(keys))}"
    return f"{content}.{_encoded(other.private_key.sign(content.encode()))}"


CONFUSIONS: dict[str, Callable[[Keys], str]] = {
    "alg none": lambda keys: f"{_encoded(GOOD | {'alg': 'none'})}.{_encoded(_claims(keys))}.",
    "HS256 with the public key": _hs256_with_the_public_key,
    "another algorithm's name": lambda keys: _forged(keys, GOOD | {"alg": "ES256"}),
    "EdDSA that could be Ed448": lambda keys: _forged(keys, GOOD | {"alg": "EdDSA"}),
    "a kid that is unknown": lambda keys: _forged(keys, GOOD | {"kid": "nobody"}),
    "a kid of another process": lambda keys: _forged(keys, GOOD | {"kid": "support"}),
    "a kid that is a path": lambda keys: _forged(keys, GOOD | {"kid": "../../dev/null"}),
    "no kid": lambda keys: _forged(keys, {"alg": "Ed25519"}),
    "crit": lambda keys: _forged(keys, GOOD | {"crit": ["exp"], "exp": 1}),
    "b64": lambda keys: _forged(keys, GOOD | {"b64": False, "crit": ["b64"]}),
    "jku": lambda keys: _forged(keys, GOOD | {"jku": "https://example.com/keys"}),
    "x5u": lambda keys: _forged(keys, GOOD | {"x5u": "https://example.com/cert"}),
    "jwk": lambda keys: _forged(keys, GOOD | {"jwk": _key(keys).as_dict(private=False)}),
    "jwk that signed": _by_a_key_of_its_own,
    "oversized": lambda keys: _forged(keys, GOOD, filler="x" * 20_000),
    "without an end": lambda keys: _forged(keys, GOOD, exp=None),
    "not begun": lambda keys: _forged(keys, GOOD, nbf=2**33),
    "another audience": lambda keys: _forged(keys, GOOD, aud="auth"),
    "another issuer": lambda keys: _forged(keys, GOOD, iss="auth"),
    "a kind that there is not": lambda keys: _forged(keys, GOOD, kind="root"),
    "a user that is no id": lambda keys: _forged(keys, GOOD, sub="' OR 1=1"),
    "an access token of auth": lambda keys: _forged(keys, GOOD | {"typ": "at+jwt"}, aud="comptoir"),
    "nothing but dots": lambda _: "..",
    "nothing": lambda _: "x",
}


@pytest.mark.parametrize("confusion", CONFUSIONS)
def test_an_internal_token_that_is_not_exactly_ours_is_refused(keys: Keys, confusion: str) -> None:
    token = CONFUSIONS[confusion](keys)
    verifier = keys.verifier("booking")
    for _ in range(2):  # nor is it remembered
        with pytest.raises(Unauthenticated):
            verifier.verify(token)


def test_the_control_the_same_forging_with_a_good_header_is_believed(keys: Keys) -> None:
    for header in (GOOD, GOOD | {"typ": "JWT"}):
        assert keys.verifier("booking").verify(_forged(keys, header)) == CALLER
    assert _claims(keys)["exp"] > time.time()
