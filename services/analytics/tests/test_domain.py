"""Local days, opening hours and rounding."""

from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.domain.figures import basis_points
from analytics.domain.hours import Window, local_day, opening_hours

PARIS = ZoneInfo("Europe/Paris")
SPRING, AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
SUNDAY = 7


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2027, 3, 27), 24),
        ("Europe/Paris", SPRING, 23),
        ("Europe/Paris", AUTUMN, 25),
        ("Australia/Lord_Howe", date(2027, 4, 4), 24.5),
        ("America/Santiago", date(2027, 9, 5), 23),
        ("America/Santiago", date(2027, 4, 3), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_a_local_day_has_as_many_hours_as_its_law_says(zone: str, day: date, hours: float) -> None:
    span = local_day(day, ZoneInfo(zone))
    assert span.end - span.start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("opens", "closes", "minutes"),
    [
        ("19:00", "23:30", (1140, 1410)),
        ("19:00", "00:30", (1140, 1470)),
        ("19:00", "24:00", (1140, 1440)),
        ("08:00", "08:00", (480, 1920)),
        ("00:00", "24:00", (0, 1440)),
        ("00:00", "00:00", (0, 1440)),
    ],
)
def test_a_closing_time_not_later_than_the_opening_is_after_midnight(
    opens: str, closes: str, minutes: tuple[int, int]
) -> None:
    window = Window.of(SUNDAY, opens, closes)
    assert (window.opens, window.closes) == minutes


@pytest.mark.parametrize("clock", ["24:01", "12:60", "-1:00", "noon", "25:00"])
def test_what_is_no_time_of_the_day_is_no_window(clock: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Window.of(SUNDAY, clock, "12:00")


def _open_minutes(day: date, *clocks: tuple[str, str]) -> list[int]:
    windows = [Window.of(SUNDAY, opens, closes) for opens, closes in clocks]
    return [span.seconds // 60 for span in opening_hours(day, windows, PARIS)]


def test_hours_are_elapsed_hours_when_the_clock_changes() -> None:
    assert _open_minutes(SPRING, ("01:00", "04:00")) == [120]
    assert _open_minutes(AUTUMN, ("01:00", "04:00")) == [240]


def test_a_time_that_occurs_twice_is_the_first_one() -> None:
    assert _open_minutes(AUTUMN, ("01:30", "02:30")) == [60]
    assert _open_minutes(AUTUMN, ("02:30", "03:30")) == [120]


def test_a_time_that_is_skipped_is_read_with_the_offset_before_the_change() -> None:
    assert _open_minutes(SPRING, ("02:30", "04:00")) == [30]
    assert _open_minutes(SPRING, ("02:30", "03:15")) == []


def test_windows_that_overlap_or_touch_count_once() -> None:
    day = SPRING + timedelta(weeks=1)
    lunch = (("12:00", "14:00"), ("13:00", "15:00"), ("15:00", "16:00"), ("14:15", "14:30"))
    assert _open_minutes(day, *lunch, ("19:00", "01:00")) == [240, 360]


def test_windows_of_other_weekdays_do_not_count() -> None:
    assert _open_minutes(SPRING + timedelta(days=1), ("12:00", "14:00")) == []


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_basis_points_are_the_exact_share_rounded_half_up(part: int, whole: int) -> None:
    exact = Fraction(part, whole) * 10_000 if whole else Fraction(0)
    rounded = int(exact + Fraction(1, 2))
    assert basis_points(part, whole) == min(10_000, rounded)
