"""When each version came, from when on it is discouraged, and when it ends."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.dated.chain import Change, Json
from gateway.errors import UnknownVersion, VersionGone
from gateway.http import Header
from servicekit.api_versions import HEADER, VERSIONS

OVERVIEW = "/versions"
"""Where integrators read what changed."""


@dataclass(frozen=True, slots=True)
class Release:
    """One version."""

    version: str
    deprecated_at: datetime | None = None
    """When a newer one came."""
    sunset_at: datetime | None = None
    """When it is refused: twelve months later."""

    def headers(self) -> tuple[Header, ...]:
        """What answers say of their version: Deprecation (RFC 9745), Sunset (RFC 8594), where to read on."""
        said = ((HEADER.lower().encode(), self.version.encode()),)
        if self.deprecated_at is None or self.sunset_at is None:
            return said
        links = ", ".join(
            f'<{OVERVIEW}>; rel="{relation}"; type="application/json"'
            for relation in ("deprecation", "sunset")
        )
        return (
            *said,
            (b"deprecation", b"@%d" % self.deprecated_at.timestamp()),
            (b"sunset", format_datetime(self.sunset_at, usegmt=True).encode()),
            (b"link", links.encode()),
        )


class Calendar:
    """The versions there are."""

    def __init__(self, versions: Sequence[str] = VERSIONS, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.newest = versions[-1]
        self.releases = {each.version: each for each in _releases(versions)}
        self._headers = {version: release.headers() for version, release in self.releases.items()}
        self._of_newest = self._headers[self.newest]

    def read(self, value: bytes) -> str:
        """The version that a header names.

        Raises:
            UnknownVersion: it names none that there is.
        """
        version = value.decode("latin-1")
        if version not in self.releases:
            raise UnknownVersion
        return version

    def pinned(self, version: str) -> str:
        """The version that a key is pinned to. A gateway that is older than the pin serves its newest."""
        return version if version in self.releases else self.newest

    def refuse_gone(self, version: str) -> None:
        """Raises VersionGone for a version past its sunset."""
        ends = self.releases[version].sunset_at
        if ends is not None and ends.timestamp() <= self._clock():
            raise VersionGone

    def headers(self, version: str) -> tuple[Header, ...]:
        """What answers of a version say of it."""
        return self._of_newest if version == self.newest else self._headers[version]


def overview(calendar: Calendar, changes: Collection[Change]) -> Json:
    """All versions with what they changed, the newest first, for integrators and their programs."""
    return {
        "newest": calendar.newest,
        "versions": [
            {
                "version": release.version,
                "deprecated_at": _shown(release.deprecated_at),
                "sunset_at": _shown(release.sunset_at),
                "changes": [
                    {"operations": [*sorted(each.operations)], "summary": each.summary}
                    for each in changes
                    if each.date == release.version
                ],
            }
            for release in reversed(calendar.releases.values())
        ],
    }


def _releases(versions: Sequence[str]) -> list[Release]:
    if list(versions) != sorted(set(versions)):
        message = "versions are dates in ascending order"
        raise ValueError(message)
    followers = [*versions[1:], None]
    return [_release(version, follower) for version, follower in zip(versions, followers, strict=True)]


def _release(version: str, follower: str | None) -> Release:
    if follower is None:
        return Release(version)
    deprecated = datetime.fromisoformat(follower).replace(tzinfo=UTC)
    leap = (deprecated.month, deprecated.day) == (2, 29)
    day = 28 if leap else deprecated.day
    return Release(version, deprecated, deprecated.replace(year=deprecated.year + 1, day=day))


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
