"""Series at the edge, behind the real guard: messages, refusals, and what they show."""

from typing import Any

import pytest

from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import series_pb2
from servicekit import ids
from servicekit.errors import Kind
from testkit.callers import member
from testkit.edge import Edge

from .conftest import House, call, refusal


def wish(house: House, **more: Any) -> series_pb2.CreateSeriesRequest:
    values: dict[str, Any] = {
        "venue_id": ids.show("ven", house.venue_id),
        "offering_id": ids.show("off", house.offering.id),
        "rule": "FREQ=WEEKLY;COUNT=3",
        "first_start": f"{house.day()}T19:00",
        "party_size": 2,
        "guest": pb.Guest(name="Claire", email="claire@example.org", language="fr"),
        "notes": "By the window",
        "on_conflict": series_pb2.ON_CONFLICT_FAIL,
    }
    return series_pb2.CreateSeriesRequest(**(values | more))


async def ask(edge: Edge, house: House, method: str, **values: Any) -> Any:
    request = getattr(series_pb2, f"{method}Request")(**values)
    return await call(edge, f"SeriesService/{method}", request, caller=member(house.organization))


async def create(edge: Edge, house: House, **more: Any) -> Any:
    caller = member(house.organization)
    return (await call(edge, "SeriesService/CreateSeries", wish(house, **more), caller=caller)).series


async def test_staff_make_read_change_split_and_cancel_a_series(edge: Edge, house: House) -> None:
    added, excluded = house.day(9).isoformat(), house.day(14).isoformat()
    made = await create(edge, house, added_dates=[added], excluded_dates=[excluded])
    assert made.id.startswith("ser_")
    assert (made.rule, made.first_date, made.local_time, made.time_zone) == (
        "FREQ=WEEKLY;COUNT=3",
        house.day().isoformat(),
        "19:00",
        "Europe/Paris",
    )
    assert (list(made.added_dates), list(made.excluded_dates)) == ([added], [excluded])
    assert (made.party_size, made.guest.name, made.notes, made.version) == (2, "Claire", "By the window", 1)
    assert [each.date for each in made.occurrences] == [house.day(each).isoformat() for each in (7, 9, 21)]
    first = made.occurrences[0]
    assert (first.state, first.booking_status, first.party_size, first.reason) == (
        series_pb2.OCCURRENCE_STATE_BOOKED,
        pb.BOOKING_STATUS_CONFIRMED,
        2,
        "",
    )
    assert first.start.epoch_seconds == house.start()
    got = await ask(edge, house, "GetSeries", series_id=made.id)
    assert got.series == made
    read = pb.GetBookingRequest(booking_id=first.booking_id)
    booking = (await call(edge, "BookingService/GetBooking", read, caller=member(house.organization))).booking
    assert (booking.series_id, booking.series_date) == (made.id, house.day().isoformat())
    split = await ask(
        edge,
        house,
        "ChangeSeries",
        series_id=made.id,
        scope=series_pb2.SERIES_SCOPE_THIS_AND_FOLLOWING,
        date=added,
        local_time="20:00",
        party_size=3,
        notes="",
        expected_version=1,
    )
    part = split.series
    assert (part.origin_id, part.local_time, part.party_size, part.notes) == (made.id, "20:00", 3, "")
    assert [each.date for each in part.occurrences] == [added, house.day(21).isoformat()]
    assert not split.conflicts
    gone = await ask(
        edge, house, "CancelSeries", series_id=part.id, scope=series_pb2.SERIES_SCOPE_ALL, reason_code="moved"
    )
    assert gone.series.ended
    assert {each.state for each in gone.series.occurrences} == {series_pb2.OCCURRENCE_STATE_CANCELLED}


async def test_series_are_listed_page_by_page(edge: Edge, house: House) -> None:
    made = [(await create(edge, house, rule="FREQ=WEEKLY;COUNT=1")).id for _ in range(3)]
    venue = ids.show("ven", house.venue_id)
    first = await ask(edge, house, "ListSeries", venue_id=venue, page_size=2)
    second = await ask(
        edge, house, "ListSeries", venue_id=venue, page_size=2, page_token=first.next_page_token
    )
    assert [each.id for each in (*first.items, *second.items)] == made
    assert (second.next_page_token, list(first.items[0].occurrences)) == ("", [])


