"""Recurrence rules against an oracle that looks at every day, and in weeks whose clocks change."""

import calendar
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, islice
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from booking.domain.calendar import LocalTimeAmbiguous, LocalTimeMissing
from booking.domain.recurrence import (
    LONGEST,
    MOST_OCCURRENCES,
    Frequency,
    Recurrence,
    RecurrenceEmpty,
    RecurrenceNotSupported,
    RecurrenceStartsOffRule,
    RecurrenceTooLong,
    RecurrenceUnbounded,
    Weekday,
)
from booking.domain.series import Schedule

from .series import series_of

UTC_ZONE, PARIS = ZoneInfo("UTC"), ZoneInfo("Europe/Paris")
DAY = timedelta(days=1)
NINE = datetime(2027, 1, 1, 9, 0)  # noqa: DTZ001  # local times have no zone


def walk(rule: Recurrence, first: date) -> Iterator[date]:
    """Every day of a rule: each day is looked at, and counted in its period."""
    end = min(rule.until or date.max, first + LONGEST)
    days = (first + number * DAY for number in range(-366, (end - first).days + 367))
    found = 0
    for key, period in groupby(days, lambda day: _period(rule, day)):
        if (key - _period(rule, first)) % rule.interval:
            continue
        fitting = [day for day in period if _fits(rule, first, day)]
        chosen = {place - (place > 0) for place in rule.positions if -len(fitting) <= place <= len(fitting)}
        for day in fitting if not rule.positions else sorted({fitting[place] for place in chosen}):
            if first <= day <= end and found < (rule.count or MOST_OCCURRENCES + 1):
                found += 1
                yield day
        if found >= (rule.count or MOST_OCCURRENCES + 1):
            return


def _period(rule: Recurrence, day: date) -> int:
    match rule.frequency:
        case Frequency.YEARLY:
            return day.year
        case Frequency.MONTHLY:
            return day.year * 12 + day.month
        case Frequency.WEEKLY:
            return (day.toordinal() - 1 - rule.week_start) // 7  # 1 January of year 1 was a Monday
    return day.toordinal()


