"""AvailabilityLookupService at its edge: what callers see of calendars, batches and alternatives."""

from dataclasses import replace
from typing import Any

import pytest

from booking.domain.terms import Terms
from booking.domain.venues import ResourceKind
from booking.usecases import venues
from comptoir.booking.v1 import availability_pb2 as pb
from comptoir.booking.v1 import booking_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from testkit.edge import Edge

from .conftest import House, call, refusal, start_of

_SERVICE = "AvailabilityLookupService"


def venue(house: House) -> str:
    return ids.show("ven", house.venue_id)


def offering(house: House) -> str:
    return ids.show("off", house.offering.id)


def wanted(house: House, hour: int = 19, party_size: int = 2, **changes: Any) -> pb.WantedStart:
    asked: dict[str, Any] = {
        "offering_id": offering(house),
        "start": start_of(house, hour),
        "party_size": party_size,
    }
    return pb.WantedStart(**(asked | changes))


def calendar_of(house: House, first: str, last: str, **changes: Any) -> pb.GetAvailabilityCalendarRequest:
    asked: dict[str, Any] = {"venue_id": venue(house), "from": first, "to": last, "party_size": 2}
    return pb.GetAvailabilityCalendarRequest(**(asked | changes))


def shown_start(house: House, hour: int) -> tuple[int, int]:
    """What the venue's clocks show in seven days, as the contract tells it: winter or summer time."""
    seconds = house.start(hour)
    return seconds, (hour * 60 - seconds // 60 % 1440) % 1440


async def test_a_calendar_shows_days_that_can_be_booked_and_says_why_others_cannot(
    house: House, edge: Edge
) -> None:
    for _ in range(3):
        await house.book(2)
    first, last = house.day(7).isoformat(), house.day(91).isoformat()
    told = await call(edge, f"{_SERVICE}/GetAvailabilityCalendar", calendar_of(house, first, first))
    (day,) = told.days
    assert (told.time_zone, day.date, day.open) == ("Europe/Paris", first, True)
    assert day.bookable_starts == 7  # from 20:30, when the three tables for two are free again, to 22:00
    assert day.reason == booking_pb2.REFUSAL_REASON_UNSPECIFIED
    shown = (day.first_start.epoch_seconds, day.first_start.offset_minutes)
    assert shown == (house.start(20, 30), shown_start(house, 20)[1])
    far = await call(edge, f"{_SERVICE}/GetAvailabilityCalendar", calendar_of(house, last, last))
    assert [(each.open, each.bookable_starts, each.reason) for each in far.days] == [
        (True, 0, booking_pb2.REFUSAL_REASON_TOO_FAR_AHEAD)
    ]
    assert not far.days[0].HasField("first_start")


async def test_a_calendar_of_one_offering_asks_for_one_that_is_there(house: House, edge: Edge) -> None:
    day = house.day().isoformat()
    for offering_id in (ids.show("off", ids.new()), "dinner"):
        request = calendar_of(house, day, day, offering_id=offering_id)
        refused = await refusal(edge, f"{_SERVICE}/GetAvailabilityCalendar", request)
        assert refused.reason == "OFFERING_NOT_FOUND"


@pytest.mark.parametrize(("first", "last"), [("2027-05-02", "2027-05-01"), ("2027-05-01", "2027-07-02")])
async def test_a_calendar_that_no_calendar_is_is_refused(
    house: House, edge: Edge, first: str, last: str
) -> None:
    refused = await refusal(edge, f"{_SERVICE}/GetAvailabilityCalendar", calendar_of(house, first, last))
    assert (refused.reason, refused.violations[0].pointer) == ("INCONSISTENT_REQUEST", "/to")


async def test_a_batch_answers_every_start_in_its_order(house: House, edge: Edge) -> None:
    items = [wanted(house, 21, 6), wanted(house, 3), wanted(house, 19, 30), wanted(house, 19)]
    request = pb.BatchLookupAvailabilityRequest(venue_id=venue(house), items=items)
    told = await call(edge, f"{_SERVICE}/BatchLookupAvailability", request)
    assert [(each.party_size, each.bookable, each.reason) for each in told.items] == [
        (6, True, booking_pb2.REFUSAL_REASON_UNSPECIFIED),
        (2, False, booking_pb2.REFUSAL_REASON_CLOSED),
        (30, False, booking_pb2.REFUSAL_REASON_NO_TABLE_FOR_PARTY),
        (2, True, booking_pb2.REFUSAL_REASON_UNSPECIFIED),
    ]
    large, night, *_ = told.items
    assert (large.start.epoch_seconds, large.start.offset_minutes) == shown_start(house, 21)
    assert large.end.epoch_seconds == house.start(21) + 150 * 60
    assert (large.deposit.amount, large.deposit.currency) == (6000, "EUR")
    assert not night.HasField("end")
    assert {each.offering_id for each in told.items} == {offering(house)}


async def test_a_batch_has_one_hundred_starts_at_most_and_one_at_least(house: House, edge: Edge) -> None:
    for number in (0, 101):
        request = pb.BatchLookupAvailabilityRequest(venue_id=venue(house), items=[wanted(house)] * number)
        refused = await refusal(edge, f"{_SERVICE}/BatchLookupAvailability", request)
        assert refused.reason == "INVALID_REQUEST"


@pytest.mark.parametrize("seconds", [0, 253402300799])
async def test_starts_that_no_calendar_holds_are_refused_by_place(
    house: House, edge: Edge, seconds: int
) -> None:
    far = values_pb2.OffsetDateTime(epoch_seconds=seconds)
    request = pb.BatchLookupAvailabilityRequest(
        venue_id=venue(house), items=[wanted(house), wanted(house, start=far)]
    )
    refused = await refusal(edge, f"{_SERVICE}/BatchLookupAvailability", request)
    assert refused.violations[0].pointer == "/items/1/start"
    asked = pb.ListAvailabilityAlternativesRequest(
        venue_id=venue(house), offering_id=offering(house), start=far, party_size=2
    )
    refused = await refusal(edge, f"{_SERVICE}/ListAvailabilityAlternatives", asked)
    assert refused.violations[0].pointer == "/start"


async def test_alternatives_name_times_dates_and_venues(house: House, edge: Edge) -> None:
    for _ in range(3):
        await house.book(2)
    bar = await open_bar(house)
    asked = pb.ListAvailabilityAlternativesRequest(
        venue_id=venue(house), offering_id=offering(house), start=start_of(house), party_size=2
    )
    told = await call(edge, f"{_SERVICE}/ListAvailabilityAlternatives", asked)
    assert (told.time_zone, told.bookable) == ("Europe/Paris", False)
    assert told.reason == booking_pb2.REFUSAL_REASON_FULLY_BOOKED
    assert [each.start.epoch_seconds for each in told.times][:2] == [house.start(20, 30), house.start(20, 45)]
    assert [each.start.epoch_seconds for each in told.dates[:2]] == [house.start(days=6), house.start(days=8)]
    assert all(each.bookable for each in (*told.times, *told.dates))
    (elsewhere,) = told.venues
    assert (elsewhere.venue_id, elsewhere.venue_name) == (venue(bar), "Bar")
    assert (elsewhere.slot.start.epoch_seconds, elsewhere.slot.bookable) == (house.start(), True)
    asked.tolerance_minutes = 0
    asked.start.epoch_seconds += 60
    told = await call(edge, f"{_SERVICE}/ListAvailabilityAlternatives", asked)
    assert (told.reason, len(told.dates), len(told.venues)) == (booking_pb2.REFUSAL_REASON_CLOSED, 0, 0)


async def open_bar(house: House) -> House:
    """Another venue of the organization, with one table and the same dinner."""
    opened = await venues.create_venue(
        house.app,
        house.organization,
        name="Bar",
        slug=f"bar-{ids.new().hex[-12:]}",
        time_zone="Europe/Paris",
        currency="EUR",
        address="",
    )
    bar = replace(house, venue_id=opened.id)
    await venues.add_resource(
        bar.app,
        bar.organization,
        bar.ref,
        name="B1",
        kind=ResourceKind.TABLE,
        min_party=1,
        max_party=2,
        area_id=None,
    )
    return await bar.offer(Terms())