async def test_conflicts_are_named_or_left_out(edge: Edge, house: House) -> None:
    for size in (2, 2, 4, 4):
        await house.book(size, house.start(days=14))
    refused = await refusal(
        edge, "SeriesService/CreateSeries", wish(house), caller=member(house.organization)
    )
    assert (refused.reason, refused.kind) == ("SERIES_CONFLICTS", Kind.CONFLICT)
    assert refused.metadata == {"conflicts": f"{house.day(14)} SLOT_TAKEN"}
    made = await create(edge, house, on_conflict=series_pb2.ON_CONFLICT_SKIP)
    skipped = made.occurrences[1]
    assert (skipped.state, skipped.booking_id, skipped.reason) == (
        series_pb2.OCCURRENCE_STATE_SKIPPED,
        "",
        "SLOT_TAKEN",
    )
    await house.book(4, house.start(20, days=21))
    await house.book(4, house.start(20, days=21))
    changed = await ask(
        edge,
        house,
        "ChangeSeries",
        series_id=made.id,
        scope=series_pb2.SERIES_SCOPE_ALL,
        party_size=4,
        on_conflict=series_pb2.ON_CONFLICT_SKIP,
    )
    assert [(each.date, each.reason) for each in changed.conflicts] == [
        (house.day(21).isoformat(), "SLOT_TAKEN")
    ]
    assert [each.party_size for each in changed.series.occurrences] == [4, 0, 2]


async def test_as_many_conflicts_as_a_series_can_have_fit_into_the_answer(edge: Edge, house: House) -> None:
    request = wish(house, rule="FREQ=DAILY;COUNT=104", party_size=5, first_start=f"{house.day()}T12:00")
    refused = await refusal(edge, "SeriesService/CreateSeries", request, caller=member(house.organization))
    assert len(refused.metadata["conflicts"].split(",")) == 104


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"rule": "FREQ=WEEKLY"}, "RECURRENCE_UNBOUNDED"),
        ({"rule": "FREQ=HOURLY;COUNT=2"}, "RECURRENCE_NOT_SUPPORTED"),
        ({"rule": "FREQ=WEEKLY;COUNT=105"}, "RECURRENCE_TOO_LONG"),
        ({"rule": "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2"}, "RECURRENCE_STARTS_OFF_RULE"),
        ({"rule": "FREQ=WEEKLY;UNTIL=20200101"}, "RECURRENCE_EMPTY"),
        ({"party_size": 6}, "SERIES_NEEDS_DEPOSIT"),
        ({"first_start": "2027-02-30T19:00"}, "LOCAL_TIME_MISSING"),
        ({"rule": "every Tuesday"}, "INVALID_REQUEST"),
        ({"first_start": "tomorrow"}, "INVALID_REQUEST"),
        ({"added_dates": ["2027-13-01"]}, "INVALID_REQUEST"),
        ({"party_size": 0}, "INVALID_REQUEST"),
        ({"guest": None}, "INVALID_REQUEST"),
        ({"on_conflict": 7}, "INVALID_REQUEST"),
    ],
)
async def test_what_is_no_series_is_refused(
    edge: Edge, house: House, wrong: dict[str, Any], reason: str
) -> None:
    refused = await refusal(
        edge, "SeriesService/CreateSeries", wish(house, **wrong), caller=member(house.organization)
    )
    assert refused.reason == reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"scope": series_pb2.SERIES_SCOPE_THIS}, "INCONSISTENT_REQUEST"),
        ({"local_time": ""}, "INCONSISTENT_REQUEST"),
        ({"scope": 0}, "INVALID_REQUEST"),
        ({"local_time": "25:00"}, "INVALID_REQUEST"),
        ({"date": "31 October"}, "INVALID_REQUEST"),
        ({"scope": series_pb2.SERIES_SCOPE_THIS, "date": "2027-10-31"}, "OCCURRENCE_NOT_FOUND"),
        ({"series_id": "ser_x"}, "SERIES_NOT_FOUND"),
        ({"expected_version": 2}, "VERSION_MISMATCH"),
    ],
)
async def test_changes_that_make_no_sense_are_refused(
    edge: Edge, house: House, wrong: dict[str, Any], reason: str
) -> None:
    made = await create(edge, house)
    values = {"series_id": made.id, "scope": series_pb2.SERIES_SCOPE_ALL, "local_time": "20:00"} | wrong
    request = series_pb2.ChangeSeriesRequest(**values)
    caller = member(house.organization)
    assert (await refusal(edge, "SeriesService/ChangeSeries", request, caller=caller)).reason == reason
