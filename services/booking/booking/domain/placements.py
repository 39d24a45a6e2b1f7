"""Live bookings as the engine sees them: when they begin, what they need, and whether they may be moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from booking.domain.floor import Party
from booking.domain.occupancy import Allocation


class Placement(NamedTuple):
    """A booking that counts on a service day. Epoch seconds."""

    booking_id: UUID
    offering_id: UUID
    service_date: date
    start: int
    end: int
    party: Party
    movable: bool
    """Whether it may sit elsewhere: it is to come, and neither pinned nor of a size set aside by staff."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What others have of the time around a service day."""

    allocations: Sequence[Allocation] = ()
    placements: Sequence[Placement] | None = ()
    """Of the day; those of other days count for nothing. None when they were not read."""

    def without(self, booking_id: UUID) -> "Taken":
        """The same as if one booking were not there."""
        placements = self.placements
        if placements is not None:
            placements = [each for each in placements if each.booking_id != booking_id]
        return Taken([each for each in self.allocations if each.booking_id != booking_id], placements)

    @property
    def known_placements(self) -> Sequence[Placement]:
        """The placements. Raises PlacementsUnread when they were not read."""
        if self.placements is None:
            raise PlacementsUnread
        return self.placements


class PlacementsUnread(Exception):
    """Who holds what is not enough to answer: it takes the bookings of the day, too."""
