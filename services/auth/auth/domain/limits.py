"""How often something may be asked for, in a window that begins with the first time. Never does I/O."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a window, for each of those who are counted."""

    name: str
    most: int
    window: timedelta

    def key(self, who: str) -> bytes:
        """What a count is kept under: a hash, so that a table of counts tells nobody's address."""
        return hashlib.sha256(f"{self.name}\x00{who}".encode()).digest()


# Numbers that PyPI lives with (warehouse/config.py), and those of the issue where they are lower.
RESETS_OF_ADDRESS = Limit("password reset of an address", most=3, window=timedelta(hours=1))
RESETS_FROM_PLACE = Limit("password reset from a place", most=3, window=timedelta(hours=1))
VERIFICATIONS_OF_ADDRESS = Limit("verification of an address", most=3, window=timedelta(hours=6))
ADDRESS_CHANGES_OF_USER = Limit("change of a user's address", most=3, window=timedelta(hours=1))
