"""Resources that staff take out of sale for a while, and which of their time a block can have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from booking.domain import texts
from servicekit.errors import AppError, Kind

LONGEST = timedelta(days=31)
_ALLOCATION = timedelta(hours=24)


class BlockNotFound(AppError):
    """The venue has no such block."""

    kind = Kind.NOT_FOUND
    reason = "BLOCK_NOT_FOUND"
    detail = "The venue has no such block."


class BookingsInTheWay(AppError):
    """Live bookings lie where resources are to be blocked; metadata names them in `booking_ids`."""

    kind = Kind.CONFLICT
    reason = "BOOKINGS_IN_THE_WAY"
    detail = "Bookings are in the way. Move them, or block only what is free around them."


@dataclass(frozen=True, slots=True)
class Span:
    """Some time of one resource, from `start` up to, not including, `end`."""

    resource_id: UUID
    start: datetime
    end: datetime

    def meets(self, other: "Span") -> bool:
        """Whether both have some time of the same resource."""
        return self.resource_id == other.resource_id and self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Block:
    """Resources that nobody books for a while."""

    id: UUID
    venue_id: UUID
    resource_ids: tuple[UUID, ...]
    start: datetime
    end: datetime
    reason: str
    created_by: UUID | None
    created_at: datetime

    @classmethod
    def lay(
        cls,
        id: UUID,  # noqa: A002
        *,
        venue_id: UUID,
        resource_ids: Iterable[UUID],
        start: datetime,
        end: datetime,
        reason: str,
        created_by: UUID | None,
        now: datetime,
    ) -> "Block":
        """A new block. Inconsistent unless it ends after its start and now, within 31 days."""
        if end <= start or end - start > LONGEST:
            texts.refuse("/end", "must be after the start, and at most 31 days later")
        if end <= now:
            texts.refuse("/end", "must not be over")
        lines = texts.several_lines("/reason", reason)
        return cls(id, venue_id, tuple(sorted(set(resource_ids))), start, end, lines, created_by, now)

    @property
    def spans(self) -> list[Span]:
        """All that it wants."""
        return [Span(each, self.start, self.end) for each in self.resource_ids]


def free_of(wanted: Span, taken: Iterable[Span]) -> list[Span]:
    """What is left of `wanted` between what is taken, in pieces of a day at most."""
    left: list[Span] = []
    start = wanted.start
    for each in sorted(taken, key=lambda span: span.start):
        if each.meets(wanted):
            if each.start > start:
                left.append(Span(wanted.resource_id, start, each.start))
            start = max(start, each.end)
    if start < wanted.end:
        left.append(Span(wanted.resource_id, start, wanted.end))
    return [piece for span in left for piece in _days(span)]


def fillings(freed: Sequence[Span], blocks: Iterable[Block]) -> list[tuple[UUID, Span]]:
    """Which block takes what of some time that became free; where several lie, the oldest has it."""
    taken: list[Span] = []
    filled: list[tuple[UUID, Span]] = []
    for block in sorted(blocks, key=lambda each: each.id):
        for wanted in block.spans:
            for gap in freed:
                if gap.meets(wanted):
                    start, end = max(gap.start, wanted.start), min(gap.end, wanted.end)
                    pieces = free_of(Span(wanted.resource_id, start, end), taken)
                    taken += pieces
                    filled += [(block.id, piece) for piece in pieces]
    return filled


def _days(span: Span) -> list[Span]:
    pieces: list[Span] = []
    start = span.start
    while start < span.end:
        end = min(start + _ALLOCATION, span.end)
        pieces.append(Span(span.resource_id, start, end))
        start = end
    return pieces
