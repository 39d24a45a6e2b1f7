"""When each offering of a venue can start: weekly shifts, exceptions, closures, notice. Knows no capacity."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar
from booking.domain.clock import DAY_MINUTES, Lead
from booking.domain.closures import Closure
from booking.domain.offerings import Offering
from booking.domain.refusals import Refusal
from booking.domain.shifts import Shift
from booking.domain.windows import DateException, Window

_MOST_DAYS = 4_096
_DAYS_OF_A_STAY = 4
"""A stay starts on its service day or the next and lasts a day at most: further days cannot touch it."""


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """An offering on one service day: its starts, and what time forbids. Everything in epoch seconds."""

    offering: Offering
    service_date: date
    starts: Sequence[int]
    closed: bool
    windows: tuple[Window, ...]
    """Of a day that is closed, those that it would have."""
    closed_spans: tuple[tuple[int, int], ...]
    finish_by: tuple[tuple[Window, int], ...]
    """When stays from a window have to be over, where they have to."""
    last_notice: int | None
    released_at: int | None

    def has(self, start: int) -> bool:
        """Whether a start is one of the day's."""
        number = bisect_left(self.starts, start)
        return number < len(self.starts) and self.starts[number] == start

    def has_between(self, first: int, last: int) -> bool:
        """Whether any start lies in [first, last]."""
        return bisect_left(self.starts, first) < bisect_right(self.starts, last)

    def changes_between(self, zone: ZoneInfo, since: int, now: int) -> bool:
        """Whether time forbids something else `now` than it did `since`."""
        notice = self.offering.min_notice_minutes * 60
        moments = (self.last_notice, self.released_at)
        return (
            self.has_between(since + notice, now + notice)
            or any(at is not None and since < at <= now for at in moments)
            or self._too_far_ahead(zone, since) != self._too_far_ahead(zone, now)
        )

    def admits(self, zone: ZoneInfo, start: int) -> bool:
        """Whether a stay may start then, also between two of the day's starts."""
        minute = calendar.minute_of(zone, self.service_date, start)
        return any(window.admits(minute) for window in self.windows)

    def unhindered_from(self, zone: ZoneInfo, now: int) -> int | None:
        """From which start on time forbids no stay. None when it takes a look at each: see `refusals`."""
        hindered = (
            self.closed
            or self.closed_spans
            or self.finish_by
            or self.last_notice is not None
            or self.released_at is not None
            or self._too_far_ahead(zone, now)
        )
        return None if hindered else now + self.offering.min_notice_minutes * 60

    def refusals(self, zone: ZoneInfo, *, start: int, end: int, now: int) -> Iterator[Refusal]:
        """The rules of time that forbid a stay from one of the starts, in the order of `Refusal`."""
        if self.closed or any(start < until and begin < end for begin, until in self.closed_spans):
            yield Refusal.CLOSED
        if self.finish_by:
            minute = calendar.minute_of(zone, self.service_date, start)
            if any(window.admits(minute) and end > by for window, by in self.finish_by):
                yield Refusal.MUST_FINISH
        if start < now + self.offering.min_notice_minutes * 60 or (
            self.last_notice is not None and now >= self.last_notice
        ):
            yield Refusal.NOTICE
        if self.released_at is not None:
            if now < self.released_at:
                yield Refusal.NOT_RELEASED
        elif self._too_far_ahead(zone, now):
            yield Refusal.TOO_FAR_AHEAD

    def _too_far_ahead(self, zone: ZoneInfo, now: int) -> bool:
        ahead = self.service_date - calendar.local_date(zone, now)
        return ahead.days > self.offering.max_advance_days


