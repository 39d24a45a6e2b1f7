"""Access tokens and key sets, verified by hand and not with the library that made them."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from joserfc.jwk import OKPKey

from auth.domain.roles import Grant
from auth.domain.sessions import Lifetimes, RefreshToken, RefreshTokenInvalid, Session
from auth.tokens import Keyring
from servicekit import ids, permissions

NOW = datetime(2026, 11, 21, 12, 0, 0, 900_000, tzinfo=UTC)
LIFETIME = timedelta(minutes=10)
SESSION = Session.open(
    ids.new(),
    organization_id=ids.new(),
    user_id=ids.new(),
    methods=["pwd", "otp", "pwd"],
    device="",
    address="",
    now=NOW,
    lifetimes=Lifetimes(access_token=LIFETIME, session=timedelta(days=30), idle=timedelta(days=7)),
)


def new_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"use": "sig"}, private=True, auto_kid=True)


def unpack(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def read(token: str, public: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, once the signature proved right (RFC 7515 §5.2, RFC 8037 §3.1)."""
    head, body, signature = token.split(".")
    Ed25519PublicKey.from_public_bytes(unpack(public["x"])).verify(
        unpack(signature), f"{head}.{body}".encode()
    )
    return json.loads(unpack(head)), json.loads(unpack(body))


def test_an_access_token_says_who_acts_where_until_when() -> None:
    keyring = Keyring(new_key())
    (public,) = json.loads(keyring.public_set())["keys"]
    header, claims = read(keyring.access_token(SESSION, Grant.of("host"), now=NOW, lifetime=LIFETIME), public)
    assert header == {"alg": "Ed25519", "kid": public["kid"], "typ": "at+jwt"}
    token_id = claims.pop("jti")
    assert len(token_id) == 32
    assert claims == {
        "iss": "comptoir-auth",
        "aud": "comptoir",
        "sub": str(SESSION.user_id),
        "org": str(SESSION.organization_id),
        "sid": str(SESSION.id),
        "role": "host",
        "scope": " ".join(sorted(permissions.of_role("host"))),
        "amr": ["otp", "pwd"],
        "auth_time": int(NOW.timestamp()),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
    }


def test_no_two_access_tokens_are_the_same() -> None:
    keyring = Keyring(new_key())
    made = {keyring.access_token(SESSION, Grant.of("host"), now=NOW, lifetime=LIFETIME) for _ in range(5)}
    assert len(made) == 5


def test_another_key_does_not_verify_it() -> None:
    token = Keyring(new_key()).access_token(SESSION, Grant.of("host"), now=NOW, lifetime=LIFETIME)
    (public,) = json.loads(Keyring(new_key()).public_set())["keys"]
    with pytest.raises(InvalidSignature):
        read(token, public)


def test_the_key_set_holds_public_parts_only() -> None:
    current, previous = new_key(), new_key()
    keys = json.loads(Keyring(current, previous).public_set())["keys"]
    assert [key["kid"] for key in keys] == [current.kid, previous.kid]
    for key in keys:
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "Ed25519", "sig")


def test_sessions_outlive_a_rotation_of_the_key_while_the_previous_file_stays() -> None:
    old, new = new_key(), new_key()
    token = RefreshToken.parse(Keyring(old).refresh_token(SESSION))
    rotated = Keyring(new, old)
    token.verify(rotated.refresh_keys(SESSION))
    again = RefreshToken.parse(rotated.refresh_token(SESSION))
    again.verify(Keyring(new).refresh_keys(SESSION))
    with pytest.raises(RefreshTokenInvalid):
        token.verify(Keyring(new).refresh_keys(SESSION))


def test_a_previous_key_without_its_private_part_is_published_but_signs_nothing() -> None:
    old, new = new_key(), new_key()
    public_only = OKPKey.import_key(old.as_dict(private=False))
    keyring = Keyring(new, public_only)
    assert len(json.loads(keyring.public_set())["keys"]) == 2
    assert len(keyring.refresh_keys(SESSION)) == 1


def test_what_the_database_holds_does_not_make_a_refresh_token() -> None:
    forged = RefreshToken.sign(SESSION.id, SESSION.counter, SESSION.salt)
    with pytest.raises(RefreshTokenInvalid):
        forged.verify(Keyring(new_key()).refresh_keys(SESSION))


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    current, previous = new_key(), new_key()
    for name, key in (("current", current), ("previous", previous)):
        (tmp_path / name).write_text(json.dumps(key.as_dict(private=True)), encoding="utf-8")
    read_back = Keyring.load(tmp_path / "current", tmp_path / "previous")
    assert read_back.public_set() == Keyring(current, previous).public_set()


@pytest.mark.parametrize(
    "key",
    [
        OKPKey.import_key(new_key().as_dict(private=False)),
        OKPKey.generate_key("Ed25519", private=True, auto_kid=False),
        OKPKey.generate_key("X25519", {"kid": "x"}, private=True),
    ],
    ids=["public", "nameless", "another curve"],
)
def test_a_key_that_cannot_sign_is_refused_at_start(key: OKPKey) -> None:
    with pytest.raises(ValueError, match="private Ed25519"):
        Keyring(key)
