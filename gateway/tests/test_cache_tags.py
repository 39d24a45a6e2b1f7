"""Which answers an event ends: of the right venue, the right days, and never too few."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from gateway.cache.keeping import may_be_kept
from gateway.cache.tags import tags_of
from gateway.routes import routes
from servicekit import contract

PARIS = ZoneInfo("Europe/Paris")
VENUE = "ven_1"
TOUCHING = 3
"""Booking's own number (`booking.usecases.windows.NEIGHBOURS`): days whose stays can touch a day's starts."""


def days(message: object) -> set[date]:
    tags = [tag.split(":") for tag in tags_of(message)]
    assert {tag[1] for tag in tags} == {VENUE}
    return {date.fromisoformat(tag[2]) for tag in tags if tag[0] == "day"}


def around(*middle: date) -> set[date]:
    return {day + timedelta(days=number) for day in middle for number in range(-TOUCHING, TOUCHING + 1)}


def snapshot(day: date) -> events_pb2.BookingSnapshot:
    return events_pb2.BookingSnapshot(venue_id=VENUE, service_date=day.isoformat())


def moment(at: datetime) -> values_pb2.OffsetDateTime:
    offset = at.utcoffset()
    assert offset is not None
    return values_pb2.OffsetDateTime(
        epoch_seconds=int(at.timestamp()), offset_minutes=int(offset.total_seconds()) // 60
    )


def test_a_booking_touches_its_service_day_whatever_the_clocks_show() -> None:
    """A start after midnight is of the day before; the event says which."""
    day = date(2027, 10, 30)
    late = datetime(2027, 10, 31, 0, 30, tzinfo=PARIS)
    message = events_pb2.BookingConfirmed(booking=snapshot(day))
    message.booking.start.CopyFrom(moment(late))
    assert days(message) == around(day)


@given(
    before=st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)),  # noqa: DTZ001  # local times
    back=st.integers(0, 2),
    zone=st.sampled_from(["Europe/Paris", "America/St_Johns", "Pacific/Kiritimati", "Pacific/Niue"]),
    fold=st.booleans(),
    to=st.dates(date(2026, 1, 1), date(2029, 1, 1)),
)
def test_a_move_touches_where_it_was_and_where_it_is(
    before: datetime, back: int, zone: str, to: date, *, fold: bool
) -> None:
    """Whatever service day the start before was of: at most two before what the clocks showed."""
    at = before.replace(tzinfo=ZoneInfo(zone), fold=int(fold)).astimezone(UTC).astimezone(ZoneInfo(zone))
    message = events_pb2.BookingMoved(booking=snapshot(to), previous_start=moment(at))
    assert around(at.date() - timedelta(days=back)) | around(to) <= days(message)


@pytest.mark.parametrize("hour", [1, 3])
def test_the_night_that_has_an_hour_twice(hour: int) -> None:
    at = datetime(2027, 10, 31, hour, 30, tzinfo=PARIS)
    message = events_pb2.BookingMoved(booking=snapshot(date(2027, 12, 1)), previous_start=moment(at))
    assert around(date(2027, 10, 31)) <= days(message)


def test_each_fact_about_a_booking_touches_its_day_but_those_that_change_nothing() -> None:
    """A new event is covered the day it is born."""
    day = date(2027, 10, 31)
    silent = set()
    for event in contract.events().values():
        if "booking" in event.message.DESCRIPTOR.fields_by_name:
            message = event.message(booking=snapshot(day))
            if days_or_nothing(message) != around(day):
                silent.add(event.descriptor.name)
    assert silent == {"BookingLinkRequested", "BookingDelayed"}


def days_or_nothing(message: object) -> set[date]:
    return days(message) if list(tags_of(message)) else set()


def test_every_kind_of_tag_that_answers_have_is_touched_by_some_event() -> None:
    wanted = {tag for route in routes() for tag in route.policy.cache_tags}
    assert {each.partition(":")[0] for each in wanted} == {"venue", "day", "days"}
    booked = events_pb2.BookingConfirmed(booking=snapshot(date(2027, 10, 31)))
    touched = {tag.partition(":")[0] for tag in tags_of(booked)}
    assert touched | {"venue"} == {"venue", "day", "days"}


@pytest.mark.parametrize("name", ["ResourcesBlocked", "ResourcesUnblocked", "VenueCapacityChanged"])
def test_what_a_venue_has_touches_all_of_it(name: str) -> None:
    assert list(tags_of(getattr(events_pb2, name)(venue_id=VENUE))) == [f"venue:{VENUE}"]


def test_other_facts_touch_nothing() -> None:
    assert list(tags_of(events_pb2.SeriesCreated(venue_id=VENUE))) == []
    assert list(
        tags_of(events_pb2.BookingConfirmed(booking={"venue_id": VENUE, "service_date": "soon"}))
    ) == [f"days:{VENUE}"]


def test_what_is_kept_is_public_and_named_here() -> None:
    """Whoever adds a route to this list has looked whether its answer depends on who asks."""
    kept = {route.operation_id: route.policy.edge_seconds for route in routes() if may_be_kept(route)}
    assert kept == {
        "searchAvailability": 10,
        "getAvailabilityCalendar": 10,
        "getVenue": 60,
        "listOfferings": 60,
    }
    assert kept.keys() == {route.operation_id for route in routes() if route.policy.edge_seconds}
