"""Hours against an oracle that walks through every minute and looks at the clock on the wall."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from booking.domain.clock import Lead
from booking.domain.closures import Closure
from booking.domain.hours import Hours
from booking.domain.offerings import Offering
from booking.domain.refusals import Refusal
from booking.domain.shifts import Shift
from booking.domain.turns import TurnTime
from booking.domain.windows import DateException, Window

OFFERING, OTHER = UUID(int=1), UUID(int=2)
# Days on which clocks change, and ordinary ones. Lord Howe changes by half an hour, Cairo at midnight.
DAYS = [
    ("Europe/Berlin", date(2027, 3, 28)),
    ("Europe/Berlin", date(2027, 10, 31)),
    ("America/New_York", date(2027, 3, 14)),
    ("America/New_York", date(2027, 11, 7)),
    ("Australia/Lord_Howe", date(2027, 4, 4)),
    ("Australia/Lord_Howe", date(2027, 10, 3)),
    ("Africa/Cairo", date(2027, 4, 30)),
    ("Africa/Cairo", date(2027, 10, 29)),
    ("Asia/Kathmandu", date(2027, 7, 1)),
]
_NIGHT = st.sampled_from([0, 60, 90, 120, 135, 150, 165, 180, 240, 720, 1080, 1320])


def epoch(day: date, minute: int = 0) -> int:
    """A local time as if it were UTC."""
    return int((datetime.combine(day, datetime.min.time(), UTC) + timedelta(minutes=minute)).timestamp())


@dataclass(frozen=True)
class Wall:
    """Every minute of the days around one, and what the clocks show then: (instant, shown as if UTC)."""

    zone: ZoneInfo
    day: date

    @cached_property
    def minutes(self) -> list[tuple[int, int]]:
        first, last = epoch(self.day - timedelta(days=5)), epoch(self.day + timedelta(days=6))
        return [
            (each, int(datetime.fromtimestamp(each, self.zone).replace(tzinfo=UTC).timestamp()))
            for each in range(first, last, 60)
        ]

    def showing(self, shown: Iterable[int]) -> list[int]:
        wanted = set(shown)
        return [instant for instant, wall in self.minutes if wall in wanted]

    def between(self, begins: int, ends: int) -> range:
        """The minutes from the first to the last at which the clocks show something in between."""
        inside = [instant for instant, wall in self.minutes if begins <= wall < ends]
        return range(inside[0], inside[-1] + 60, 60) if inside else range(0)

    def first_from(self, shown: int) -> int:
        return next(instant for instant, wall in self.minutes if wall >= shown)


@cache
def wall_of(zone: ZoneInfo, day: date) -> Wall:
    return Wall(zone, day)


@dataclass(frozen=True)
class Oracle:
    """Hours, told by walking. Knows the model's words, and none of its arithmetic."""

    hours: Hours
    what: Offering
    wall: Wall

    def windows(self, day: date) -> list[Window]:
        exception = self.hours.exceptions.get((OFFERING, day))
        if exception and exception.windows:
            return list(exception.windows)
        return [
            Window(each.opens, each.last_start, each.closes, each.must_finish)
            for each in self.hours.shifts.get(OFFERING, ())
            if day.isoweekday() in each.weekdays
        ]

    def starts(self, day: date) -> list[int]:
        return self.wall.showing(
            epoch(day, minute)
            for window in self.windows(day)
            for minute in range(window.opens, window.last_start + 1, self.what.slot_minutes)
        )

    def closed_all_day(self, day: date) -> bool:
        exception = self.hours.exceptions.get((OFFERING, day))
        return (exception is not None and not exception.windows) or any(
            each.begins is None and each.first <= day <= each.last for each in self._closures()
        )

    def closed_minutes(self, day: date) -> set[int]:
        """The minutes that nothing of a service day may touch."""
        found: set[int] = set()
        for each in self._closures():
            for ahead in range((each.last - each.first).days + 1):
                closed = each.first + timedelta(days=ahead)
                if each.cuts_tail or (each.begins is not None and closed == day):
                    begins, ends = (0, 1440) if each.begins is None else (each.begins, each.ends or 0)
                    found.update(self.wall.between(epoch(closed, begins), epoch(closed, ends)))
        return found

    def open_minutes(self) -> set[int]:
        found: set[int] = set()
        for ahead in range(-1, 4):
            day = self.wall.day + timedelta(days=ahead)
            if not self.closed_all_day(day):
                for window in self.windows(day):
                    opened = self.wall.between(epoch(day, window.opens), epoch(day, window.closes))
                    found |= set(opened) - self.closed_minutes(day)
        return found

    def refusal(self, *, start: int, end: int, now: int) -> Refusal | None:
        day, stay = self.wall.day, range(start, end, 60)
        if self.closed_all_day(day) or not self.closed_minutes(day).isdisjoint(stay):
            return Refusal.CLOSED
        shown = next(wall for instant, wall in self.wall.minutes if instant == start)
        (window,) = (
            each
            for each in self.windows(day)
            if epoch(day, each.opens) <= shown <= epoch(day, each.last_start)
        )
        if window.must_finish and not self.open_minutes().issuperset(stay):
            return Refusal.MUST_FINISH
        if start - now < self.what.min_notice_minutes * 60:
            return Refusal.NOTICE
        if self.what.notice_until and now >= self._reached(self.what.notice_until):
            return Refusal.NOTICE
        if self.what.release:
            return Refusal.NOT_RELEASED if now < self._reached(self.what.release) else None
        ahead = day - datetime.fromtimestamp(now, self.hours.zone).date()
        return Refusal.TOO_FAR_AHEAD if ahead > timedelta(days=self.what.max_advance_days) else None

    def _reached(self, lead: Lead) -> int:
        return self.wall.first_from(epoch(self.wall.day - timedelta(days=lead.days), lead.minute))

    def _closures(self) -> list[Closure]:
        return [each for each in self.hours.closures if OFFERING in (each.offering_ids or (OFFERING,))]


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    """A few openings that do not lie over each other, often meeting, often by night."""
    found: list[Window] = []
    opens = draw(_NIGHT)
    for _ in range(draw(st.integers(1, 3))):
        closes = min(opens + draw(st.sampled_from([15, 30, 60, 150, 420, 1440])), 2880)
        if closes <= opens or opens >= 1440 or (found and closes > found[0].opens + 1440):
            break
        last = draw(st.integers(opens, closes - 1))
        found.append(Window(opens, last, min(closes, opens + 1440), draw(st.booleans())))
        opens = closes + draw(st.sampled_from([0, 0, 30]))
    return tuple(found)


