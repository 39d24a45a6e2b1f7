"""Which passwords are refused as the first that all try (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 6.2.4)."""

import gzip
import string
import unicodedata
from collections.abc import Iterable
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
_SHORTEST = 12
_SERVICE = "comptoir"
_SHORTEST_NAME = 4
"""Shorter names are part of too many good passwords."""


class PasswordTooCommon(AppError):
    """The password is among the first that anybody would try, or is made from the address."""

    kind = Kind.UNPROCESSABLE
    reason = "PASSWORD_TOO_COMMON"
    detail = "This password is too easy to guess. A few words that do not belong together are a good one."


def refuse_common(password: str, *, email: str, names: Iterable[str] = (), field: str = "/password") -> None:
    """Lets a password pass, or refuses it. `names` are those of the person's organizations.

    Refused are: passwords on the list, with whatever digits and punctuation around; one short or listed piece
    again and again; runs of the alphabet or the keyboard; whatever holds the own address, what stands before
    its @, one of `names`, or ours; and less than 12 characters in the form in which it is hashed.

    Raises:
        PasswordTooCommon: it is one of those; `field` is the pointer that the refusal names.
    """
    text = unicodedata.normalize("NFC", password).casefold()
    core = text.strip(_DECORATION)
    unit = _repeated_unit(text)
    common = _common_passwords()
    if (
        len(text) < _SHORTEST
        or text in common
        or core in common
        or core in {email, email.partition("@")[0], email.strip(_DECORATION)}
        or _holds_name(text, (email.partition("@")[0], _SERVICE, *names))
        or any(text in run for run in _RUNS)
        or (unit != text and (len(unit) <= _SHORT_UNIT or unit in common))
    ):
        raise PasswordTooCommon(violations=[Violation(field, "is too easy to guess")])


def _holds_name(text: str, names: Iterable[str]) -> bool:
    """Whether the letters and digits of a name follow each other among those of the text."""
    squeezed = _squeeze(text)
    return any(len(name) >= _SHORTEST_NAME and name in squeezed for name in map(_squeeze, names))


def _squeeze(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFC", text).casefold() if each.isalnum())


def _repeated_unit(text: str) -> str:
    """The shortest piece of which `text` is a repetition: itself when it is none."""
    return text[: (text + text).find(text, 1)]


@cache
def _common_passwords() -> frozenset[str]:
    """Lower case: the most common 30 000, of five characters and more."""
    packed = files(__package__).joinpath("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
