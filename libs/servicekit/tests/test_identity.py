"""Internal tokens and the clocks of two hosts, which never agree to the second."""

import json

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey

from servicekit.errors import Unauthenticated
from servicekit.identity import Caller, CallerKind
from testkit.keys import Keys

CALLER = Caller(CallerKind.ANONYMOUS, "gateway")


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
