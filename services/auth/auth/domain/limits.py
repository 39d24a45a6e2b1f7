"""How often something may be asked for, in a window that begins with the first time. Never does I/O."""

import hashlib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

_GUESSING = timedelta(minutes=5)
_PER_HOUR = 5
_PLACE_BITS = {4: 32, 6: 64}
_NETWORK_BITS = {4: 24, 6: 48}
_IN_FLIGHT = timedelta(seconds=30)


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
    """How many passwords and second factors may be wrong, beside those of one account. PyPI's numbers.

    PyPI's axis is one address. A network, which is neither one person nor one office, has ten times as many.
    """

    from_place: Limit
    from_network: Limit
    of_account: Limit
    of_all: Limit
    factors_from_place: tuple[Limit, ...]
    factors_from_network: tuple[Limit, ...]
    in_flight: Limit = Limit("passwords being compared for a place", most=0, window=_IN_FLIGHT)
    """Refuses nobody: tells tries that may still turn out right from wrong ones."""

    @classmethod
    def of(
        cls,
        *,
        from_place: int = 10,
        from_network: int = 100,
        of_account: int = 10,
        of_all: int = 1000,
        factors_from_place: int = 10,
        factors_from_network: int = 100,
    ) -> "GuessLimits":
        """So many in five minutes; second factors also five times as many in an hour."""
        return cls(
            Limit("wrong passwords from a place", from_place, _GUESSING),
            Limit("wrong passwords from a network", from_network, _GUESSING),
            Limit("wrong passwords of an account", of_account, _GUESSING),
            Limit("wrong passwords of all", of_all, _GUESSING),
            _short_and_long("wrong second factors from a place", factors_from_place),
            _short_and_long("wrong second factors from a network", factors_from_network),
        )


def _short_and_long(name: str, most: int) -> tuple[Limit, Limit]:
    hour = timedelta(hours=1)
    return Limit(name, most, _GUESSING), Limit(f"{name} in an hour", most * _PER_HOUR, hour)


def place(address: str) -> str:
    """Whom an address stands for: itself of IPv4, its /64 of IPv6; the text itself when it is neither.

    Whoever has one address of a /64 has them all. One of IPv4 is a person, a household or an office; a /24 is
    often people who have nothing to do with each other.
    """
    return _around(address, _PLACE_BITS)


def network(address: str) -> str:
    """What one provider or one office has: the /24 of IPv4, the /48 of IPv6; else the text itself."""
    return _around(address, _NETWORK_BITS)


def _around(address: str, bits: Mapping[int, int]) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, bits[parsed.version]), strict=False))


# Numbers that PyPI lives with (warehouse/config.py), and those of the issue where they are lower.
RESETS_OF_ADDRESS = Limit("password reset of an address", most=3, window=timedelta(hours=1))
RESETS_FROM_PLACE = Limit("password reset from a place", most=3, window=timedelta(hours=1))
RESETS_FROM_NETWORK = Limit("password reset from a network", most=30, window=timedelta(hours=1))
VERIFICATIONS_OF_ADDRESS = Limit("verification of an address", most=3, window=timedelta(hours=6))
ADDRESS_CHANGES_OF_USER = Limit("change of a user's address", most=3, window=timedelta(hours=1))
