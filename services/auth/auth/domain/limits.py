"""How often something may be asked for, in a window that begins with the first time. Never does I/O."""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import timedelta

_GUESSING = timedelta(minutes=5)
_PER_HOUR = 5
_PLACE_BITS = {4: 24, 6: 64}


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a window, for each of those who are counted."""

    name: str
    most: int
    window: timedelta

    def key(self, who: str) -> bytes:
        """What a count is kept under: a hash, so that a table of counts tells nobody's address."""
        return hashlib.sha256(f"{self.name}\x00{who}".encode()).digest()


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """How many passwords and second factors may be wrong, beside those of one account. PyPI's numbers."""

    from_place: Limit
    of_account: Limit
    of_all: Limit
    factors_from_place: tuple[Limit, ...]

    @classmethod
    def of(
        cls,
        *,
        from_place: int = 10,
        of_account: int = 10,
        of_all: int = 1000,
        factors_from_place: int = 10,
    ) -> "GuessLimits":
        """So many in five minutes; second factors from a place also five times as many in an hour."""
        factors = "wrong second factors from a place"
        return cls(
            Limit("wrong passwords from a place", from_place, _GUESSING),
            Limit("wrong passwords of an account", of_account, _GUESSING),
            Limit("wrong passwords of all", of_all, _GUESSING),
            (
                Limit(factors, factors_from_place, _GUESSING),
                Limit(f"{factors} in an hour", factors_from_place * _PER_HOUR, timedelta(hours=1)),
            ),
        )


def place(address: str) -> str:
    """Whom an address stands for: its /24 of IPv4, its /64 of IPv6; the text itself when it is neither.

    Whoever has one address of a /64 has them all.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, _PLACE_BITS[parsed.version]), strict=False))


# Numbers that PyPI lives with (warehouse/config.py), and those of the issue where they are lower.
RESETS_OF_ADDRESS = Limit("password reset of an address", most=3, window=timedelta(hours=1))
RESETS_FROM_PLACE = Limit("password reset from a place", most=3, window=timedelta(hours=1))
VERIFICATIONS_OF_ADDRESS = Limit("verification of an address", most=3, window=timedelta(hours=6))
ADDRESS_CHANGES_OF_USER = Limit("change of a user's address", most=3, window=timedelta(hours=1))
