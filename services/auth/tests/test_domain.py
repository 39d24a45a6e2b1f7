"""The rules alone: refresh tokens, what trading them does, passwords, names and addresses."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from hypothesis import given
from hypothesis import strategies as st

from auth.domain.accounts import Registration, VerificationTokenInvalid, normalise_email
from auth.domain.passwords import PasswordTooCommon, refuse_common
from auth.domain.sessions import (
    EndReason,
    Lifetimes,
    RefreshToken,
    RefreshTokenInvalid,
    Session,
)
from servicekit import ids
from servicekit.errors import InvalidRequest

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
IDLE = timedelta(days=7)
LIFETIMES = Lifetimes(access_token=timedelta(minutes=10), session=timedelta(days=30), idle=IDLE)
KEY = b"k" * 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
uuids = st.uuids()
counters = st.integers(min_value=0, max_value=2**40)
keys = st.binary(min_size=32, max_size=32)


def fresh(counter: int = 0) -> Session:
    session = Session.open(
        ids.new(),
        organization_id=ids.new(),
        user_id=ids.new(),
        methods=["pwd"],
        device="Firefox on Linux",
        address="192.0.2.7",
        now=NOW,
        lifetimes=LIFETIMES,
    )
    return replace(session, counter=counter)


@given(uuids, counters, keys)
def test_a_refresh_token_reads_back_as_it_was_written(session: UUID, counter: int, key: bytes) -> None:
    token = RefreshToken.sign(session, counter, key)
    read = RefreshToken.parse(token.text())
    assert read == token
    read.verify([key])


@given(uuids, counters)
def test_the_layout_is_version_session_varint_mac_checksum(session: UUID, counter: int) -> None:
    text = RefreshToken.sign(session, counter, KEY).text()
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    assert raw[0] == 0
    assert raw[1:17] == session.bytes
    assert raw[17:-20] == _VarintBytes(counter)


@given(uuids, counters, st.data())
def test_a_token_with_any_character_changed_is_refused(
    session: UUID, counter: int, data: st.DataObject
) -> None:
    text = RefreshToken.sign(session, counter, KEY).text()
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([each for each in ALPHABET if each != text[place]]))
    with pytest.raises(RefreshTokenInvalid):
        RefreshToken.parse(text[:place] + other + text[place + 1 :]).verify([KEY])


@given(
    st.one_of(
        st.text(), st.text(alphabet=ALPHABET), st.binary().map(lambda raw: base64.b64encode(raw).decode())
    )
)
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(RefreshTokenInvalid):
        RefreshToken.parse(text)


def test_a_counter_written_the_long_way_is_refused() -> None:
    token = RefreshToken.sign(ids.new(), 5, KEY)
    raw = base64.urlsafe_b64decode(token.text() + "=" * (-len(token.text()) % 4))
    padded = raw[:17] + b"\x85\x00" + raw[18:]
    with pytest.raises(RefreshTokenInvalid):
        RefreshToken.parse(base64.urlsafe_b64encode(padded).rstrip(b"=").decode())


@given(uuids, counters, keys, keys)
def test_another_sessions_key_does_not_verify(session: UUID, counter: int, mine: bytes, other: bytes) -> None:
    token = RefreshToken.sign(session, counter, mine)
    if mine != other:
        with pytest.raises(RefreshTokenInvalid):
            token.verify([other])
    token.verify([other, mine])


@given(st.lists(st.integers(0, 12), max_size=30), st.sampled_from([0.1, 9, 3600]))
def test_trading_follows_the_four_rules_whatever_is_presented(presented: list[int], seconds: float) -> None:
    """The oracle: newest rotates, parent is forgiven, older ends it, unseen is refused, over stays over."""
    session, newest, over = fresh(), 0, False
    for step, counter in enumerate(presented):
        now = NOW + timedelta(seconds=step * seconds)
        if over or counter > newest:
            with pytest.raises(RefreshTokenInvalid):
                session.trade(counter, now=now, idle=IDLE)
            continue
        session = session.trade(counter, now=now, idle=IDLE)
        if counter == newest:
            newest += 1
        elif counter < newest - 1:
            over = True
        assert session.counter == newest
        assert (session.ended_at is not None) == over


@pytest.mark.parametrize(
    ("later", "holds"),
    [
        (IDLE - timedelta(seconds=1), True),
        (IDLE, False),
        (timedelta(days=30), False),
    ],
)
def test_a_session_ends_by_itself_when_it_is_not_used(later: timedelta, *, holds: bool) -> None:
    if holds:
        assert fresh().trade(0, now=NOW + later, idle=IDLE).last_used_at == NOW + later
    else:
        with pytest.raises(RefreshTokenInvalid):
            fresh().trade(0, now=NOW + later, idle=IDLE)


def test_a_session_ends_after_thirty_days_however_much_it_is_used() -> None:
    session = fresh()
    for day in range(1, 30):
        session = session.trade(session.counter, now=NOW + timedelta(days=day), idle=IDLE)
    with pytest.raises(RefreshTokenInvalid):
        session.trade(session.counter, now=NOW + timedelta(days=30), idle=IDLE)


def test_a_session_stays_ended_since_the_first_time() -> None:
    ended = fresh().end(NOW, EndReason.REVOKED)
    assert ended.end(NOW + timedelta(hours=1), EndReason.LOGGED_OUT) == ended


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "Password1234!",
        "PASSWORD 2026",
        "qwertyuiop12",
        "1qaz2wsx3edc4rfv",
        "passwordpassword",
        "aaaaaaaaaaaaaa",
        "abcabcabcabc",
        "123456789012",
        "987654321098",
        "lkjhgfdsapoiuytrewq",
        "paulette12345",
        "paulette@example.org",
        "letmein!!!!!",
    ],
)
def test_passwords_that_anybody_tries_first_are_refused(password: str) -> None:
    with pytest.raises(PasswordTooCommon) as refusal:
        refuse_common(password, email="paulette@example.org")
    assert [each.pointer for each in refusal.value.violations] == ["/password"]
    assert password not in str(refusal.value.violations)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "seven herons over the canal",
        "840192837465",
        "Zx9!vbQ2#nL0",
        "🦢🦢 seven swans 🦢",
    ],
)
def test_other_passwords_pass_whatever_they_are_made_of(password: str) -> None:
    refuse_common(password, email="paulette@example.org")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Paulette@Example.ORG ", "paulette@example.org"),
        ("paulette@example.org\x00", ""),
        ("a\nb@example.org", ""),
    ],
)
def test_addresses_are_kept_in_one_form(typed: str, kept: str) -> None:
    assert normalise_email(typed) == kept


def begin(
    display_name: str = "Paulette", organization_name: str = "Chez Paulette", language: str = ""
) -> Registration:
    return Registration.begin(
        ids.new(),
        email="paulette@example.org",
        display_name=display_name,
        organization_name=organization_name,
        language=language,
        password_hash="…",
        now=NOW,
    )


@pytest.mark.parametrize("name", ["   ", "a\x00b", "two\nlines"])
def test_names_that_nobody_can_read_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest) as first:
        begin(display_name=name)
    with pytest.raises(InvalidRequest) as second:
        begin(organization_name=name)
    pointers = [error.value.violations[0].pointer for error in (first, second)]
    assert pointers == ["/display_name", "/organization_name"]


def test_a_registration_is_trimmed_and_speaks_english_by_default() -> None:
    registration = begin(display_name=" Zoé ", organization_name=" دار الضيافة ")
    assert (registration.display_name, registration.organization_name) == ("Zoé", "دار الضيافة")
    assert registration.language == "en"


def test_a_registration_comes_true_once_and_within_a_day() -> None:
    registration = begin()
    done = registration.complete(ids.new(), NOW + timedelta(hours=23))
    assert done.completed_at == NOW + timedelta(hours=23)
    with pytest.raises(VerificationTokenInvalid):
        done.complete(ids.new(), NOW + timedelta(hours=23))
    with pytest.raises(VerificationTokenInvalid):
        registration.complete(ids.new(), NOW + timedelta(hours=24))
