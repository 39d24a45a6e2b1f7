"""Hours as people mean them: openings, closures, dates of their own, notice, and clocks that change."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from booking.domain import calendar
from booking.domain.calendar import LocalTimeAmbiguous, LocalTimeMissing
from booking.domain.clock import Lead
from booking.domain.closures import Closure
from booking.domain.hours import Hours
from booking.domain.offerings import Offering
from booking.domain.refusals import Refusal
from booking.domain.shifts import Shift
from booking.domain.texts import Inconsistent
from booking.domain.turns import TurnTime
from booking.domain.windows import DateException, Window
from servicekit.errors import AppError

BERLIN = ZoneInfo("Europe/Berlin")
OFFERING, OTHER = UUID(int=1), UUID(int=2)


def offering(slot_minutes: int = 30, **times: object) -> Offering:
    fields: dict[str, object] = {"min_notice_minutes": 0, "max_advance_days": 90, **times}
    return Offering(
        OFFERING,
        "Dinner",
        (TurnTime(9, 60),),
        None,
        slot_minutes=slot_minutes,
        **fields,  # type: ignore[arg-type]
    )


def shown(zone: ZoneInfo, instants: Iterable[int]) -> list[str]:
    return [datetime.fromtimestamp(each, zone).strftime("%d. %H:%M%z") for each in instants]


def weekly(opens: str, last_start: str, closes: str, *weekdays: int, must_finish: bool = False) -> Shift:
    return Shift.add(
        UUID(int=10),
        offering_id=OFFERING,
        weekdays=weekdays or range(1, 8),
        opens=opens,
        last_start=last_start,
        closes=closes,
        must_finish=must_finish,
    )


def closed(first: date, last: date | None = None, **fields: object) -> Closure:
    told: dict[str, object] = {"offering_ids": (), "begins": "", "ends": "", "cuts_tail": False, **fields}
    return Closure.plan(UUID(int=30), first=first, last=last or first, reason="", note="", **told)  # type: ignore[arg-type]


def refusals(hours: Hours, day: date, minutes: int = 60, what: Offering | None = None) -> dict[str, str]:
    """What is refused of a day, by local time, for stays of some minutes, a week ahead."""
    what = what or offering()
    now = int(datetime.combine(day - timedelta(days=7), datetime.min.time(), UTC).timestamp())
    return {
        datetime.fromtimestamp(start, hours.zone).strftime("%H:%M"): refusal.value
        for start in hours.starts(what, day)
        if (refusal := hours.refusal(what, day, start=start, end=start + minutes * 60, now=now))
    }


FRIDAY, SATURDAY, SUNDAY = (date(2027, 6, each) for each in (11, 12, 13))


def test_a_day_may_end_at_midnight_and_the_next_one_begin_there() -> None:
    around = Hours.of(BERLIN, shifts=[weekly("00:00", "23:30", "24:00")])
    starts = around.starts(offering(), FRIDAY)
    assert len(starts) == 48
    assert around.service_date(offering(), starts[-1] + 1800) == SATURDAY


def test_shifts_that_meet_are_one_opening() -> None:
    lunch, dinner = weekly("12:00", "14:30", "15:00", must_finish=True), weekly("15:00", "21:30", "22:00")
    alone = Hours.of(BERLIN, shifts=[lunch])
    assert refusals(alone, FRIDAY) == {"14:30": "must_finish"}
    both = Hours.of(BERLIN, shifts=[lunch, dinner])
    assert refusals(both, FRIDAY) == {}
    starts = both.starts(offering(), FRIDAY)
    assert len(starts) == len(set(starts)) == 6 + 14
    assert not lunch.overlaps(dinner)
    assert lunch.overlaps(weekly("14:59", "15:00", "16:00"))


def test_an_opening_goes_on_into_the_next_service_day_and_ends_where_that_is_closed() -> None:
    shift = weekly("00:00", "23:30", "24:00", must_finish=True)
    always = Hours.of(BERLIN, shifts=[shift])
    assert refusals(always, FRIDAY) == {}
    closures = [closed(SATURDAY)]
    assert refusals(Hours.of(BERLIN, shifts=[shift], closures=closures), FRIDAY) == {"23:30": "must_finish"}
    morning = [closed(SATURDAY, begins="00:15", ends="09:00")]
    assert refusals(Hours.of(BERLIN, shifts=[shift], closures=morning), FRIDAY) == {"23:30": "must_finish"}


def test_without_must_finish_a_stay_may_outlast_the_closing() -> None:
    hours = Hours.of(BERLIN, shifts=[weekly("19:00", "21:30", "22:00")])
    assert refusals(hours, FRIDAY, 180) == {}
    strict = Hours.of(BERLIN, shifts=[weekly("19:00", "21:30", "22:00", must_finish=True)])
    assert refusals(strict, FRIDAY, 150) == {"20:00": "must_finish", "20:30": "must_finish"} | {
        "21:00": "must_finish",
        "21:30": "must_finish",
    }


LATE = weekly("22:00", "01:30", "02:00")


def test_a_closed_saturday_leaves_fridays_tail_unless_it_cuts_it() -> None:
    hours = Hours.of(BERLIN, shifts=[LATE], closures=[closed(SATURDAY)])
    assert refusals(hours, FRIDAY) == {}
    assert len(refusals(hours, SATURDAY)) == len(hours.starts(offering(), SATURDAY)) == 8
    cutting = Hours.of(BERLIN, shifts=[LATE], closures=[closed(SATURDAY, cuts_tail=True)])
    assert list(refusals(cutting, FRIDAY)) == ["23:30", "00:00", "00:30", "01:00", "01:30"]
    assert len(refusals(cutting, SATURDAY)) == 8
    assert refusals(cutting, SUNDAY) == {}


def test_a_closure_between_two_times_refuses_stays_that_touch_it() -> None:
    hours = Hours.of(
        BERLIN,
        shifts=[weekly("12:00", "17:00", "18:00")],
        closures=[closed(FRIDAY, SATURDAY, begins="14:00", ends="15:30")],
    )
    assert list(refusals(hours, FRIDAY)) == ["13:30", "14:00", "14:30", "15:00"]
    assert list(refusals(hours, SUNDAY)) == []


def test_a_closure_of_some_offerings_leaves_the_others_alone() -> None:
    hours = Hours.of(BERLIN, shifts=[LATE], closures=[closed(FRIDAY, offering_ids=[OTHER])])
    assert refusals(hours, FRIDAY) == {}


def test_a_date_has_hours_of_its_own_or_is_closed() -> None:
    own = DateException(UUID(int=20), OFFERING, SATURDAY, (Window.of("10:00", "11:00", "12:00"),))
    off = DateException(UUID(int=21), OFFERING, SUNDAY, ())
    hours = Hours.of(BERLIN, shifts=[weekly("19:00", "20:00", "22:00")], exceptions=[own, off])
    local = [each[4:9] for each in shown(BERLIN, hours.starts(offering(), SATURDAY))]
    assert local == ["10:00", "10:30", "11:00"]
    assert refusals(hours, SUNDAY) == dict.fromkeys(["19:00", "19:30", "20:00"], "closed")
    assert refusals(hours, FRIDAY) == {}


def test_hours_of_a_date_must_not_lie_over_those_around() -> None:
    own = DateException(UUID(int=20), OFFERING, SATURDAY, (Window.of("01:00", "03:00", "04:00"),))
    assert Hours.of(BERLIN, shifts=[LATE], exceptions=[own]).overlapping(OFFERING) == SATURDAY
    meeting = DateException(UUID(int=20), OFFERING, SATURDAY, (Window.of("02:00", "03:00", "04:00"),))
    assert Hours.of(BERLIN, shifts=[LATE], exceptions=[meeting]).overlapping(OFFERING) is None


def test_the_open_one_of_two_days_has_a_start() -> None:
    late = DateException(UUID(int=20), OFFERING, FRIDAY, (Window.of("22:00", "01:30", "02:00"),))
    off = DateException(UUID(int=21), OFFERING, SATURDAY, ())
    early = weekly("00:00", "03:00", "04:00")
    hours = Hours.of(BERLIN, shifts=[early], exceptions=[late, off])
    one_o_clock = calendar.instant_of(BERLIN, datetime(2027, 6, 12, 1))  # noqa: DTZ001  # what clocks show
    assert hours.service_date(offering(), one_o_clock) == FRIDAY


def test_notice_is_elapsed_time_and_a_local_deadline_and_both_hold() -> None:
    hours = Hours.of(BERLIN, shifts=[weekly("19:00", "19:00", "22:00")])
    what = offering(min_notice_minutes=120, notice_until=Lead.of(0, "18:00"))
    (start,) = hours.starts(what, FRIDAY)

    def told(minutes_before: int, what: Offering = what) -> Refusal | None:
        now = start - minutes_before * 60
        return hours.refusal(what, FRIDAY, start=start, end=start + 3600, now=now)

    assert told(120) is None
    assert told(119) is Refusal.NOTICE
    until_six = offering(notice_until=Lead.of(0, "18:00"))
    assert told(61, until_six) is None
    assert told(60, until_six) is Refusal.NOTICE
    assert told(61) is Refusal.NOTICE


def test_starts_are_released_at_a_local_time_in_place_of_the_maximum_advance() -> None:
    hours = Hours.of(BERLIN, shifts=[weekly("19:00", "19:00", "22:00")])
    what = offering(max_advance_days=1, release=Lead.of(30, "10:00"))
    (start,) = hours.starts(what, FRIDAY)
    released = calendar.instant_of(BERLIN, datetime(2027, 5, 12, 10))  # noqa: DTZ001  # what clocks show
    for now, told in ((released - 1, Refusal.NOT_RELEASED), (released, None)):
        assert hours.refusal(what, FRIDAY, start=start, end=start + 3600, now=now) is told


@pytest.mark.parametrize(
    ("zone", "day", "minute", "moment", "end"),
    [
        ("Europe/Berlin", date(2027, 3, 28), 150, "28. 03:00+0200", "28. 03:00+0200"),
        ("Europe/Berlin", date(2027, 10, 31), 150, "31. 02:30+0200", "31. 02:30+0100"),
        ("Europe/Berlin", date(2027, 10, 31), 120, "31. 02:00+0200", "31. 02:00+0200"),
        ("America/New_York", date(2027, 3, 14), 150, "14. 03:00-0400", "14. 03:00-0400"),
        ("America/New_York", date(2027, 11, 7), 90, "07. 01:30-0400", "07. 01:30-0500"),
        ("Australia/Lord_Howe", date(2027, 10, 3), 135, "03. 02:30+1100", "03. 02:30+1100"),
        ("Australia/Lord_Howe", date(2027, 4, 4), 105, "04. 01:45+1100", "04. 01:45+1030"),
        ("Africa/Cairo", date(2027, 4, 30), 0, "30. 01:00+0300", "30. 01:00+0300"),
        ("Africa/Cairo", date(2027, 4, 29), 1440, "30. 01:00+0300", "30. 01:00+0300"),
        ("Africa/Cairo", date(2027, 10, 28), 1410, "28. 23:30+0300", "28. 23:30+0200"),
        ("Asia/Kathmandu", date(2027, 7, 1), 150, "01. 02:30+0545", "01. 02:30+0545"),
    ],
)
def test_a_local_deadline_in_a_change_of_clocks(
    zone: str, day: date, minute: int, moment: str, end: str
) -> None:
    """A skipped time is the change, a doubled one the first; an end is the second."""
    told = [calendar.moment_of(ZoneInfo(zone), day, minute), calendar.end_of(ZoneInfo(zone), day, minute)]
    assert shown(ZoneInfo(zone), told) == [moment, end]


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("Europe/Berlin", "2027-07-01T02:30", "01. 02:30+0200"),
        ("Asia/Kathmandu", "2027-07-01T02:30", "01. 02:30+0545"),
        ("Africa/Cairo", "2027-04-30T01:00", "30. 01:00+0300"),
        ("Europe/Berlin", "2027-03-28T02:30", LocalTimeMissing),
        ("America/New_York", "2027-03-14T02:30", LocalTimeMissing),
        ("Australia/Lord_Howe", "2027-10-03T02:15", LocalTimeMissing),
        ("Africa/Cairo", "2027-04-30T00:30", LocalTimeMissing),
        ("Europe/Berlin", "2027-10-31T02:30", "+02:00,+01:00"),
        ("America/New_York", "2027-11-07T01:30", "-04:00,-05:00"),
        ("Australia/Lord_Howe", "2027-04-04T01:45", "+11:00,+10:30"),
        ("Africa/Cairo", "2027-10-28T23:30", "+03:00,+02:00"),
    ],
)
def test_a_local_time_is_one_instant_or_refused(zone: str, local: str, instant: str | type[AppError]) -> None:
    clocks = datetime.fromisoformat(local)
    if isinstance(instant, str) and "," not in instant:
        assert shown(ZoneInfo(zone), [calendar.instant_of(ZoneInfo(zone), clocks)]) == [instant]
        return
    with pytest.raises(LocalTimeMissing if isinstance(instant, type) else LocalTimeAmbiguous) as refusal:
        calendar.instant_of(ZoneInfo(zone), clocks)
    if isinstance(instant, str):
        assert refusal.value.metadata == {"offsets": instant}


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": SATURDAY, "last": FRIDAY},
        {"first": FRIDAY, "last": FRIDAY + timedelta(days=366)},
        {"first": FRIDAY, "begins": "10:00"},
        {"first": FRIDAY, "ends": "10:00"},
    ],
)
def test_a_closure_is_in_order(wrong: dict[str, object]) -> None:
    with pytest.raises(Inconsistent):
        closed(**wrong)  # type: ignore[arg-type]


def test_a_closure_that_ends_no_later_than_it_begins_ends_after_midnight() -> None:
    night = closed(FRIDAY, begins="22:00", ends="02:00")
    assert (night.begins, night.ends) == (1320, 1560)
    assert closed(FRIDAY, begins="00:00", ends="24:00").ends == 1440


def test_the_longest_visit_fits_into_a_day_with_its_buffers() -> None:
    what = offering()
    with pytest.raises(Inconsistent):
        what.keep_times(
            slot_minutes=0,
            min_notice_minutes=0,
            max_advance_days=0,
            buffer_before_minutes=700,
            buffer_after_minutes=700,
            notice_until=None,
            release=None,
        )
