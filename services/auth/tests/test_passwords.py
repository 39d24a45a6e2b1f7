"""Passwords that people choose: what lists and names refuse, and how they are hashed (RFC 9106)."""

import pytest
from argon2.low_level import Type, core, ffi, lib

from auth.app import App
from auth.domain.passwords import PasswordTooCommon, refuse_common
from auth.hashing import Passwords
from auth.usecases.new_passwords import hash_new_password

EMAIL = "paulette@example.org"
LEAKED = ".arflorencia"
"""From SecLists' common credentials; of no dictionary and no pattern that we know of."""


@pytest.mark.parametrize(
    "password",
    [
        "my paulette and me",
        "PAULETTE in the garden",
        "le petit chez-paulette du port",
        "at Chez  Paulette, 1987",
        "comptoir of the old harbour",
        "dragonfly 2026 !!",
    ],
)
def test_passwords_made_of_names_or_of_one_word_are_refused(password: str) -> None:
    with pytest.raises(PasswordTooCommon):
        refuse_common(password, email=EMAIL, names=["Chez Paulette"])


def test_a_short_name_is_part_of_many_good_passwords_and_refuses_none() -> None:
    refuse_common("seven herons over the canal", email="the@example.org", names=["Cana", "One"][1:])
    with pytest.raises(PasswordTooCommon):
        refuse_common("seven herons over the canal", email="the@example.org", names=["Canal"])


def test_what_another_spelling_makes_shorter_is_counted_in_the_one_that_is_hashed() -> None:
    decomposed = "e\u0301" * 3 + "xq9vwt"
    assert len(decomposed) == 12
    with pytest.raises(PasswordTooCommon):
        refuse_common(decomposed, email=EMAIL)


async def test_a_password_that_leaked_is_refused_in_any_case_and_named_by_its_field(app: App) -> None:
    refuse_common(LEAKED, email=EMAIL)
    for password in (LEAKED, LEAKED.upper()):
        with pytest.raises(PasswordTooCommon) as refusal:
            await hash_new_password(app, password, email=EMAIL, field="/new_password")
        assert [each.pointer for each in refusal.value.violations] == ["/new_password"]
        assert password not in str(refusal.value.violations)


async def test_a_password_fits_however_a_keyboard_spells_it_and_nothing_else_is_changed(
    passwords: Passwords,
) -> None:
    kept = await passwords.hash("sept he\u0301rons sur le canal")
    assert (await passwords.verify(kept, "sept h\u00e9rons sur le canal")).fits
    assert not (await passwords.verify(kept, "sept herons sur le canal")).fits
    ligature = await passwords.hash("\ufb01ve herons over the canal")
    assert not (await passwords.verify(ligature, "five herons over the canal")).fits


@pytest.mark.parametrize(
    ("kind", "tag"),
    [
        (Type.D, "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb"),
        (Type.I, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8"),
        (Type.ID, "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"),
    ],
)
def test_argon2_computes_the_published_vectors(kind: Type, tag: str) -> None:
    """RFC 9106 §5.1 to §5.3: with a secret and associated data, which only the lowest level takes."""
    out = ffi.new("uint8_t[]", 32)
    password, salt = ffi.new("uint8_t[]", b"\x01" * 32), ffi.new("uint8_t[]", b"\x02" * 16)
    secret, data = ffi.new("uint8_t[]", b"\x03" * 8), ffi.new("uint8_t[]", b"\x04" * 12)
    context = ffi.new(
        "argon2_context *",
        {
            "version": 0x13,
            "out": out,
            "outlen": 32,
            "pwd": password,
            "pwdlen": 32,
            "salt": salt,
            "saltlen": 16,
            "secret": secret,
            "secretlen": 8,
            "ad": data,
            "adlen": 12,
            "t_cost": 3,
            "m_cost": 32,
            "lanes": 4,
            "threads": 4,
            "allocate_cbk": ffi.NULL,
            "free_cbk": ffi.NULL,
            "flags": lib.ARGON2_DEFAULT_FLAGS,
        },
    )
    assert core(context, kind.value) == lib.ARGON2_OK
    assert bytes(ffi.buffer(out)).hex() == tag
