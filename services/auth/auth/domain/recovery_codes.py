"""Recovery codes: for whoever lost the other factors. Each works once. Never does I/O."""

import hashlib
import secrets

from servicekit.errors import AppError, Kind

CODES = 10
_GROUPS = 5
_GROUP = 5
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ALIKE = str.maketrans("oil", "011", " -\t")


class NoSecondFactor(AppError):
    """Recovery codes stand in for another factor, and the person has none."""

    kind = Kind.REFUSED
    reason = "NO_SECOND_FACTOR"
    detail = "Add an authenticator app or a passkey first."


def new_codes() -> list[str]:
    """Ten codes like "7k2pd-…", of 125 random bits each."""
    return [_new_code() for _ in range(CODES)]


def code_hash(code: str) -> bytes:
    """What is kept of a code. A plain hash is enough from 112 random bits on (ASVS 5.0, 6.5.2).

    Read as it is meant: case, spaces, dashes and letters that look like digits make no difference.
    """
    return hashlib.sha256(code.lower().translate(_ALIKE).encode()).digest()


def _new_code() -> str:
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)