@dataclass(frozen=True, slots=True)
class Hours:
    """When each offering of a venue can start, in the venue's local time."""

    zone: ZoneInfo
    shifts: Mapping[UUID, tuple[Shift, ...]] = field(default_factory=dict)
    """By offering."""
    exceptions: Mapping[tuple[UUID, date], DateException] = field(default_factory=dict)
    """By offering and service date."""
    closures: tuple[Closure, ...] = ()
    _days: OrderedDict[tuple[UUID, date], ServiceDay] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )
    """What was computed last: a venue is searched for the same few days all the time."""

    @classmethod
    def of(
        cls,
        zone: ZoneInfo,
        *,
        shifts: Iterable[Shift] = (),
        exceptions: Iterable[DateException] = (),
        closures: Iterable[Closure] = (),
    ) -> "Hours":
        """Puts the hours of a venue together."""
        by_offering: dict[UUID, tuple[Shift, ...]] = {}
        for shift in shifts:
            by_offering[shift.offering_id] = (*by_offering.get(shift.offering_id, ()), shift)
        by_date = {(each.offering_id, each.service_date): each for each in exceptions}
        return cls(zone, by_offering, by_date, tuple(closures))

    def starts(self, offering: Offering, service_date: date) -> Sequence[int]:
        """The starts of a service day, rising, also those that a closure forbids: they are refused as closed.

        Of a date that is an exception without hours, the starts of its weekday.
        """
        return self.day(offering, service_date).starts

    def service_date(self, offering: Offering, start: int) -> date | None:
        """The service day that a start belongs to; None when the offering has no such start.

        Of two, the one that is open; the later one when both are.
        """
        days = [self.day(offering, each) for each in calendar.service_dates_of(self.zone, start)]
        having = [day for day in days if day.has(start)]
        having.sort(key=lambda day: day.closed)
        return having[0].service_date if having else None

    def refusal(
        self, offering: Offering, service_date: date, *, start: int, end: int, now: int
    ) -> Refusal | None:
        """The rule of time that forbids a stay from one of the day's starts, whatever is free.

        Epoch seconds. The first that holds: closed, must have finished, notice, not released, too far ahead.
        """
        refusals = self.day(offering, service_date).refusals(self.zone, start=start, end=end, now=now)
        return next(refusals, None)

    def notes(self, offering_ids: Collection[UUID], service_date: date) -> list[str]:
        """What the venue tells everybody about a service day of some offerings, each once."""
        closures = [
            each.note
            for each in self.closures
            if each.first <= service_date <= each.last and any(map(each.concerns, offering_ids))
        ]
        exceptions = [self.exceptions.get((each, service_date)) for each in offering_ids]
        notes = closures + [each.note for each in exceptions if each]
        return list(dict.fromkeys(filter(None, notes)))

    def windows(self, offering_id: UUID, service_date: date) -> tuple[Window, ...]:
        """When an offering is open on a service date, closures aside, by opening time."""
        exception = self.exceptions.get((offering_id, service_date))
        return self._weekly(offering_id, service_date) if exception is None else exception.windows

    def overlapping(self, offering_id: UUID) -> date | None:
        """The first date whose own hours lie over others of the same offering; None when there is none."""
        for each, service_date in sorted(self.exceptions, key=lambda key: key[1]):
            if each == offering_id:
                shown = [
                    (window.opens + ahead * DAY_MINUTES, window.closes + ahead * DAY_MINUTES)
                    for ahead in (-1, 0, 1)
                    for window in self.windows(offering_id, service_date + timedelta(days=ahead))
                ]
                if any(closes > opens for (_, closes), (opens, _) in pairwise(sorted(shown))):
                    return service_date
        return None

    def day(self, offering: Offering, service_date: date) -> ServiceDay:
        """Everything about an offering on a service day, computed once."""
        key = offering.id, service_date
        day = self._days.get(key)
        if day is None or day.offering is not offering:
            day = self._days[key] = self._compute(offering, service_date)
            if len(self._days) > _MOST_DAYS:
                self._days.popitem(last=False)
        return day

    def _compute(self, offering: Offering, service_date: date) -> ServiceDay:
        exception = self.exceptions.get((offering.id, service_date))
        closed = exception is not None and not exception.windows
        windows = (
            self._weekly(offering.id, service_date) if closed else self.windows(offering.id, service_date)
        )
        closures = [each for each in self.closures if each.concerns(offering.id)]
        starts: set[int] = set()
        for window in windows:
            starts.update(
                calendar.starts_between(
                    self.zone,
                    service_date,
                    opens=window.opens,
                    last_start=window.last_start,
                    step=offering.slot_minutes,
                )
            )
        return ServiceDay(
            offering=offering,
            service_date=service_date,
            starts=tuple(sorted(starts)),
            closed=closed or any(each.closes_day(service_date) for each in closures),
            windows=windows,
            closed_spans=tuple(
                span for each in closures for span in each.spans_against(self.zone, service_date)
            ),
            finish_by=tuple(
                (window, self._finish_by(offering.id, service_date, window))
                for window in windows
                if window.must_finish
            ),
            last_notice=self._moment(service_date, offering.notice_until),
            released_at=self._moment(service_date, offering.release),
        )

    def _moment(self, service_date: date, lead: Lead | None) -> int | None:
        if lead is None:
            return None
        return calendar.moment_of(self.zone, service_date - timedelta(days=lead.days), lead.minute)

    def _weekly(self, offering_id: UUID, service_date: date) -> tuple[Window, ...]:
        weekday = service_date.isoweekday()
        return tuple(
            sorted(
                Window.of_shift(each) for each in self.shifts.get(offering_id, ()) if weekday in each.weekdays
            )
        )

    def _finish_by(self, offering_id: UUID, service_date: date, window: Window) -> int:
        """When an opening ends that goes on wherever the next window begins by then, in epoch seconds."""
        closes = self._span(service_date, window)[1]
        days = (service_date + timedelta(days=each) for each in range(_DAYS_OF_A_STAY))
        spans = sorted(span for day in days for span in self._open(offering_id, day))
        for opens, until in spans:
            if opens <= closes < until:
                closes = until
        return closes

    def _open(self, offering_id: UUID, service_date: date) -> Iterator[tuple[int, int]]:
        """The windows of a service date in epoch seconds, each up to where a closure begins."""
        closures = [each for each in self.closures if each.concerns(offering_id)]
        if any(each.closes_day(service_date) for each in closures):
            return
        closed = [span for each in closures for span in each.spans_against(self.zone, service_date)]
        for window in self.windows(offering_id, service_date):
            opens, until = self._span(service_date, window)
            for begins, ends in closed:
                if begins < until and opens < ends:
                    until = max(opens, begins)
            yield opens, until

    def _span(self, service_date: date, window: Window) -> tuple[int, int]:
        return (
            calendar.moment_of(self.zone, service_date, window.opens),
            calendar.end_of(self.zone, service_date, window.closes),
        )
