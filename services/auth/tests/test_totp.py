"""One-time passwords and recovery codes by the rules alone: published vectors, the window, and replay."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.domain import recovery_codes
from auth.domain.totp import (
    ENROLMENT,
    CodeWrong,
    Totp,
    TotpExists,
    TotpNotFound,
    enrolment_uri,
    hotp,
    new_secret,
    shown_secret,
)
from auth.sealing import Seal, SealBroken
from servicekit import ids

RFC_SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 21, 12, 0, 7, tzinfo=UTC)
COUNTER = int(NOW.timestamp()) // 30
APP = Totp(ids.new(), b"sealed", begun_at=NOW, confirmed_at=NOW)


# RFC 4226, appendix D.
@pytest.mark.parametrize(
    ("counter", "code"),
    [
        (0, "755224"),
        (1, "287082"),
        (2, "359152"),
        (3, "969429"),
        (4, "338314"),
        (5, "254676"),
        (6, "287922"),
        (7, "162583"),
        (8, "399871"),
        (9, "520489"),
    ],
)
def test_the_vectors_of_rfc_4226(counter: int, code: str) -> None:
    assert hotp(RFC_SECRET, counter) == code


# RFC 6238, appendix B, SHA-1.
@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238(seconds: int, code: str) -> None:
    assert hotp(RFC_SECRET, seconds // 30, digits=8) == code
    moment = datetime.fromtimestamp(seconds, UTC)
    accepted = APP.accept(RFC_SECRET, code[-6:], now=moment)
    assert accepted is not None
    assert accepted.last_counter == seconds // 30


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_the_clock_of_a_device_may_be_half_a_minute_off(steps: int, *, taken: bool) -> None:
    assert (APP.accept(RFC_SECRET, hotp(RFC_SECRET, COUNTER + steps), now=NOW) is not None) is taken


def test_neither_a_code_nor_an_older_one_is_accepted_after_it() -> None:
    code, newer = hotp(RFC_SECRET, COUNTER - 1), hotp(RFC_SECRET, COUNTER)
    used = APP.accept(RFC_SECRET, newer, now=NOW)
    assert used is not None
    assert used.accept(RFC_SECRET, newer, now=NOW) is None
    assert used.accept(RFC_SECRET, code, now=NOW) is None
    assert used.accept(RFC_SECRET, hotp(RFC_SECRET, COUNTER + 1), now=NOW) is not None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "\u0660" * 6, "abcdef", "000000\x00"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert APP.accept(RFC_SECRET, code, now=NOW) is None


def test_an_app_is_confirmed_once_and_by_the_right_code_in_time() -> None:
    begun = replace(APP, confirmed_at=None)
    code = hotp(RFC_SECRET, COUNTER)
    confirmed = begun.confirm(RFC_SECRET, code, now=NOW)
    assert (confirmed.confirmed_at, confirmed.last_counter) == (NOW, COUNTER)
    with pytest.raises(CodeWrong):
        begun.confirm(RFC_SECRET, hotp(RFC_SECRET, COUNTER + 7), now=NOW)
    with pytest.raises(TotpExists):
        confirmed.confirm(RFC_SECRET, hotp(RFC_SECRET, COUNTER + 1), now=NOW)
    late = NOW + ENROLMENT
    with pytest.raises(TotpNotFound):
        begun.confirm(RFC_SECRET, hotp(RFC_SECRET, int(late.timestamp()) // 30), now=late)


def test_the_uri_says_what_apps_need() -> None:
    secret = new_secret()
    uri = urlsplit(enrolment_uri(secret, "paulette+1@example.org"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == "/Comptoir:paulette+1@example.org"
    assert parse_qs(uri.query) == {
        "secret": [shown_secret(secret)],
        "issuer": ["Comptoir"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
    assert len(secret) == 20
    assert re.fullmatch("[A-Z2-7]{32}", shown_secret(secret))
    assert new_secret() != secret


def test_recovery_codes_are_read_as_they_are_meant() -> None:
    codes = recovery_codes.new_codes()
    assert len(codes) == len(set(codes)) == 10
    code = codes[0]
    assert re.fullmatch(r"([0-9a-hjkmnp-tv-z]{5}-){4}[0-9a-hjkmnp-tv-z]{5}", code)
    kept = recovery_codes.code_hash(code)
    assert len(kept) == 32
    for typed in (code.upper(), code.replace("-", " "), code.replace("1", "l").replace("0", "O")):
        assert recovery_codes.code_hash(typed) == kept
    assert recovery_codes.code_hash(codes[1]) != kept


@given(secret=st.binary(max_size=64), moved=st.integers(0, 200))
def test_what_is_sealed_opens_for_its_row_alone_and_not_when_tampered_with(secret: bytes, moved: int) -> None:
    seal = Seal(bytes(32))
    sealed = seal.close_up(secret, bound_to=b"mine")
    assert seal.open_up(sealed, bound_to=b"mine") == secret
    assert seal.close_up(secret, bound_to=b"mine") != sealed
    at = moved % len(sealed)
    tampered = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
    for broken, row, key in (
        (sealed, b"theirs", bytes(32)),
        (tampered, b"mine", bytes(32)),
        (sealed, b"mine", b"\x01" * 32),
    ):
        with pytest.raises(SealBroken):
            Seal(key).open_up(broken, bound_to=row)
