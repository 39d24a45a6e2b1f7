"""Hours through the edge: local times in and out, and starts as the venue's clocks show them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import hours_pb2, venue_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.errors import Kind
from testkit.callers import member
from testkit.edge import Edge

from .conftest import PARIS, House, call, refusal, start_of

GUEST = pb.Guest(name="Claire", email="claire@example.org")


def change_of_clocks(month: int) -> date:
    """The next last Sunday of March or October: when clocks in Paris change."""
    today = datetime.now(PARIS).date()
    days = (today + timedelta(days=ahead) for ahead in range(1, 400))
    return next(each for each in days if each.month == month and each.day > 24 and each.isoweekday() == 7)


def venue(house: House) -> str:
    return ids.show("ven", house.venue_id)


def offering(house: House) -> str:
    return ids.show("off", house.offering.id)


def wish(house: House, **start: Any) -> pb.CreateBookingRequest:
    return pb.CreateBookingRequest(
        venue_id=venue(house), offering_id=offering(house), party_size=2, guest=GUEST, **start
    )


async def test_a_start_may_be_told_as_the_clocks_of_the_venue_show_it(edge: Edge, house: House) -> None:
    day = house.day().isoformat()
    made = await call(edge, "BookingService/CreateBooking", wish(house, local_start=f"{day}T19:30"))
    assert made.booking.start.epoch_seconds == house.start(19, 30)
    moved = await call(
        edge,
        "BookingService/MoveBooking",
        pb.MoveBookingRequest(booking_id=made.booking.id, local_start=f"{day}T20:00"),
        caller=member(house.organization),
    )
    assert moved.booking.start.epoch_seconds == house.start(20)
    managed = await call(
        edge,
        "GuestBookingService/MoveManagedBooking",
        pb.MoveManagedBookingRequest(token=made.manage_token, local_start=f"{day}T20:15"),
    )
    assert managed.booking.start.epoch_seconds == house.start(20, 15)


@pytest.mark.parametrize(
    ("month", "reason", "metadata"),
    [
        (3, "LOCAL_TIME_MISSING", {}),
        (10, "LOCAL_TIME_AMBIGUOUS", {"offsets": "+02:00,+01:00"}),
    ],
)
async def test_a_local_start_that_is_not_one_instant_is_refused(
    edge: Edge, house: House, month: int, reason: str, metadata: dict[str, str]
) -> None:
    local = f"{change_of_clocks(month).isoformat()}T02:30"
    made = await call(edge, "BookingService/CreateBooking", wish(house, start=start_of(house)))
    requests = {
        "BookingService/CreateBooking": wish(house, local_start=local),
        "BookingService/MoveBooking": pb.MoveBookingRequest(booking_id=made.booking.id, local_start=local),
        "GuestBookingService/MoveManagedBooking": pb.MoveManagedBookingRequest(
            token=made.manage_token, local_start=local
        ),
    }
    for name, request in requests.items():
        refused = await refusal(edge, name, request, caller=member(house.organization))
        assert (refused.reason, refused.metadata) == (reason, metadata)


@pytest.mark.parametrize("both", [False, True])
async def test_a_start_is_told_in_one_way(edge: Edge, house: House, *, both: bool) -> None:
    start: dict[str, Any] = {"start": start_of(house), "local_start": "2027-06-01T19:00"} if both else {}
    refused = await refusal(edge, "BookingService/CreateBooking", wish(house, **start))
    assert [each.pointer for each in refused.violations] == ["/start"]
    if both:
        made = await call(edge, "BookingService/CreateBooking", wish(house, start=start_of(house)))
        request = pb.MoveBookingRequest(booking_id=made.booking.id, **start)
        caller = member(house.organization)
        assert (await refusal(edge, "BookingService/MoveBooking", request, caller=caller)).violations


async def test_both_half_past_two_are_shown_and_booked_by_their_offset(edge: Edge, house: House) -> None:
    caller, night = member(house.organization), change_of_clocks(10)
    times = hours_pb2.UpdateOfferingTimesRequest(
        venue_id=venue(house), offering_id=offering(house), slot_minutes=30, max_advance_days=730
    )
    await call(edge, "HoursService/UpdateOfferingTimes", times, caller=caller)
    own = hours_pb2.CreateDateExceptionRequest(
        venue_id=venue(house),
        offering_id=offering(house),
        service_date=night.isoformat(),
        windows=[hours_pb2.Window(opens="02:30", last_start="02:30", closes="03:30")],
    )
    await call(edge, "HoursService/CreateDateException", own, caller=caller)
    asked = pb.SearchAvailabilityRequest(
        venue_id=venue(house), date=night.isoformat(), party_size=2, offering_id=offering(house)
    )
    found = await call(edge, "AvailabilityService/SearchAvailability", asked)
    summer, winter = found.slots
    assert [summer.start.offset_minutes, winter.start.offset_minutes] == [120, 60]
    assert winter.start.epoch_seconds - summer.start.epoch_seconds == 3600
    for slot in (summer, winter):
        made = await call(edge, "BookingService/CreateBooking", wish(house, start=slot.start))
        assert made.booking.start == slot.start
        assert made.booking.end.epoch_seconds - slot.start.epoch_seconds == 90 * 60


async def test_staff_close_days_and_see_who_is_stranded(edge: Edge, house: House) -> None:
    caller, day = member(house.organization), house.day().isoformat()
    made = await call(edge, "BookingService/CreateBooking", wish(house, start=start_of(house)))
    closure: dict[str, Any] = {
        "venue_id": venue(house),
        "offering_ids": [offering(house)],
        "first_date": day,
        "last_date": day,
        "begins": "18:00",
        "ends": "24:00",
        "cuts_tail": True,
        "reason": "a wedding",
        "note": "We celebrate.",
    }
    closed = await call(
        edge, "HoursService/CreateClosure", hours_pb2.CreateClosureRequest(**closure), caller=caller
    )
    assert list(closed.stranded_booking_ids) == [made.booking.id]
    told = {name: value for name, value in closure.items() if name != "venue_id"}
    assert closed.closure == hours_pb2.Closure(id=closed.closure.id, **told)
    days: dict[str, Any] = {"venue_id": venue(house), "from": day, "to": day}
    listed = await call(
        edge, "HoursService/ListClosures", hours_pb2.ListClosuresRequest(**days), caller=caller
    )
    assert list(listed.items) == [closed.closure]
    found = await call(
        edge,
        "HoursService/ListStrandedBookings",
        hours_pb2.ListStrandedBookingsRequest(**days),
        caller=caller,
    )
    (stranded,) = found.items
    assert stranded.reason == hours_pb2.STRANDED_REASON_CLOSED
    assert (stranded.booking_id, stranded.start, stranded.party_size) == (
        made.booking.id,
        made.booking.start,
        2,
    )
    asked = pb.SearchAvailabilityRequest(venue_id=venue(house), date=day, party_size=2)
    searched = await call(edge, "AvailabilityService/SearchAvailability", asked)
    assert list(searched.notes) == ["We celebrate."]
    assert {slot.reason for slot in searched.slots} == {pb.REFUSAL_REASON_CLOSED}
    changed = hours_pb2.UpdateClosureRequest(closure_id=closed.closure.id, **(closure | {"begins": "23:00"}))
    again = await call(edge, "HoursService/UpdateClosure", changed, caller=caller)
    assert (again.closure.begins, list(again.stranded_booking_ids)) == ("23:00", [])
    request = hours_pb2.DeleteClosureRequest(venue_id=venue(house), closure_id=closed.closure.id)
    await call(edge, "HoursService/DeleteClosure", request, caller=caller)
    assert (await refusal(edge, "HoursService/DeleteClosure", request, caller=caller)).kind is Kind.NOT_FOUND


async def test_staff_give_a_date_its_own_hours_and_change_shifts(edge: Edge, house: House) -> None:
    caller, day = member(house.organization), house.day().isoformat()
    window = hours_pb2.Window(opens="22:00", last_start="00:30", closes="02:00", must_finish=True)
    own = hours_pb2.CreateDateExceptionRequest(
        venue_id=venue(house), offering_id=offering(house), service_date=day, windows=[window], note="Late."
    )
    made = (await call(edge, "HoursService/CreateDateException", own, caller=caller)).exception
    assert (list(made.windows), made.note) == ([window], "Late.")
    asked = pb.SearchAvailabilityRequest(venue_id=venue(house), date=day, party_size=2)
    found = await call(edge, "AvailabilityService/SearchAvailability", asked)
    assert found.slots[0].start.epoch_seconds == house.start(22)
    assert len(found.slots) == 11
    days = hours_pb2.ListDateExceptionsRequest(**{"venue_id": venue(house), "from": day, "to": day})
    assert list((await call(edge, "HoursService/ListDateExceptions", days, caller=caller)).items) == [made]
    wrong = hours_pb2.UpdateDateExceptionRequest(
        venue_id=venue(house),
        exception_id=made.id,
        windows=[window, hours_pb2.Window(opens="10:00", last_start="13:00", closes="12:00")],
    )
    refused = await refusal(edge, "HoursService/UpdateDateException", wrong, caller=caller)
    assert [each.pointer for each in refused.violations] == ["/windows/1/last_start"]
    gone = hours_pb2.DeleteDateExceptionRequest(venue_id=venue(house), exception_id=made.id)
    await call(edge, "HoursService/DeleteDateException", gone, caller=caller)
    shifts = venue_pb2.ListShiftsRequest(venue_id=venue(house))
    (shift,) = (await call(edge, "VenueService/ListShifts", shifts, caller=caller)).items
    changed = hours_pb2.UpdateShiftRequest(
        venue_id=venue(house),
        shift_id=shift.id,
        weekdays=[1, 7],
        opens="18:00",
        last_start="23:30",
        closes="24:00",
        must_finish=True,
    )
    after = (await call(edge, "HoursService/UpdateShift", changed, caller=caller)).shift
    assert (list(after.weekdays), after.closes, after.must_finish) == ([1, 7], "24:00", True)
    deleted = hours_pb2.DeleteShiftRequest(venue_id=venue(house), shift_id=shift.id)
    assert (
        list((await call(edge, "HoursService/DeleteShift", deleted, caller=caller)).stranded_booking_ids)
        == []
    )
    assert list((await call(edge, "VenueService/ListShifts", shifts, caller=caller)).items) == []


async def test_an_offering_is_made_with_its_times_and_a_venue_changed_in_part(
    edge: Edge, house: House
) -> None:
    caller = member(house.organization)
    told: dict[str, Any] = {
        "buffer_before_minutes": 10,
        "buffer_after_minutes": 20,
        "notice_until": venue_pb2.Lead(days_before=1, time="18:00"),
        "release": venue_pb2.Lead(days_before=30, time="10:00"),
    }
    request = venue_pb2.CreateOfferingRequest(
        venue_id=venue(house), name="Brunch", turn_times=[venue_pb2.TurnTime(max_party=2, minutes=60)], **told
    )
    made = (await call(edge, "VenueService/CreateOffering", request, caller=caller)).offering
    assert {name: getattr(made, name) for name in told} == told
    renamed = venue_pb2.UpdateVenueRequest(venue_id=venue(house), name="Paulette")
    changed = (await call(edge, "VenueService/UpdateVenue", renamed, caller=caller)).venue
    assert (changed.name, changed.address, changed.time_zone) == (
        "Paulette",
        "12 rue des Martyrs, 75009 Paris",
        "Europe/Paris",
    )
    masked = venue_pb2.UpdateVenueRequest(
        venue_id=venue(house), name="Chez Paulette", update_mask=FieldMask(paths=["name", "address"])
    )
    cleared = (await call(edge, "VenueService/UpdateVenue", masked, caller=caller)).venue
    assert (cleared.name, cleared.address, cleared.time_zone) == ("Chez Paulette", "", "Europe/Paris")


async def test_what_is_not_released_says_so(edge: Edge, house: House) -> None:
    later = datetime.now(UTC) + timedelta(days=1)
    times = hours_pb2.UpdateOfferingTimesRequest(
        venue_id=venue(house),
        offering_id=offering(house),
        release=venue_pb2.Lead(days_before=(house.day() - later.date()).days, time="23:59"),
    )
    await call(edge, "HoursService/UpdateOfferingTimes", times, caller=member(house.organization))
    asked = pb.SearchAvailabilityRequest(venue_id=venue(house), date=house.day().isoformat(), party_size=2)
    found = await call(edge, "AvailabilityService/SearchAvailability", asked)
    assert {slot.reason for slot in found.slots} == {pb.REFUSAL_REASON_NOT_RELEASED}
    start = values_pb2.OffsetDateTime(epoch_seconds=house.start(), offset_minutes=0)
    refused = await refusal(edge, "BookingService/CreateBooking", wish(house, start=start))
    assert refused.reason == "SLOT_NOT_RELEASED"
