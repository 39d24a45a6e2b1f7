"""Venues and what they have. Knows nothing of bookings."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from uuid import UUID
from zoneinfo import available_timezones

from booking.domain import texts
from booking.domain.themes import Theme
from servicekit.errors import AppError, Kind, Violation

_NO_ZONES = frozenset({"localtime", "Factory"})
"""Names that mean another thing on every machine, or nothing."""
LARGEST_PARTY = 1000
_SLUG = re.compile("[a-z0-9]+(-[a-z0-9]+)*")


class VenueNotFound(AppError):
    """No venue has this id or slug, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "VENUE_NOT_FOUND"
    detail = "There is no such venue."


class VenueSlugTaken(AppError):
    """Another venue on the platform has this slug."""

    kind = Kind.EXISTS
    reason = "VENUE_SLUG_TAKEN"
    detail = "Another venue has this slug."


class AreaNotFound(AppError):
    """The venue has no such area."""

    kind = Kind.NOT_FOUND
    reason = "AREA_NOT_FOUND"
    detail = "The venue has no such area."


class ResourceNotFound(AppError):
    """The venue has no such resource."""

    kind = Kind.NOT_FOUND
    reason = "RESOURCE_NOT_FOUND"
    detail = "The venue has no such resource."


class VenueHasBookings(AppError):
    """The zone of a venue stays as long as bookings are to come, whose local times it would change.

    Metadata: `booking_ids`, the first 50, and `bookings`, how many there are.
    """

    kind = Kind.REFUSED
    reason = "VENUE_HAS_BOOKINGS"
    detail = "The venue has future bookings, whose local times would change: move or cancel them first."


class PartDeleted(AppError):
    """What this Idempotency-Key has made was deleted since."""

    kind = Kind.NOT_FOUND
    reason = "PART_DELETED"
    detail = "What this Idempotency-Key has made was deleted since."


class CombinationNotFound(AppError):
    """The venue has no such combination."""

    kind = Kind.NOT_FOUND
    reason = "COMBINATION_NOT_FOUND"
    detail = "The venue has no such combination."


class ResourceInUse(AppError):
    """Something counts on the resource, so it stays.

    Metadata: `booking_ids`, the first 50 live bookings, `combination_ids`, and `block_ids`.
    """

    kind = Kind.REFUSED
    reason = "RESOURCE_IN_USE"
    detail = "Bookings, combinations or blocks count on this resource. Take it out of service instead."


class NameTaken(AppError):
    """The venue has something of this kind with this name already."""

    kind = Kind.EXISTS
    reason = "NAME_TAKEN"
    detail = "The venue has something of this kind with this name already."


class UnknownTimeZone(AppError):
    """The zone is none of the IANA time zone database."""

    kind = Kind.UNPROCESSABLE
    reason = "UNKNOWN_TIME_ZONE"
    detail = "There is no such time zone. Name one of the IANA database, like Europe/Paris."


class UnknownCurrency(AppError):
    """The currency is none of ISO 4217, or none that is used as money."""

    kind = Kind.UNPROCESSABLE
    reason = "UNKNOWN_CURRENCY"
    detail = "There is no such currency. Name one of ISO 4217, like EUR."


class PartyRangeUpsideDown(AppError):
    """The smallest party is greater than the largest."""

    kind = Kind.UNPROCESSABLE
    reason = "PARTY_RANGE_UPSIDE_DOWN"
    detail = "The smallest party must not be greater than the largest."


@dataclass(frozen=True, slots=True)
class VenueRef:
    """How a caller names a venue: by id, or by slug when there is none."""

    id: UUID | None
    slug: str = ""

    @classmethod
    def by_slug(cls, slug: str) -> "VenueRef":
        """Raises VenueNotFound for a text that is no slug: it names no venue."""
        if not _SLUG.fullmatch(slug):
            raise VenueNotFound
        return cls(None, slug)


class ResourceKind(StrEnum):
    """What a resource is."""

    TABLE = "table"
    PERSON = "person"
    ROOM = "room"
    BAY = "bay"


