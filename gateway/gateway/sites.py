"""Origins and domains of organizations, asked of auth every few seconds. Decides nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.news import Fetch, News

_NOBODY: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Site:
    """What is in browsers of one organization, all of it."""

    organization: UUID
    origins: tuple[str, ...] = ()
    """As browsers write them."""
    domains: tuple[str, ...] = ()
    """In lower case; verified."""


class Sites(News[Sequence[Site]]):
    """What auth has told. While auth is down everything stays as it was; at first nobody has anything."""

    def __init__(self, fetch: Fetch[Sequence[Site]]) -> None:
        super().__init__("sites", fetch)
        self._sites: dict[UUID, Site] = {}
        self._by_origin: dict[str, frozenset[UUID]] = {}
        self._by_domain: dict[str, UUID] = {}

    def allowing(self, origin: str) -> frozenset[UUID]:
        """The organizations that allow an origin, exactly as a browser wrote it."""
        return self._by_origin.get(origin, _NOBODY)

    def at(self, host: bytes) -> UUID | None:
        """Whose verified domain a Host header names; None for any other host. The port does not matter."""
        name = host.decode("latin-1").lower().rpartition(":")
        domain = name[0] if name[1] and name[2].isdigit() else "".join(name)
        return self._by_domain.get(domain.removesuffix("."))

    def take(self, found: Sequence[Site]) -> None:
        """Keeps those that are otherwise than before."""
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
