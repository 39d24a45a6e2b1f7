"""Which device is a new one. Knows devices by keyed hashes only; never does I/O."""

import ipaddress
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

REMEMBERED = timedelta(days=90)
"""A device that was not seen for so long is a new one."""
_NETWORK_BITS = {4: 24, 6: 48}
"""What one provider or one office has; a phone changes its last bits all day."""


def trait(user_id: UUID, device: str, address: str) -> bytes:
    """What a device is known by, to be hashed with a key: whose it is, its name, and the network it is in.

    The name ("Firefox on Linux") instead of the whole User-Agent, which changes with every update.
    """
    return b"\x00".join((user_id.bytes, device.encode(), network(address).encode()))


def network(address: str) -> str:
    """The network of an address: 24 bits of IPv4, 48 of IPv6; the text itself when it is neither."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS[parsed.version]), strict=False))


def is_known(prints: Collection[bytes], seen: Mapping[bytes, datetime], *, now: datetime) -> bool:
    """Whether one of a device's prints was seen in 90 days."""
    return any(each in seen and seen[each] > now - REMEMBERED for each in prints)


def is_new(
    prints: Collection[bytes], seen: Mapping[bytes, datetime], *, account_since: datetime, now: datetime
) -> bool:
    """Whether a log-in from a device is worth telling: none of its prints was seen in 90 days.

    Somebody's first device ever is not new. An older account without any device had one that is forgotten.
    """
    had_others = bool(seen) or account_since <= now - REMEMBERED
    return had_others and not is_known(prints, seen, now=now)
