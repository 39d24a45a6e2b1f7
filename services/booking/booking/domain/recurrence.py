"""Recurrence rules of RFC 5545 §3.3.10, as far as bookings repeat: in local days, and always with an end.

Our own: for a rule that no day fits, libraries look as far as the year 9999, and rules come from callers.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from itertools import count, islice
from typing import NoReturn
from zoneinfo import ZoneInfo

from servicekit.errors import AppError, Kind, Violation

MOST_OCCURRENCES = 104
"""Two years of weeks."""
LONGEST = timedelta(days=3653)
"""From the first day of a rule to its last: ten years."""
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "BYSETPOS", "WKST")
_MIDNIGHT = datetime(1971, 1, 1)  # noqa: DTZ001  # a local time has no zone
_NUMBER = re.compile(r"[+-]?[0-9]{1,4}")
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")


class RecurrenceNotSupported(AppError):
    """The rule is none of RFC 5545, or repeats in a way that bookings do not."""

    kind = Kind.UNPROCESSABLE
    reason = "RECURRENCE_NOT_SUPPORTED"
    detail = "Bookings cannot repeat like this; see errors."


class RecurrenceUnbounded(AppError):
    """The rule has no end: neither COUNT nor UNTIL."""

    kind = Kind.UNPROCESSABLE
    reason = "RECURRENCE_UNBOUNDED"
    detail = "The rule must have an end: COUNT or UNTIL."


class RecurrenceTooLong(AppError):
    """The rule has more than 104 occurrences, or lasts longer than ten years."""

    kind = Kind.UNPROCESSABLE
    reason = "RECURRENCE_TOO_LONG"
    detail = "A series has at most 104 occurrences within ten years."


class RecurrenceStartsOffRule(AppError):
    """The first start is none of the rule, so nobody could say which one counts as the first."""

    kind = Kind.UNPROCESSABLE
    reason = "RECURRENCE_STARTS_OFF_RULE"
    detail = "The first start must be one that the rule has."


class RecurrenceEmpty(AppError):
    """Every occurrence of the rule is left out."""

    kind = Kind.UNPROCESSABLE
    reason = "RECURRENCE_EMPTY"
    detail = "Nothing is left of the series."


class Frequency(IntEnum):
    """How long a period of a rule is, longest first."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week, Monday is 0; with an ordinal the nth of its month or year, negative from the end."""

    day: int
    ordinal: int = 0


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule that says on which local days something repeats. Exactly one of `count` and `until` is set."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | None = None
    """The last day it may have."""
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[Weekday, ...] = ()
    positions: tuple[int, ...] = ()
    """Which of the days of a period count; none for all."""
    week_start: int = 0

    @classmethod
    def parse(cls, text: str, *, first: datetime, zone: ZoneInfo) -> "Recurrence":
        """The rule of an RRULE property whose DTSTART is `first`, a local time without its zone.

        Frequencies from DAILY up, INTERVAL, COUNT or UNTIL (a day that counts, a local time, or an instant in
        UTC), BYMONTH, BYMONTHDAY, BYDAY, BYSETPOS and WKST. Not BYYEARDAY, BYWEEKNO and parts of a day.

        Raises:
            RecurrenceNotSupported: something else is in it, or parts that RFC 5545 forbids together.
            RecurrenceUnbounded: it has no end.
            RecurrenceTooLong: its end is beyond what a series may have.
        """
        parts = _parts(text)
        until = parts.get("UNTIL")
        rule = cls(
            frequency=_frequency(parts.get("FREQ", "")),
            interval=_number("INTERVAL", parts.get("INTERVAL", "1"), 1, 366),
            count=_number("COUNT", parts["COUNT"], 1, 9999) if "COUNT" in parts else None,
            until=_until(until, first=first, zone=zone) if until is not None else None,
            months=_numbers("BYMONTH", parts, 1, 12),
            month_days=_numbers("BYMONTHDAY", parts, 1, 31, negative=True),
            weekdays=_weekdays(parts.get("BYDAY")),
            positions=_numbers("BYSETPOS", parts, 1, 366, negative=True),
            week_start=_week_start(parts.get("WKST", "MO")),
        )
        rule._refuse_unless_consistent()
        return rule

    @classmethod
    def read(cls, text: str) -> "Recurrence":
        """The rule that `text` wrote."""
        return cls.parse(text, first=_MIDNIGHT, zone=ZoneInfo("UTC"))

    def dates(self, first: date) -> list[date]:
        """Every day of the rule from `first`, its first one, on; rising.

        Raises:
            RecurrenceStartsOffRule: `first` is not of the rule.
            RecurrenceEmpty: the rule ends before it.
            RecurrenceTooLong: there are more than 104, or it lasts longer than ten years.
        """
        end = first + LONGEST
        if self.until is not None and self.until < first:
            raise RecurrenceEmpty
        if self.until is not None and self.until > end:
            raise RecurrenceTooLong
        if self.count is not None and self.count > MOST_OCCURRENCES:
            raise RecurrenceTooLong
        days = self._walk(first, min(self.until or end, end))
        found = list(islice(days, self.count or MOST_OCCURRENCES + 1))
        if not found or found[0] != first:
            raise RecurrenceStartsOffRule
        if len(found) > MOST_OCCURRENCES or len(found) < (self.count or 0):
            raise RecurrenceTooLong
        return found

    def before(self, day: date) -> "Recurrence":
        """The same rule, which ends on the day before."""
        return replace(self, count=None, until=day - timedelta(days=1))

    def rest(self, count: int) -> "Recurrence":
        """The same rule for the last `count` of its occurrences, if it was one that counts."""
        return self if self.count is None else replace(self, count=count)

    def text(self) -> str:
        """As an RRULE property says it."""
        parts = [f"FREQ={self.frequency.name}"]
        if self.interval > 1:
            parts.append(f"INTERVAL={self.interval}")
        parts.append(f"COUNT={self.count}" if self.count else f"UNTIL={self.until:%Y%m%d}")
        for name, numbers in (
            ("BYMONTH", self.months),
            ("BYMONTHDAY", self.month_days),
            ("BYDAY", [f"{each.ordinal or ''}{_WEEKDAYS[each.day]}" for each in self.weekdays]),
            ("BYSETPOS", self.positions),
        ):
            if numbers:
                parts.append(f"{name}={','.join(map(str, numbers))}")
        if self.week_start:
            parts.append(f"WKST={_WEEKDAYS[self.week_start]}")
        return ";".join(parts)

    def _walk(self, first: date, last: date) -> Iterator[date]:
        """The days of the rule from `first` to `last`, period by period. Never looks farther than that."""
        for number in count(step=self.interval):
            period = self._period(first, number)
            if period[0] > last:
                return
            days = [day for day in period if self._fits(day, first)]
            if self.positions:
                places = {each - (each > 0) for each in self.positions if -len(days) <= each <= len(days)}
                days = sorted({days[place] for place in places})
            yield from (day for day in days if first <= day <= last)

    def _period(self, first: date, number: int) -> list[date]:
        """All days of the year, month, week or day that is so many after the one of `first`."""
        match self.frequency:
            case Frequency.YEARLY:
                start, length = date(first.year + number, 1, 1), 365 + isleap(first.year + number)
            case Frequency.MONTHLY:
                year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
                start, length = date(year, month + 1, 1), monthrange(year, month + 1)[1]
            case Frequency.WEEKLY:
                into = (first.weekday() - self.week_start) % 7
                start, length = first + timedelta(days=7 * number - into), 7
            case Frequency.DAILY:
                start, length = first + timedelta(days=number), 1
        return [start + timedelta(days=each) for each in range(length)]

    def _fits(self, day: date, first: date) -> bool:
        """Whether a day of a period is one that the rule names; what it does not name is as on the first."""
        if self.months and day.month not in self.months:
            return False
        length = monthrange(day.year, day.month)[1]
        if self.month_days and not {day.day, day.day - length - 1} & {*self.month_days}:
            return False
        if self.weekdays:
            return any(self._is(day, each, length) for each in self.weekdays)
        if self.month_days or self.frequency is Frequency.DAILY:
            return True
        if self.frequency is Frequency.WEEKLY:
            return day.weekday() == first.weekday()
        same_month = self.frequency is Frequency.MONTHLY or bool(self.months) or day.month == first.month
        return same_month and day.day == first.day

    def _is(self, day: date, weekday: Weekday, length: int) -> bool:
        """Whether a day of a month of `length` days is the nth weekday of its month, or of its year."""
        if day.weekday() != weekday.day or not weekday.ordinal:
            return day.weekday() == weekday.day
        place = day.day
        if self.frequency is Frequency.YEARLY and not self.months:
            place, length = day.timetuple().tm_yday, 365 + isleap(day.year)
        return weekday.ordinal in ((place + 6) // 7, -((length - place) // 7) - 1)

    def _refuse_unless_consistent(self) -> None:
        if self.count is not None and self.until is not None:
            _refuse("must not have both COUNT and UNTIL")
        if self.count is None and self.until is None:
            raise RecurrenceUnbounded
        numbered = [bool(each.ordinal) for each in self.weekdays]
        if any(numbered) and self.frequency > Frequency.MONTHLY:
            _refuse("BYDAY has numbers only in rules that are MONTHLY or YEARLY")
        if any(numbered) and not all(numbered):
            _refuse("BYDAY must have numbers for all days or for none")
        if self.month_days and self.frequency is Frequency.WEEKLY:
            _refuse("BYMONTHDAY is for rules that are not WEEKLY")
        if self.positions and (
            self.frequency is Frequency.DAILY or not (self.weekdays or self.month_days or self.months)
        ):
            _refuse("BYSETPOS needs BYDAY, BYMONTHDAY or BYMONTH, in rules that are not DAILY")


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            _refuse(f"must have no other parts than {', '.join(_PARTS)}")
        if name in found:
            _refuse(f"{name} must stand once")
        found[name] = value
    return found


def _frequency(text: str) -> Frequency:
    if text not in Frequency.__members__:
        _refuse("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY")
    return Frequency[text]


def _number(name: str, text: str, least: int, most: int, *, negative: bool = False) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not least <= (abs(number) if negative else number) <= most:
        _refuse(f"{name} must be from {least} to {most}" + (", or negative from the end" if negative else ""))
    return number


def _numbers(
    name: str, parts: dict[str, str], least: int, most: int, *, negative: bool = False
) -> tuple[int, ...]:
    if name not in parts:
        return ()
    numbers = {_number(name, each, least, most, negative=negative) for each in parts[name].split(",")}
    return tuple(sorted(numbers))


def _weekdays(text: str | None) -> tuple[Weekday, ...]:
    found: set[tuple[int, int]] = set()
    for each in text.split(",") if text is not None else ():
        match = _BYDAY.fullmatch(each)
        ordinal = int(match[1] or 0) if match else 99
        if match is None or abs(ordinal) > 53 or (match[1] and not ordinal):  # noqa: PLR2004  # weeks
            _refuse("BYDAY must be days of the week like MO, or 2MO, or -1MO")
        found.add((ordinal, _WEEKDAYS.index(match[2])))
    return tuple(Weekday(day, ordinal) for ordinal, day in sorted(found))


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        _refuse("WKST must be a day of the week, like MO")
    return _WEEKDAYS.index(text)


def _until(text: str, *, first: datetime, zone: ZoneInfo) -> date:
    """The last day on which a start at the local time of `first` is not later."""
    if not _UNTIL.fullmatch(text):
        _refuse("UNTIL must be a day like 20271231, or a time like 20271231T190000Z")
    try:
        if "T" not in text:
            return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
        last = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        if text.endswith("Z"):
            last = last.astimezone(zone)
        return last.date() if first.time() <= last.time() else last.date() - timedelta(days=1)
    except (ValueError, OverflowError):
        _refuse("UNTIL must be a day of the calendar")


def _refuse(message: str) -> NoReturn:
    raise RecurrenceNotSupported(violations=[Violation("/rule", message)])