def _fits(rule: Recurrence, first: date, day: date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    in_month = not rule.months or day.month in rule.months
    on_day = not rule.month_days or bool({day.day, day.day - length - 1} & set(rule.month_days))
    on_weekday = not rule.weekdays or any(_is(rule, each, day, length) for each in rule.weekdays)
    as_first = {
        Frequency.YEARLY: day.day == first.day and (bool(rule.months) or day.month == first.month),
        Frequency.MONTHLY: day.day == first.day,
        Frequency.WEEKLY: day.weekday() == first.weekday(),
        Frequency.DAILY: True,
    }
    named = bool(rule.month_days or rule.weekdays)
    return in_month and on_day and on_weekday and (named or as_first[rule.frequency])


def _is(rule: Recurrence, weekday: Weekday, day: date, length: int) -> bool:
    if day.weekday() != weekday.day:
        return False
    if not weekday.ordinal:
        return True
    place, days = day.day, length
    if rule.frequency is Frequency.YEARLY and not rule.months:
        place, days = day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365
    return weekday.ordinal in ((place - 1) // 7 + 1, -((days - place) // 7 + 1))


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    """Rules of every kind that is supported."""
    frequency = draw(st.sampled_from(Frequency))
    signed = st.booleans().flatmap(lambda back: st.integers(-31, -1) if back else st.integers(1, 31))
    numbered = frequency <= Frequency.MONTHLY and draw(st.booleans())
    most = 53 if frequency is Frequency.YEARLY else 5
    ordinals = st.integers(-most, most).filter(bool) if numbered else st.just(0)
    weekdays = draw(st.lists(st.builds(Weekday, st.integers(0, 6), ordinals), max_size=3))
    month_days = [] if frequency is Frequency.WEEKLY else draw(st.lists(signed, max_size=3))
    months = draw(st.lists(st.integers(1, 12), max_size=4))
    may_choose = frequency is not Frequency.DAILY and (weekdays or month_days or months)
    positions = draw(st.lists(st.sampled_from([1, 2, 3, 5, -1, -2]), max_size=2)) if may_choose else []
    count = draw(st.none() | st.integers(1, 40))
    return Recurrence(
        frequency,
        interval=draw(st.integers(1, 4)),
        count=count,
        until=None if count else date(2027, 1, 1) + draw(st.integers(0, 900)) * DAY,
        months=tuple(sorted(set(months))),
        month_days=tuple(sorted(set(month_days))),
        weekdays=tuple(sorted(set(weekdays), key=lambda each: (each.ordinal, each.day))),
        positions=tuple(sorted(set(positions))),
        week_start=draw(st.integers(0, 6)),
    )


@settings(deadline=None, max_examples=300)
@given(rules(), st.dates(date(2026, 12, 1), date(2028, 3, 1)))
def test_the_days_of_a_rule_are_those_that_looking_at_each_day_finds(rule: Recurrence, base: date) -> None:
    first = next(walk(rule, base), base)
    expected = list(walk(rule, first))
    if rule.until and rule.until < first:
        with pytest.raises(RecurrenceEmpty):
            rule.dates(first)
    elif not expected or expected[0] != first:
        with pytest.raises(RecurrenceStartsOffRule):
            rule.dates(first)
    elif len(expected) > MOST_OCCURRENCES or len(expected) < (rule.count or 0):
        with pytest.raises(RecurrenceTooLong):
            rule.dates(first)
    else:
        assert rule.dates(first) == expected


@settings(deadline=None, max_examples=300)
@given(rules(), st.dates(date(2026, 12, 1), date(2028, 3, 1)))
def test_the_days_of_a_rule_are_those_that_a_library_finds(rule: Recurrence, base: date) -> None:
    assume(
        not (rule.positions and rule.frequency is Frequency.WEEKLY)
    )  # it counts only a part of the first week
    first = next(walk(rule, base), base)
    try:
        found = rule.dates(first)
    except (RecurrenceStartsOffRule, RecurrenceTooLong, RecurrenceEmpty):
        return  # the library would look as far as the year 9999
    text = rule.text().replace(f";COUNT={rule.count}", "") if rule.count else rule.text()
    library = rrulestr(text, dtstart=datetime.combine(first, time()))
    try:
        days = [each.date() for each in islice(library, len(found))]
    except IndexError:  # a weekday of a number that its month or year does not have: it reads past its end
        reject()
    assert found == days


@settings(deadline=None)
@given(rules())
def test_a_rule_reads_as_it_is_written(rule: Recurrence) -> None:
    assert Recurrence.parse(rule.text(), first=NINE, zone=UTC_ZONE) == rule


@settings(deadline=None)
@given(rules(), st.dates(date(2026, 12, 1), date(2028, 3, 1)), st.data())
def test_the_parts_of_a_split_schedule_are_the_whole(
    rule: Recurrence, base: date, data: st.DataObject
) -> None:
    first = next(walk(rule, base), base)
    try:
        schedule = Schedule.plan(rule, datetime.combine(first, time(19)))
    except (RecurrenceStartsOffRule, RecurrenceTooLong, RecurrenceEmpty):
        return
    near = st.dates(first, first + 200 * DAY)
    schedule = replace(
        schedule,
        excluded=tuple(sorted(set(data.draw(st.lists(st.sampled_from(schedule.dates()), max_size=3))))),
        added=tuple(sorted(set(data.draw(st.lists(near, max_size=3))))),
    )
    days = schedule.dates()
    for day in days[1:]:
        assert schedule.before(day).dates() == [each for each in days if each < day]
        assert schedule.since(day).dates() == [each for each in days if each >= day]


def test_a_rule_that_is_over_is_not_made_longer_where_only_added_days_are_split_off() -> None:
    first, late = NINE.date(), NINE.date() + 60 * DAY
    schedule = Schedule.plan(Recurrence(Frequency.WEEKLY, count=3), NINE, added=[late])
    assert schedule.before(late).dates() == [first, first + 7 * DAY, first + 14 * DAY]
    assert schedule.since(late).dates() == [late]


@pytest.mark.parametrize(
    ("rule", "first", "days"),
    [
        ("FREQ=MONTHLY;COUNT=4", date(2027, 1, 31), ["01-31", "03-31", "05-31", "07-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=4", date(2027, 1, 31), ["01-31", "02-28", "03-31", "04-30"]),
        ("FREQ=MONTHLY;BYDAY=2TU;COUNT=3", date(2027, 1, 12), ["01-12", "02-09", "03-09"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", date(2027, 1, 29), ["01-29", "02-26", "03-31"]),  # noqa: E501
        ("FREQ=WEEKLY;BYDAY=TU,SU;INTERVAL=2;WKST=MO;COUNT=4", date(2027, 8, 3), ["08-03", "08-08", "08-17", "08-22"]),  # noqa: E501
        ("FREQ=WEEKLY;BYDAY=TU,SU;INTERVAL=2;WKST=SU;COUNT=4", date(2027, 8, 3), ["08-03", "08-15", "08-17", "08-29"]),  # noqa: E501
        ("FREQ=WEEKLY;UNTIL=20270119", date(2027, 1, 5), ["01-05", "01-12", "01-19"]),
        ("FREQ=WEEKLY;UNTIL=20270119T090000", date(2027, 1, 5), ["01-05", "01-12", "01-19"]),
        ("FREQ=WEEKLY;UNTIL=20270119T080000Z", date(2027, 1, 5), ["01-05", "01-12", "01-19"]),
        ("FREQ=WEEKLY;UNTIL=20270119T075959Z", date(2027, 1, 5), ["01-05", "01-12"]),
    ],
)  # fmt: skip
def test_rules_mean_what_the_standard_says(rule: str, first: date, days: list[str]) -> None:
    start = datetime.combine(first, time(9))
    found = Recurrence.parse(rule, first=start, zone=PARIS).dates(first)
    assert [f"{each:%m-%d}" for each in found] == days


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ("FREQ=WEEKLY", RecurrenceUnbounded),
        ("FREQ=WEEKLY;COUNT=105", RecurrenceTooLong),
        ("FREQ=DAILY;UNTIL=20270601", RecurrenceTooLong),
        ("FREQ=YEARLY;COUNT=12", RecurrenceTooLong),
        ("FREQ=YEARLY;UNTIL=20380101", RecurrenceTooLong),
        ("FREQ=WEEKLY;UNTIL=20261231", RecurrenceEmpty),
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=3", RecurrenceStartsOffRule),
        ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", RecurrenceStartsOffRule),
        ("FREQ=HOURLY;COUNT=3", RecurrenceNotSupported),
        ("COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;COUNT=3;COUNT=4", RecurrenceNotSupported),
        ("FREQ=WEEKLY;COUNT=3;UNTIL=20270201", RecurrenceNotSupported),
        ("FREQ=WEEKLY;COUNT=0", RecurrenceNotSupported),
        ("FREQ=WEEKLY;COUNT=-3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;COUNT=", RecurrenceNotSupported),
        ("FREQ=WEEKLY;INTERVAL=0;COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;BYDAY=1MO;COUNT=3", RecurrenceNotSupported),
        ("FREQ=MONTHLY;BYDAY=0MO;COUNT=3", RecurrenceNotSupported),
        ("FREQ=MONTHLY;BYDAY=1MO,TU;COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;BYDAY=;COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;BYMONTHDAY=1;COUNT=3", RecurrenceNotSupported),
        ("FREQ=MONTHLY;BYMONTHDAY=32;COUNT=3", RecurrenceNotSupported),
        ("FREQ=MONTHLY;BYSETPOS=1;COUNT=3", RecurrenceNotSupported),
        ("FREQ=YEARLY;BYWEEKNO=3;COUNT=3", RecurrenceNotSupported),
        ("FREQ=DAILY;BYHOUR=9;COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;WKST=XX;COUNT=3", RecurrenceNotSupported),
        ("FREQ=WEEKLY;UNTIL=20270230", RecurrenceNotSupported),
        ("FREQ=WEEKLY;UNTIL=tomorrow", RecurrenceNotSupported),
        ("FREQ=WEEKLY;UNTIL=00010101T000000Z", RecurrenceNotSupported),
    ],
)
def test_rules_that_bookings_do_not_repeat_by_are_refused(rule: str, refused: type[Exception]) -> None:
    with pytest.raises(refused):
        Schedule.plan(Recurrence.parse(rule, first=NINE, zone=PARIS), NINE)


def test_days_are_left_out_and_added() -> None:
    rule = Recurrence(Frequency.WEEKLY, count=3)
    first, second, third = (NINE.date() + each * 7 * DAY for each in range(3))
    schedule = Schedule.plan(rule, NINE, excluded=[second], added=[first + DAY, third])
    assert schedule.dates() == [first, first + DAY, third]
    with pytest.raises(RecurrenceEmpty):
        Schedule.plan(rule, NINE, excluded=[first, second, third])
    with pytest.raises(RecurrenceNotSupported):
        Schedule.plan(rule, NINE, added=[first - DAY])
    with pytest.raises(RecurrenceTooLong):
        Schedule.plan(Recurrence(Frequency.DAILY, count=104), NINE, added=[first + 200 * DAY])


@pytest.mark.parametrize(
    ("zone", "clock", "first", "offsets"),
    [
        ("Europe/Berlin", time(19), date(2027, 3, 21), [60, 120, 120]),
        ("Europe/Berlin", time(2, 30), date(2027, 3, 21), [60, LocalTimeMissing, 120]),
        ("Europe/Berlin", time(2, 30), date(2027, 10, 24), [120, LocalTimeAmbiguous, 60]),
        ("America/New_York", time(2, 30), date(2027, 3, 7), [-300, LocalTimeMissing, -240]),
        ("America/New_York", time(1, 30), date(2027, 10, 31), [-240, LocalTimeAmbiguous, -300]),
        ("America/New_York", time(19), date(2027, 10, 31), [-240, -300, -300]),
        ("Australia/Lord_Howe", time(2, 15), date(2027, 9, 26), [630, LocalTimeMissing, 660]),
        ("Australia/Lord_Howe", time(1, 45), date(2027, 3, 28), [660, LocalTimeAmbiguous, 630]),
        ("Africa/Cairo", time(0, 30), date(2027, 4, 23), [120, LocalTimeMissing, 180]),
        ("Africa/Cairo", time(23, 30), date(2027, 10, 21), [180, LocalTimeAmbiguous, 120]),
        ("Asia/Kathmandu", time(19), date(2027, 3, 21), [345, 345, 345]),
    ],
)  # fmt: skip
def test_wall_clocks_stay_when_the_clocks_change(
    zone: str, clock: time, first: date, offsets: list[int | type[Exception]]
) -> None:
    schedule = Schedule.plan(Recurrence(Frequency.WEEKLY, count=3), datetime.combine(first, clock))
    series = series_of(schedule, zone)
    for day, offset in zip(schedule.dates(), offsets, strict=True):
        if isinstance(offset, int):
            start = datetime.fromtimestamp(series.start(day), UTC) + timedelta(minutes=offset)
            assert start.replace(tzinfo=None) == datetime.combine(day, clock)
        else:
            with pytest.raises(offset):
                series.start(day)