@dataclass(frozen=True, slots=True)
class Venue:
    """A place that takes bookings. All its rules are in the local time of its IANA zone."""

    id: UUID
    name: str
    slug: str
    time_zone: str
    currency: str
    address: str
    version: int = 1
    """Rises with every change of the venue or of what belongs to it."""
    reseating: bool = True
    """Whether parties that are to come may be given other resources when that lets another one in."""
    theme: Theme | None = field(default=None, compare=False)
    """How its organization looks, where it was read for guests."""

    @classmethod
    def open(
        cls,
        id: UUID,  # noqa: A002
        *,
        name: str,
        slug: str,
        time_zone: str,
        currency: str,
        address: str,
        currencies: Collection[str],
    ) -> "Venue":
        """A new venue. `currencies`: the ISO 4217 codes that are money somewhere today.

        Raises:
            UnknownTimeZone: this platform cannot compute with the zone.
            UnknownCurrency: the code is none of `currencies`.
            InvalidRequest: a blank name.
        """
        if time_zone not in known_zones():
            raise UnknownTimeZone(violations=[Violation("/time_zone", "must be an IANA time zone")])
        if currency not in currencies:
            raise UnknownCurrency(violations=[Violation("/currency", "must be an ISO 4217 code in use")])
        address = texts.one_line("/address", address)
        return cls(id, texts.name("/name", name), slug, time_zone, currency, address)

    def change(
        self,
        *,
        name: str | None,
        address: str | None,
        time_zone: str | None,
        reseating: bool | None = None,
    ) -> "Venue":
        """With other fields; None leaves them. UnknownTimeZone for a zone that there is not."""
        if time_zone is not None and time_zone not in known_zones():
            raise UnknownTimeZone(violations=[Violation("/time_zone", "must be an IANA time zone")])
        return replace(
            self,
            name=self.name if name is None else texts.name("/name", name),
            address=self.address if address is None else texts.one_line("/address", address),
            time_zone=self.time_zone if time_zone is None else time_zone,
            reseating=self.reseating if reseating is None else reseating,
        )


@dataclass(frozen=True, slots=True)
class Area:
    """A part of a venue."""

    id: UUID
    name: str

    @classmethod
    def add(cls, id: UUID, *, name: str) -> "Area":  # noqa: A002
        """A new area. InvalidRequest when its name is blank."""
        return cls(id, texts.name("/name", name))


@dataclass(frozen=True, slots=True)
class Resource:
    """What a booking occupies."""

    id: UUID
    name: str
    kind: ResourceKind
    min_party: int
    max_party: int
    area_id: UUID | None = None
    attributes: frozenset[str] = frozenset()
    """What it has or can do, in short words: "accessible", "window", "gearbox"."""
    priority: int = 0
    """Lower ones are filled first where all else is the same."""
    online: bool = True
    """Whether guests may book it; staff always may."""
    in_service: bool = True
    """Whether anybody may."""

    @classmethod
    def add(
        cls,
        id: UUID,  # noqa: A002
        *,
        name: str,
        kind: ResourceKind,
        min_party: int,
        max_party: int,
        area_id: UUID | None,
        attributes: Collection[str] = (),
        priority: int = 0,
        online: bool = True,
        in_service: bool = True,
    ) -> "Resource":
        """A new resource.

        Raises:
            PartyRangeUpsideDown: the smallest party exceeds the largest.
            InvalidRequest: a blank name.
        """
        _refuse_party_range(min_party, max_party)
        return cls(
            id=id,
            name=texts.name("/name", name),
            kind=kind,
            min_party=min_party,
            max_party=max_party,
            area_id=area_id,
            attributes=frozenset(attributes),
            priority=priority,
            online=online,
            in_service=in_service,
        )


@dataclass(frozen=True, slots=True)
class Adjacency:
    """How neighbours in a row may be joined: any run of two up to `max_joined` of them.

    A run takes at most the sum of what its members take, less the seats lost at each joint; and at least
    `min_party`, or by itself one more than the largest of its members.
    """

    max_joined: int
    seats_lost_per_joint: int = 0
    min_party: int = 0


@dataclass(frozen=True, slots=True)
class Combination:
    """A named set of resources that may be joined for one party. Its members stay bookable alone."""

    id: UUID
    name: str
    resource_ids: tuple[UUID, ...]
    """Neighbours in a row are in their order."""
    min_party: int
    max_party: int
    """Of all members together; those of neighbours in a row follow from the rule."""
    adjacency: Adjacency | None = None
    """How some of them may be joined; None for all of them only."""

    @classmethod
    def add(
        cls,
        id: UUID,  # noqa: A002
        *,
        name: str,
        resource_ids: Sequence[UUID],
        min_party: int,
        max_party: int,
        adjacency: Adjacency | None = None,
    ) -> "Combination":
        """A combination. Neighbours in a row have no party range of their own.

        Raises:
            PartyRangeUpsideDown: the smallest party exceeds the largest.
            InvalidRequest: a blank name.
            Inconsistent: fewer than two different members, or no party range for all of them together.
        """
        members = tuple(resource_ids)
        if len(members) < 2 or len(members) != len(set(members)):  # noqa: PLR2004
            texts.refuse("/resource_ids", "must name two or more different resources")
        named = texts.name("/name", name)
        if adjacency is not None:
            return cls(id, named, members, LARGEST_PARTY, LARGEST_PARTY, adjacency)
        if not min_party:
            texts.refuse("/min_party", "must be given for all of them together")
        _refuse_party_range(min_party, max_party)
        return cls(id, named, tuple(sorted(members)), min_party, max_party)


@cache
def known_zones() -> frozenset[str]:
    """Every IANA zone that this platform can compute with."""
    return frozenset(available_timezones() - _NO_ZONES)


def _refuse_party_range(min_party: int, max_party: int) -> None:
    if min_party > max_party:
        raise PartyRangeUpsideDown(violations=[Violation("/min_party", "must not be greater than max_party")])
