"""Internal tokens and the clocks of two hosts, which never agree to the second."""

import json
from dataclasses import replace

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
