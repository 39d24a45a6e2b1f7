"""Origins and domains of organizations, asked of auth every few seconds. Decides nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from servicekit import telemetry
from servicekit.errors import AppError

Moment: TypeAlias = float
"""Epoch seconds by auth's clock."""

_INTERVAL_SECONDS = 2.0
_OVERLAP_SECONDS = 30.0
"""Longer than a transaction lasts: what was changed before we asked may be committed after."""
_NOBODY: frozenset[UUID] = frozenset()

_log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Site:
    """What is in browsers of one organization, all of it."""

    organization: UUID
    origins: tuple[str, ...] = ()
    """As browsers write them."""
    domains: tuple[str, ...] = ()
    """In lower case; verified."""


Fetch = Callable[[Moment | None], Awaitable[tuple[Sequence[Site], Moment]]]
"""Asks auth what has changed since a moment, and when auth looked. Raises AppError."""


class Sites:
    """What auth has told. While auth is down everything stays as it was; at first nobody has anything."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._sites: dict[UUID, Site] = {}
        self._by_origin: dict[str, frozenset[UUID]] = {}
        self._by_domain: dict[str, UUID] = {}
        self._as_of: Moment | None = None
        self._reachable = True

    def allowing(self, origin: str) -> frozenset[UUID]:
        """The organizations that allow an origin, exactly as a browser wrote it."""
        return self._by_origin.get(origin, _NOBODY)

    def at(self, host: bytes) -> UUID | None:
        """Whose verified domain a Host header names; None for any other host. The port does not matter."""
        name = host.decode("latin-1").lower().rpartition(":")
        domain = name[0] if name[1] and name[2].isdigit() else "".join(name)
        return self._by_domain.get(domain.removesuffix("."))

    async def keep_fresh(self) -> None:
        """Asks every two seconds. Ends by being cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def refresh(self) -> None:
        """Asks once for what is new. When auth does not answer, everything stays as it was."""
        since = None if self._as_of is None else self._as_of - _OVERLAP_SECONDS
        try:
            found, self._as_of = await self._fetch(since)
        except ValueError:
            _log.exception("sites_not_understood")
            return
        except AppError as error:
            if self._reachable:
                _log.warning("sites_not_fetched", reason=error.reason)
            self._reachable = False
            return
        self._reachable = True
        changed = {each.organization: each for each in found if self._sites.get(each.organization) != each}
        if changed:
            self._sites |= changed
            self._index()

    def _index(self) -> None:
        by_origin = defaultdict[str, set[UUID]](set)
        for site in self._sites.values():
            for origin in site.origins:
                by_origin[origin].add(site.organization)
        self._by_origin = {origin: frozenset(those) for origin, those in by_origin.items()}
        self._by_domain = {
            domain: site.organization for site in self._sites.values() for domain in site.domains
        }
