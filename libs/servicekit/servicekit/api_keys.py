"""How API keys are written, so that scanners tell them from look-alikes. Knows nothing of their rights.

`cpt_live_<short id>_<secret><checksum>` or `cpt_test_…`: the short id is 10 and the secret 24 characters of
base62 (142 random bits), the checksum the CRC-32 (ISO-HDLC) of everything before it, in base62, filled with
zeros to 6. Scanners check it offline; the short id alone may be logged.
"""

import re
import secrets
import zlib
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PREFIX = b"cpt_"
"""What every key begins with, and no access token does."""

_SHORT, _SECRET, _CHECKSUM = 10, 24, 6
_PATTERN = re.compile(
    rf"cpt_(live|test)_([0-9A-Za-z]{{{_SHORT}}})_([0-9A-Za-z]{{{_SECRET}}})[0-9A-Za-z]{{{_CHECKSUM}}}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """The parts of a key."""

    sandbox: bool
    short_id: str
    secret: str = field(repr=False)

    @classmethod
    def make(cls, *, sandbox: bool, short_id: str | None = None) -> "ApiKeyText":
        """A new secret, under a new short id unless one is given."""
        return cls(sandbox, short_id or _random(_SHORT), _random(_SECRET))

    def show(self) -> str:
        """The key as its holder sees it."""
        body = f"cpt_{'test' if self.sandbox else 'live'}_{self.short_id}_{self.secret}"
        return body + checksum(body)


def parse(text: str) -> ApiKeyText | None:
    """The parts of a key; None when it has not the form of one, or a wrong checksum."""
    found = _PATTERN.fullmatch(text)
    if found is None or checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    return ApiKeyText(found[1] == "test", found[2], found[3])


def checksum(body: str) -> str:
    """The six characters that end a key which begins with `body`."""
    number, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
