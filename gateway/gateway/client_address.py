"""Where a client is: what trusted proxies wrote, else the peer of the connection. Believes nobody else."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%\w-]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?")
_LONGEST = 128
_IPV6_NETWORK = 64
"""Whoever has one address of IPv6 has as a rule all with these leading bits."""


def client_address(peer: str, forwarded: bytes, trusted_proxies: int) -> str:
    """The client's address in its canonical form.

    `forwarded` is X-Forwarded-For, all of its headers joined. Each trusted proxy appends one element, so the
    outermost one wrote the last but `trusted_proxies` - 1; whatever stands before came from the client. When
    that element is missing or no address, the peer counts.
    """
    if trusted_proxies:
        hops = forwarded.split(b",")
        if len(hops) >= trusted_proxies:
            found = parse(hops[-trusted_proxies].strip().decode("latin-1"))
            if found is not None:
                return str(found)
    seen = parse(peer)
    return peer if seen is None else str(seen)


@lru_cache(maxsize=4096)
def parse(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with a port, in brackets, with a zone. None when it is none.

    The zone of a link-local address counts for nothing; an IPv4-mapped address is its IPv4 one.
    """
    if len(text) > _LONGEST:
        return None
    bare = _WITH_PORT.fullmatch(text)
    if bare is not None:
        text = bare[1] or bare[2]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


@lru_cache(maxsize=4096)
def place(address: str) -> str:
    """What is limited as one: an address of IPv4, or a network of IPv6."""
    found = parse(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_NETWORK), strict=False))
    return address if found is None else str(found)
