"""UUIDv7 identifiers and their typed text form `bkg_…` (TypeID). Text ids exist only at the edges."""

import os
import time
from functools import lru_cache
from uuid import UUID

from servicekit.errors import AppError

_LENGTH = 26
_SHIFTS = range(120, -1, -10)
_SANDBOX_VERSION = 8
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS = frozenset(_CROCKFORD)
_PYTHON_32 = "0123456789abcdefghijklmnopqrstuv"
_DIGITS_OF = [first + second for first in _CROCKFORD for second in _CROCKFORD]
"""Two digits at a time: ids are shown in every answer, many times."""
_TO_PYTHON = str.maketrans(_CROCKFORD, _PYTHON_32)


def new() -> UUID:
    """A UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits; sorts by time of making."""
    random = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


@lru_cache(maxsize=16_384)
def show(prefix: str, value: UUID) -> str:
    """The text form: prefix, underscore and 26 characters of Crockford base32 (TypeID specification 0.3)."""
    number = value.int
    pairs = [_DIGITS_OF[number >> shift & 1023] for shift in _SHIFTS]
    return f"{prefix}_{''.join(pairs)}"


def parse(prefix: str, text: str, missing: type[AppError]) -> UUID:
    """The UUID of a text id.

    Raises:
        AppError: `missing`, when the text is not such an id: a malformed id is one that does not exist.
    """
    head, _, digits = text.rpartition("_")
    if head != prefix or len(digits) != _LENGTH or digits[0] > "7":
        raise missing
    if not _DIGITS.issuperset(digits):
        raise missing
    return UUID(int=int(digits.translate(_TO_PYTHON), 32))


def new_sandbox() -> UUID:
    """The id of a sandbox organization: as `new` makes them, but of version 8 (RFC 9562 §5.8)."""
    return UUID(int=new().int & ~(0xF << 76) | _SANDBOX_VERSION << 76)


def is_sandbox(organization: UUID | None) -> bool:
    """Whether an organization is a sandbox: no real mail, no real money.

    Its id alone says so, in every service and at every time: no event has to arrive first.
    """
    return organization is not None and organization.int >> 76 & 0xF == _SANDBOX_VERSION
