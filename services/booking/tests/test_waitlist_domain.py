"""The rules of waiting: windows of wall clock, days in order, who is who, and what follows from what."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.bookings import Guest
from booking.domain.calendar import FIRST_DAY, LAST_DAY
from booking.domain.waitlist import (
    LIVE,
    Ask,
    Entry,
    EntryStatus,
    WaitlistOfferGone,
    WaitlistOfferPending,
    WaitlistStateConflict,
    contact_of,
)
from servicekit.errors import InvalidRequest

_NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
_BERLIN = ZoneInfo("Europe/Berlin")
_SPRING, _AUTUMN = date(2027, 3, 28), date(2027, 10, 31)
_GUEST = Guest(UUID(int=1), "Anna", "anna@example.org", "", "en")


def ask(**changed: Any) -> Ask:
    values: dict[str, Any] = {
        "offering_id": UUID(int=2),
        "party_size": 2,
        "best_date": date(2027, 5, 7),
        "flexible_days": 0,
        "earliest": "",
        "latest": "",
        "notes": "",
    }
    return Ask.of(_GUEST, **(values | changed))


def entry(status: EntryStatus = EntryStatus.WAITING, **changed: Any) -> Entry:
    joined = Entry.join(
        UUID(int=3), ask(**changed), venue_id=UUID(int=4), time_zone="Europe/Berlin", now=_NOW
    )
    return replace(joined, status=status)


def instant(day: date, hour: int, minute: int = 0, *, fold: int = 0) -> int:
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=_BERLIN, fold=fold)
    return int(local.timestamp())


def test_a_window_without_ends_takes_every_start_of_the_service_day() -> None:
    day, next_day = date(2027, 5, 7), date(2027, 5, 8)
    for start in (instant(day, 0), instant(day, 23, 59), instant(next_day, 23, 59)):
        assert ask().suits(_BERLIN, day, start)
    assert not ask().suits(_BERLIN, day, instant(day, 0) - 60)


def test_a_latest_before_the_earliest_is_after_midnight() -> None:
    day, next_day = date(2027, 5, 7), date(2027, 5, 8)
    late = ask(earliest="22:00", latest="01:00")
    assert [
        late.suits(_BERLIN, day, start)
        for start in (
            instant(day, 21, 59),
            instant(day, 22),
            instant(next_day, 1),
            instant(next_day, 1, 1),
            instant(day, 1),
        )
    ] == [False, True, True, False, False]
    same = ask(earliest="19:00", latest="19:00")
    assert (same.earliest, same.latest) == (1140, 1140)


def test_a_window_means_the_clock_on_the_wall_also_when_clocks_change() -> None:
    night = ask(earliest="01:00", latest="03:00", best_date=_SPRING)
    assert night.suits(_BERLIN, _SPRING, instant(_SPRING, 3))
    assert not night.suits(_BERLIN, _SPRING, instant(_SPRING, 3, 15))
    twice = ask(earliest="02:30", latest="02:30", best_date=_AUTUMN)
    for fold in (0, 1):
        assert twice.suits(_BERLIN, _AUTUMN, instant(_AUTUMN, 2, 30, fold=fold))


@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    day=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    minutes=st.integers(-120, 3000),
    window=st.tuples(st.integers(0, 1439), st.integers(0, 1439)),
)
def test_a_start_suits_exactly_when_its_wall_clock_lies_between_both(
    zone: str, day: date, minutes: int, window: tuple[int, int]
) -> None:
    """The oracle reads the clock: days as 24 hours, hours and minutes as shown."""
    earliest, latest = (f"{each // 60:02}:{each % 60:02}" for each in window)
    wish = ask(earliest=earliest, latest=latest, best_date=day)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    shown = (midnight + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
    read = (shown.date() - day).days * 1440 + shown.hour * 60 + shown.minute
    last = window[1] if window[1] >= window[0] else window[1] + 1440
    assert wish.suits(ZoneInfo(zone), day, int(shown.timestamp())) == (window[0] <= read <= last)


@given(best=st.dates(FIRST_DAY, LAST_DAY), flexible=st.integers(0, 7))
def test_days_come_best_first_and_none_is_missing(best: date, flexible: int) -> None:
    wish = ask(best_date=best, flexible_days=flexible)
    days = wish.dates
    assert days[0] == best
    assert sorted(days) == [
        day
        for number in range(-flexible, flexible + 1)
        if FIRST_DAY <= (day := best + timedelta(days=number)) <= LAST_DAY
    ]
    distances = [abs((day - best).days) for day in days]
    assert distances == sorted(distances)


def test_one_person_is_one_contact_however_the_address_is_written() -> None:
    assert contact_of(" Anna@Example.org ") == contact_of("anna@example.ORG")
    assert contact_of("\uff41nna@example.org") == contact_of("anna@example.org")
    assert contact_of("anna@example.org") != contact_of("anna@example.com")
    assert contact_of("") == b""


def test_who_waits_for_what_is_over_waits_no_more() -> None:
    waiting = entry(earliest="18:00", latest="20:00", flexible_days=1)
    over = datetime(2027, 5, 8, 20, 1, tzinfo=_BERLIN)
    assert waiting.ask.over_at(_BERLIN) == over
    assert waiting.as_of(over - timedelta(seconds=1)).status is EntryStatus.WAITING
    assert waiting.as_of(over).status is EntryStatus.EXPIRED
    assert entry(EntryStatus.CLOSED).as_of(over).status is EntryStatus.CLOSED
    assert waiting.link_holds(over + timedelta(days=29))
    assert not waiting.link_holds(over + timedelta(days=31))


_STEPS: dict[str, Callable[[Entry], Entry]] = {
    "offer": Entry.offer,
    "accept": Entry.accept,
    "decline": lambda each: each.decline(keep=False),
    "keep": lambda each: each.decline(keep=True),
    "end": lambda each: each.end(EntryStatus.WITHDRAWN),
    "ask again": lambda each: each.ask_again(ask(party_size=3), now=_NOW + timedelta(hours=1)),
}
_ALLOWED = {
    EntryStatus.WAITING: {
        "offer": EntryStatus.OFFERED,
        "end": EntryStatus.WITHDRAWN,
        "ask again": EntryStatus.WAITING,
    },
    EntryStatus.OFFERED: {
        "accept": EntryStatus.ACCEPTED,
        "decline": EntryStatus.DECLINED,
        "keep": EntryStatus.WAITING,
        "end": EntryStatus.WITHDRAWN,
    },
}


@pytest.mark.parametrize("step", _STEPS)
@pytest.mark.parametrize("status", EntryStatus)
def test_every_step_leads_where_it_should_or_is_refused_and_none_leads_out_of_an_end(
    status: EntryStatus, step: str
) -> None:
    before = entry(status)
    onto = _ALLOWED.get(status, {}).get(step)
    if onto is None:
        with pytest.raises((WaitlistStateConflict, WaitlistOfferGone, WaitlistOfferPending)):
            _STEPS[step](before)
    else:
        after = _STEPS[step](before)
        assert (after.status, after.version, after.id) == (onto, 2, before.id)
        assert status in LIVE


def test_asking_again_keeps_the_place_and_the_guests_row_and_says_when() -> None:
    other = replace(ask(party_size=5), guest=replace(_GUEST, id=UUID(int=9), name="Anne"))
    again = entry().ask_again(other, now=_NOW + timedelta(hours=1))
    assert (again.id, again.created_at, again.asked_at) == (UUID(int=3), _NOW, _NOW + timedelta(hours=1))
    assert (again.ask.party_size, again.ask.guest.id, again.ask.guest.name) == (5, UUID(int=1), "Anne")


def test_notes_that_no_mail_would_show_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        ask(notes="a\x00b")


def test_a_wish_is_over_once_the_second_of_two_equal_times_has_begun() -> None:
    """At 03:00 the clocks go back to 02:00: half past two comes twice."""
    waiting = entry(best_date=_AUTUMN, earliest="01:00", latest="02:30")
    last = datetime.fromtimestamp(instant(_AUTUMN, 2, 30, fold=1), UTC)
    assert waiting.as_of(last).live
    assert not waiting.as_of(last + timedelta(minutes=1)).live
