"""Live bookings as the engine sees them: when they begin, what they need, and whether they may be moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from booking.domain.floor import Party
from booking.domain.occupancy import Allocation


@dataclass(frozen=True, slots=True)
class Placement:
    """A booking that counts on a service day. Epoch seconds."""

    booking_id: UUID
    offering_id: UUID
    service_date: date
    start: int
    end: int
    party: Party
    movable: bool
    """Whether it may sit elsewhere: it is to come, and neither pinned nor seated by exception."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What others have of the time around a service day."""

    allocations: Sequence[Allocation] = ()
    placements: Sequence[Placement] = ()
    """Of the day; those of other days count for nothing."""
