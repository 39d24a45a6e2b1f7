"""The figures of a venue's day. docs/kpis.md defines each of them; its date axis is part of its meaning."""

from dataclasses import dataclass
from datetime import date, datetime

from servicekit.errors import AppError, Kind
from servicekit.money import Money

WHOLE = 10_000
"""Basis points in one."""


class VenueNotFound(AppError):
    """No fact about the venue has arrived yet, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "VENUE_NOT_FOUND"
    detail = "There is no such venue."


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """By service day: what happens at the tables on it."""

    bookings: int
    covers: int
    occupied_seat_seconds: int
    offered_seat_seconds: int
    cancellations: int

    @property
    def occupancy(self) -> int:
        """Basis points of the seats' time on offer; 0 when nothing is on offer."""
        return basis_points(self.occupied_seat_seconds, self.offered_seat_seconds)

    @property
    def cancellation_rate(self) -> int:
        """Basis points of all bookings that were promised for the day; 0 when there were none."""
        return basis_points(self.cancellations, self.bookings + self.cancellations)


@dataclass(frozen=True, slots=True)
class ActivityFigures:
    """By local day: what was done on it, for whatever service day."""

    bookings: int
    covers: int
    cancellations: int
    deposits: Money
    refunds: Money


@dataclass(frozen=True, slots=True)
class Overview:
    """A venue's numbers of one local day."""

    day: date
    time_zone: str
    service: ServiceFigures
    activity: ActivityFigures
    as_of: datetime
    """The newest fact that is counted."""


def basis_points(part: int, whole: int) -> int:
    """`part` of `whole` in 1/10 000, rounded half up, at most 10 000; 0 of nothing."""
    if whole == 0:
        return 0
    return min(WHOLE, (2 * WHOLE * part + whole) // (2 * whole))
