"""Openings of one service day, and the dates that have some of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from booking.domain import texts
from booking.domain.clock import window_of
from booking.domain.shifts import Shift
from servicekit.errors import AppError, Kind


class DateExceptionNotFound(AppError):
    """The venue has no such exception."""

    kind = Kind.NOT_FOUND
    reason = "DATE_EXCEPTION_NOT_FOUND"
    detail = "The venue has no such exception."


class DateExceptionTaken(AppError):
    """The offering has an exception on this service date."""

    kind = Kind.EXISTS
    reason = "DATE_EXCEPTION_TAKEN"
    detail = "The offering has an exception on this service date already: change that one."


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """An opening on one service day, half-open: minutes of wall clock after its local midnight."""

    opens: int
    last_start: int
    closes: int
    must_finish: bool = False

    @classmethod
    def of(
        cls, opens: str, last_start: str, closes: str, *, must_finish: bool = False, pointer: str = ""
    ) -> "Window":
        """From local times "HH:MM", read like those of a shift. Raises InvalidRequest."""
        return cls(*window_of(opens, last_start, closes, pointer), must_finish)

    def admits(self, minute: int) -> bool:
        """Whether a stay may start when the clocks show that."""
        return self.opens <= minute <= self.last_start

    @classmethod
    def of_shift(cls, shift: Shift) -> "Window":
        """The window of a shift, on each of its weekdays."""
        return cls(shift.opens, shift.last_start, shift.closes, shift.must_finish)


@dataclass(frozen=True, slots=True)
class DateException:
    """The hours of an offering on one service date, in place of its weekly ones; closed without windows."""

    id: UUID
    offering_id: UUID
    service_date: date
    windows: tuple[Window, ...]
    reason: str = ""
    """For staff."""
    note: str = ""
    """For everybody."""

    @classmethod
    def plan(
        cls,
        id: UUID,  # noqa: A002
        *,
        offering_id: UUID,
        service_date: date,
        windows: Iterable[Window],
        reason: str,
        note: str,
    ) -> "DateException":
        """A date's own hours. InvalidRequest for control characters."""
        lines = texts.several_lines("/reason", reason), texts.several_lines("/note", note)
        return cls(id, offering_id, service_date, tuple(sorted(windows)), *lines)
