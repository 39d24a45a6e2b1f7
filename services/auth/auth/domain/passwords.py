"""Which passwords are refused as the first that all try (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 6.2.4)."""

import gzip
import string
from functools import cache
from importlib.resources import files

from servicekit.errors import AppError, Kind, Violation

_DECORATION = string.digits + string.punctuation + string.whitespace
_KEYBOARD = "qwertyuiopasdfghjklzxcvbnm"
_RUNS = tuple(
    run
    for row in (string.digits * 3, "1234567890" * 3, string.ascii_lowercase * 2, _KEYBOARD * 2)
    for run in (row, row[::-1])
)
_SHORT_UNIT = 4


class PasswordTooCommon(AppError):
    """The password is among the first that anybody would try, or is made from the address."""

    kind = Kind.UNPROCESSABLE
    reason = "PASSWORD_TOO_COMMON"
    detail = "This password is too easy to guess. A few words that do not belong together are a good one."


def refuse_common(password: str, *, email: str) -> None:
    """Lets a password pass, or refuses it.

    Refused are: passwords on the list, with whatever digits and punctuation around; one short or listed piece
    again and again; runs of the alphabet or the keyboard; and the own address.

    Raises:
        PasswordTooCommon: it is one of those.
    """
    text = password.casefold()
    core = text.strip(_DECORATION)
    unit = _repeated_unit(text)
    common = _common_passwords()
    if (
        text in common
        or core in common
        or core in {email, email.partition("@")[0], email.strip(_DECORATION)}
        or any(text in run for run in _RUNS)
        or (unit != text and (len(unit) <= _SHORT_UNIT or unit in common))
    ):
        raise PasswordTooCommon(violations=[Violation("/password", "is too easy to guess")])


def _repeated_unit(text: str) -> str:
    """The shortest piece of which `text` is a repetition: itself when it is none."""
    return text[: (text + text).find(text, 1)]


@cache
def _common_passwords() -> frozenset[str]:
    """Lower case: the most common 3000 of five characters and more, and all known ones of twelve and more."""
    packed = files(__package__).joinpath("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
