"""When a venue, or some of what it offers, is closed for once. Knows nothing of bookings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar, texts
from booking.domain.clock import DAY_MINUTES, minutes_of
from servicekit.errors import AppError, Kind

LONGEST_DAYS = 366
_DAYS_OF_A_STAY = 4


class ClosureNotFound(AppError):
    """The venue has no such closure."""

    kind = Kind.NOT_FOUND
    reason = "CLOSURE_NOT_FOUND"
    detail = "The venue has no such closure."


@dataclass(frozen=True, slots=True)
class Closure:
    """Service days, from the first to the last, that are closed: all day, or between two local times.

    All day means by service day: nothing starts that belongs to one of the days, 01:00 of the next morning
    included; what belongs to the evening before goes on after midnight. Between two local times of a day, no
    stay of that service day may touch that time. If it cuts the tail, it also forbids what belongs to other
    service days to touch the time: all day is then midnight to midnight, for them.
    """

    id: UUID
    offering_ids: tuple[UUID, ...]
    """What is closed; everything when empty."""
    first: date
    last: date
    begins: int | None = None
    """Minutes after the local midnight of each day; None for all day. So is the end, which is later."""
    ends: int | None = None
    cuts_tail: bool = False
    reason: str = ""
    """For staff."""
    note: str = ""
    """For everybody."""

    @classmethod
    def plan(
        cls,
        id: UUID,  # noqa: A002
        *,
        offering_ids: Iterable[UUID],
        first: date,
        last: date,
        begins: str,
        ends: str,
        cuts_tail: bool,
        reason: str,
        note: str,
    ) -> "Closure":
        """A new closure. Local times "HH:MM" or both empty; an end that is not later is after midnight.

        Raises:
            Inconsistent: it ends before it begins, lasts more than 366 days, or has one time of two.
        """
        if not first <= last < first + timedelta(days=LONGEST_DAYS):
            texts.refuse("/last_date", f"must not be before first_date, and at most {LONGEST_DAYS} days long")
        if bool(begins) != bool(ends):
            texts.refuse("/ends", "must come together with begins")
        begin, end = (minutes_of(begins), minutes_of(ends)) if begins else (None, None)
        if begin is not None and end is not None and end <= begin:
            end += DAY_MINUTES
        return cls(
            id,
            tuple(sorted(set(offering_ids))),
            first,
            last,
            begins=begin,
            ends=end,
            cuts_tail=cuts_tail,
            reason=texts.several_lines("/reason", reason),
            note=texts.several_lines("/note", note),
        )

    def concerns(self, offering_id: UUID) -> bool:
        """Whether the offering is closed."""
        return not self.offering_ids or offering_id in self.offering_ids

    def closes_day(self, service_date: date) -> bool:
        """Whether nothing at all starts on a service day."""
        return self.begins is None and self.first <= service_date <= self.last

    def spans_against(self, zone: ZoneInfo, service_date: date) -> Iterator[tuple[int, int]]:
        """The times, in epoch seconds, that no stay of a service day may touch. Half-open."""
        ahead = range(_DAYS_OF_A_STAY) if self.cuts_tail else range(1)
        days = (service_date + timedelta(days=each) for each in ahead)
        # What belongs to a day may start before its own closing time of the day before is over.
        before = (service_date - timedelta(days=1),) if self.cuts_tail else ()
        for day in (*before, *days):
            if self.first <= day <= self.last and (self.cuts_tail or self.begins is not None):
                begins, ends = (0, DAY_MINUTES) if self.begins is None else (self.begins, self.ends or 0)
                span = calendar.moment_of(zone, day, begins), calendar.end_of(zone, day, ends)
                if span[0] < span[1]:
                    yield span
