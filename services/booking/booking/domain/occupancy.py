"""Who has which resource when, indexed for the solver. Epoch seconds, half-open."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias
from uuid import UUID

Spans: TypeAlias = tuple[tuple[int, int], ...]
"""Some times of one resource: [from, to), in order, relative to the start of a visit or absolute."""


class Allocation(NamedTuple):
    """A resource that is occupied from `start` up to, not including, `end`.

    A tuple, because a month of them is made at a time.
    """

    resource_id: UUID
    start: int
    end: int
    booking_id: UUID
    live: bool
    """False for a hold that ran out: it is in nobody's way."""


@dataclass(frozen=True, slots=True, order=True)
class Occupation:
    """Some time of a resource that a visit is to have."""

    resource_id: UUID
    start: int
    end: int


class Occupied:
    """What is taken around a service day."""

    __slots__ = ("_bookings", "_expired", "_live")

    def __init__(self, allocations: Iterable[Allocation], *, without: Collection[UUID] = ()) -> None:
        self._live: dict[UUID, list[Allocation]] = {}
        self._expired: dict[UUID, list[Allocation]] = {}
        self._bookings: dict[UUID, list[Allocation]] = {}
        for each in allocations:
            if each.booking_id not in without:
                kept = self._live if each.live else self._expired
                kept.setdefault(each.resource_id, []).append(each)

    @property
    def has_expired(self) -> bool:
        """Whether there is a hold that ran out."""
        return bool(self._expired)

    def is_free(self, resource_ids: Iterable[UUID], spans: Spans) -> bool:
        """Whether nobody has any of the resources at any of these times."""
        live = self._live
        for resource_id in resource_ids:
            for each in live.get(resource_id, ()):
                for start, end in spans:
                    if each.start < end and start < each.end:
                        return False
        return True

    def booking_ids(self) -> Collection[UUID]:
        """Everybody who has something."""
        return self._by_booking().keys()

    def of_booking(self, booking_id: UUID) -> Sequence[Allocation]:
        """Everything that a live booking has."""
        return self._by_booking().get(booking_id, ())

    def beginnings(self, since: int, until: int) -> set[int]:
        """When somebody takes something between two moments."""
        return {each.start for held in self._live.values() for each in held if since < each.start < until}

    def expired(self, occupations: Iterable[Occupation]) -> frozenset[UUID]:
        """The bookings that ran out and whose rows stand where these want to be."""
        return frozenset(
            each.booking_id
            for wanted in occupations
            for each in self._expired.get(wanted.resource_id, ())
            if each.start < wanted.end and wanted.start < each.end
        )

    def blocked(self, resource_id: UUID, starts: Sequence[int], spans: Spans) -> int:
        """A bit for each of the rising `starts` from which a visit would find the resource taken.

        An allocation [a, b) and a span [f, t) of a visit meet from the starts s with s + f < b and
        s + t > a: one run of bits for each pair, none for each start.
        """
        bits = 0
        for each in self._live.get(resource_id, ()):
            for since, until in spans:
                first = bisect_right(starts, each.start - until)
                after = bisect_left(starts, each.end - since)
                if first < after:
                    bits |= (1 << after) - (1 << first)
        return bits

    def _by_booking(self) -> dict[UUID, list[Allocation]]:
        if not self._bookings:
            for held in self._live.values():
                for each in held:
                    self._bookings.setdefault(each.booking_id, []).append(each)
        return self._bookings
