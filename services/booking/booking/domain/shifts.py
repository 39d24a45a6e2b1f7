"""Weekly openings of an offering."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from booking.domain.clock import DAY_MINUTES, window_of
from servicekit.errors import AppError, Kind

_WEEK_MINUTES = 7 * DAY_MINUTES


class ShiftNotFound(AppError):
    """The venue has no such shift."""

    kind = Kind.NOT_FOUND
    reason = "SHIFT_NOT_FOUND"
    detail = "The venue has no such shift."


class ShiftsOverlap(AppError):
    """The offering would be open twice at the same time; metadata names a `date` if it is not every week."""

    kind = Kind.REFUSED
    reason = "SHIFTS_OVERLAP"
    detail = "The offering is open at the same time already."


@dataclass(frozen=True, slots=True)
class Shift:
    """When an offering can be booked: one window on each of some weekdays of the service day.

    Times are minutes after local midnight of the service day; those of the next morning are 1440 and more.
    The window is half-open; a party that starts by `last_start` may stay beyond `closes`, unless it must have
    finished by then. Shifts that meet are one opening: its end is that of the last of them.
    """

    id: UUID
    offering_id: UUID
    weekdays: tuple[int, ...]
    """ISO: 1 Monday to 7 Sunday."""
    opens: int
    last_start: int
    closes: int
    must_finish: bool = False
    """Whether a stay has to be over by `closes`."""

    @classmethod
    def add(
        cls,
        id: UUID,  # noqa: A002
        *,
        offering_id: UUID,
        weekdays: Iterable[int],
        opens: str,
        last_start: str,
        closes: str,
        must_finish: bool = False,
    ) -> "Shift":
        """A new shift from local times "HH:MM", as `window_of` reads them. Raises LastStartOutsideShift."""
        opening, last, closing = window_of(opens, last_start, closes)
        return cls(id, offering_id, tuple(sorted(set(weekdays))), opening, last, closing, must_finish)

    def overlaps(self, other: "Shift") -> bool:
        """Whether both are open at some minute of the week."""
        return any(
            mine < theirs + other.closes - other.opens and theirs < mine + self.closes - self.opens
            for mine in self.openings()
            for opening in other.openings()
            for theirs in (opening - _WEEK_MINUTES, opening, opening + _WEEK_MINUTES)
        )

    def openings(self) -> list[int]:
        """When it opens, in minutes after Monday 00:00."""
        return [(weekday - 1) * DAY_MINUTES + self.opens for weekday in self.weekdays]
