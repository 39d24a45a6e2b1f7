"""Local days and opening hours as instants, true to daylight saving time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_HOUR = 60
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One opening window on the service days of one weekday, by the clock on the wall."""

    weekday: int
    """ISO: 1 Monday to 7 Sunday."""
    opens: int
    """Minutes after midnight."""
    closes: int
    """Minutes after the same midnight: more than a day's for a window that crosses the next one."""

    @classmethod
    def of(cls, weekday: int, opens: str, closes: str) -> "Window":
        """A window as shifts write it, up to "24:00"; a closing time not later than opens is after midnight.

        Raises:
            ValueError: not times of the day.
        """
        start, end = _minutes(opens), _minutes(closes)
        return cls(weekday, start, end if end > start else end + _DAY)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time in UTC, half-open."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> int:
        """Elapsed."""
        return int((self.end - self.start).total_seconds())


def local_day(day: date, zone: ZoneInfo) -> Span:
    """From midnight to midnight on the venue's clock: 23, 24 or 25 hours, or what the zone's law says."""
    return Span(_instant(day, 0, zone), _instant(day, _DAY, zone))


def opening_hours(day: date, windows: Iterable[Window], zone: ZoneInfo) -> list[Span]:
    """When a venue is open on a service day: the union of its windows, in order, not touching each other."""
    spans = sorted(
        (
            Span(_instant(day, window.opens, zone), _instant(day, window.closes, zone))
            for window in windows
            if window.weekday == day.isoweekday()
        ),
        key=lambda span: span.start,
    )
    union: list[Span] = []
    for span in spans:
        if span.end <= span.start:  # the clock went forward over all of it
            continue
        if union and span.start <= union[-1].end:
            union[-1] = Span(union[-1].start, max(union[-1].end, span.end))
        else:
            union.append(span)
    return union


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant of a time on the wall, `minutes` after the midnight that begins `day`.

    One that occurs twice means its first occurrence; one that is skipped is read with the offset before the
    change (RFC 5545 §3.3.5, which is PEP 495 with fold 0).
    """
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _minutes(clock: str) -> int:
    hours, minutes = map(int, clock.split(":"))
    total = hours * _HOUR + minutes
    if not 0 <= minutes < _HOUR or not 0 <= total <= _DAY:
        message = "not a time of the day"
        raise ValueError(message)
    return total
