"""Asks DNS for TXT records. Never caches: whoever adds a record asks again at once."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import dns.asyncresolver
import dns.exception
import dns.resolver

from servicekit import held

LookUpTxt: TypeAlias = Callable[[str], Awaitable[Sequence[str] | None]]
"""The texts of a name; empty when it has none, None when nobody answers that."""

_SECONDS = 4.0


def dns_look_up(nameservers: Sequence[str] = (), port: int = 53) -> LookUpTxt:
    """Asks these servers, or those of the machine."""

    async def look_up(name: str) -> Sequence[str] | None:
        await held.settle()
        try:
            resolver = dns.asyncresolver.Resolver(configure=not nameservers)
            if nameservers:
                resolver.nameservers = list(nameservers)
                resolver.port = port
            answer = await resolver.resolve(name, "TXT", lifetime=_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return ()
        except (dns.exception.DNSException, OSError):
            return None
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer]

    return look_up