@st.composite
def closures(draw: st.DrawFn, day: date) -> Closure:
    first = day + timedelta(days=draw(st.integers(-1, 2)))
    begins = draw(st.none() | _NIGHT)
    return Closure(
        UUID(int=draw(st.integers(1, 99))),
        draw(st.sampled_from([(), (OFFERING,), (OTHER,)])),
        first,
        first + timedelta(days=draw(st.integers(0, 1))),
        begins=begins,
        ends=None if begins is None else begins + draw(st.sampled_from([10, 60, 150, 1440])),
        cuts_tail=draw(st.booleans()),
    )


@st.composite
def openings(draw: st.DrawFn) -> tuple[Hours, Offering, date]:
    """Hours of a venue, an offering, and a service day near a change of clocks."""
    zone, changes = draw(st.sampled_from(DAYS))
    day = changes + timedelta(days=draw(st.integers(-1, 1)))
    shifts = [
        Shift(
            UUID(int=10),
            OFFERING,
            tuple(range(1, 8)),
            each.opens,
            each.last_start,
            each.closes,
            each.must_finish,
        )
        for each in draw(windows())
    ]
    assume(not any(one.overlaps(other) for one in shifts for other in shifts if one is not other))
    exceptions = [
        DateException(UUID(int=20 + ahead), OFFERING, day + timedelta(days=ahead), draw(own))
        for ahead, own in ((-1, windows()), (0, windows() | st.just(())), (1, windows() | st.just(())))
        if draw(st.booleans())
    ]
    hours = Hours.of(
        ZoneInfo(zone),
        shifts=shifts,
        exceptions=exceptions,
        closures=draw(st.lists(closures(day), max_size=2)),
    )
    assume(hours.overlapping(OFFERING) is None)
    leads = st.none() | st.builds(Lead, st.integers(0, 3), _NIGHT)
    what = Offering(
        OFFERING,
        "Dinner",
        (TurnTime(9, 60),),
        None,
        slot_minutes=draw(st.sampled_from([5, 15, 20, 30, 60])),
        min_notice_minutes=draw(st.sampled_from([0, 60, 1440])),
        max_advance_days=draw(st.integers(1, 3)),
        notice_until=draw(leads),
        release=draw(leads),
    )
    return hours, what, day


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_hours_are_what_walking_through_every_minute_finds(data: st.DataObject) -> None:
    hours, what, day = data.draw(openings())
    oracle = Oracle(hours, what, wall_of(hours.zone, day))
    starts = hours.starts(what, day)
    assert list(starts) == oracle.starts(day)
    if not starts:
        return
    for _ in range(8):
        start = data.draw(st.sampled_from(starts))
        end = start + data.draw(st.sampled_from([15, 60, 75, 240, 720, 1440])) * 60
        now = start - data.draw(st.integers(-60, 4 * 1440)) * 60
        told = oracle.refusal(start=start, end=end, now=now)
        assert hours.refusal(what, day, start=start, end=end, now=now) == told
        if not oracle.closed_all_day(day):
            assert hours.service_date(what, start) == day
