"""Published signatures, through the keys and the checks that log-in at providers and access tokens use."""

import base64
import json
import warnings
from typing import Any

import pytest
from joserfc import jws
from joserfc.errors import BadSignatureError, SecurityWarning
from joserfc.jwk import OKPKey

from auth.clients.openid import _fitting, _keys_of, _verified
from auth.tokens import ALGORITHM, Keyring

# RFC 7520 §3.3 and §4.1.3: RS256 over a text.
COOKBOOK_KEY = {
    "kty": "RSA",
    "kid": "bilbo.baggins@hobbiton.example",
    "use": "sig",
    "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMa"
    "JMRBSFKrKb2wqVwGU_NsYOYL"
    "-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT"
    "wJlsde3uhGqC0ZCuEHg8lhzwOHrt"
    "IQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    "e": "AQAB",
}
COOKBOOK = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9"
    ".SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB"
    "0aGUgcm9hZCwgYW5kIGlmIHlvdSBk"
    "b24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
    ".MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7"
    "PNDi84wnB-BDkoBwA78185hX-Es4J"
    "IwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0"
    "ePPQdLuW3IS_de3xyIrDaLGdjluP"
    "xUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
)
# RFC 7515 appendix A.3: ES256 over the claims of a JWT. RFC 7520 has ES512 alone, which we refuse.
ES256_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ES256 = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
# RFC 8037 appendix A.
ED25519_KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
ED25519 = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def _payload(token: str, key: Any, algorithm: str) -> bytes:
    """What a key has signed, as `jwt.decode` checks it before it reads claims."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return bytes(jws.deserialize_compact(token, key, algorithms=[algorithm]).payload)


def _bent(token: str) -> str:
    """The token with the first character of its signature changed."""
    content, _, signature = token.rpartition(".")
    return f"{content}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def test_the_rs256_signature_of_rfc_7520_holds_by_the_key_that_its_header_names() -> None:
    keys = _keys_of({"keys": [ED25519_KEY, COOKBOOK_KEY]})
    (key,) = _fitting(keys, "bilbo.baggins@hobbiton.example", "RS256")
    assert _payload(COOKBOOK, key, "RS256").decode().endswith("where you might be swept off to.")
    with pytest.raises(BadSignatureError):
        _payload(_bent(COOKBOOK), key, "RS256")
    assert _fitting(keys, "frodo.baggins@hobbiton.example", "RS256") == []


def test_the_es256_token_of_rfc_7515_holds() -> None:
    (key,) = _fitting(_keys_of({"keys": [COOKBOOK_KEY, ES256_KEY]}), None, "ES256")
    assert _verified(ES256, key, "ES256")["iss"] == "joe"
    with pytest.raises(BadSignatureError):
        _verified(_bent(ES256), key, "ES256")


def test_the_ed25519_signature_of_rfc_8037_holds_and_our_key_makes_it() -> None:
    (key,) = _fitting(_keys_of({"keys": [ED25519_KEY]}), None, "EdDSA")
    assert _payload(ED25519, key, "EdDSA") == b"Example of Ed25519 signing"
    with pytest.raises(BadSignatureError):
        _payload(_bent(ED25519), key, "EdDSA")
    ours = OKPKey.import_key(ED25519_KEY | {"kid": "rfc-8037"})
    assert ours.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # appendix A.3
    content, _, signature = ED25519.rpartition(".")
    assert ours.private_key.sign(content.encode()) == base64.urlsafe_b64decode(f"{signature}==")
    (published,) = json.loads(Keyring(ours).public_set())["keys"]
    assert (published["x"], published["alg"], "d" in published) == (ED25519_KEY["x"], ALGORITHM, False)
