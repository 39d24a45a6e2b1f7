"""The edge behind the real guard: messages and refusals."""

from typing import Any

import pytest

from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import venue_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.errors import Kind
from servicekit.paging import page
from testkit.callers import member, service
from testkit.edge import Edge

from .conftest import House, call, refusal, start_of


def wish(house: House, party_size: int = 2, **changed: Any) -> pb.CreateBookingRequest:
    values: dict[str, Any] = {
        "venue_id": ids.show("ven", house.venue_id),
        "offering_id": ids.show("off", house.offering.id),
        "start": start_of(house),
        "party_size": party_size,
        "guest": pb.Guest(name="Claire", email="claire@example.org", language="fr"),
    }
    return pb.CreateBookingRequest(**(values | changed))


async def test_an_owner_sets_up_a_venue_and_a_guest_finds_it_and_books(edge: Edge) -> None:
    owner = member(ids.new())
    venue = (
        await call(
            edge,
            "VenueService/CreateVenue",
            venue_pb2.CreateVenueRequest(
                name="Le Garage", slug="le-garage", time_zone="America/New_York", currency="USD"
            ),
            caller=owner,
        )
    ).venue
    area = await call(
        edge,
        "VenueService/CreateArea",
        venue_pb2.CreateAreaRequest(venue_id="le-garage", name="Hall"),
        caller=owner,
    )
    bays = [
        (
            await call(
                edge,
                "VenueService/CreateResource",
                venue_pb2.CreateResourceRequest(
                    venue_id=venue.id,
                    name=name,
                    kind=venue_pb2.RESOURCE_KIND_BAY,
                    min_party=1,
                    max_party=1,
                    area_id=area.area.id,
                ),
                caller=owner,
            )
        ).resource
        for name in ("Bay 1", "Bay 2")
    ]
    combination = await call(
        edge,
        "VenueService/CreateCombination",
        venue_pb2.CreateCombinationRequest(
            venue_id=venue.id, name="Truck", resource_ids=[bay.id for bay in bays], min_party=2, max_party=2
        ),
        caller=owner,
    )
    assert sorted(combination.combination.resource_ids) == sorted(bay.id for bay in bays)
    offering = (
        await call(
            edge,
            "VenueService/CreateOffering",
            venue_pb2.CreateOfferingRequest(
                venue_id=venue.id,
                name="Oil change",
                turn_times=[venue_pb2.TurnTime(max_party=2, minutes=45)],
                deposit=venue_pb2.DepositRule(
                    from_party=2, per_person=values_pb2.Money(amount=500, currency="USD")
                ),
            ),
            caller=owner,
        )
    ).offering
    assert (offering.slot_minutes, offering.max_advance_days) == (15, 90)
    shift = await call(
        edge,
        "VenueService/CreateShift",
        venue_pb2.CreateShiftRequest(
            venue_id=venue.id,
            offering_id=offering.id,
            weekdays=range(1, 8),
            opens="08:00",
            last_start="08:30",
            closes="24:00",
        ),
        caller=owner,
    )
    assert (shift.shift.opens, shift.shift.last_start, shift.shift.closes) == ("08:00", "08:30", "24:00")
    for name, count in (("Areas", 1), ("Resources", 2), ("Combinations", 1), ("Shifts", 1), ("Offerings", 1)):
        request = getattr(venue_pb2, f"List{name}Request")(venue_id="le-garage")
        answer = await call(edge, f"VenueService/List{name}", request, caller=owner)
        assert len(answer.items) == count
    listed = await call(edge, "VenueService/ListVenues", venue_pb2.ListVenuesRequest(), caller=owner)
    assert list(listed.items) == [venue]
    public = await call(edge, "VenueService/GetVenue", venue_pb2.GetVenueRequest(venue_id="le-garage"))
    assert public.venue == venue


async def test_a_guest_searches_books_looks_moves_and_cancels(edge: Edge, house: House) -> None:
    found = await call(
        edge,
        "AvailabilityService/SearchAvailability",
        pb.SearchAvailabilityRequest(
            venue_id=ids.show("ven", house.venue_id), date=house.day().isoformat(), party_size=6
        ),
    )
    assert found.time_zone == "Europe/Paris"
    assert found.closed_reason == pb.REFUSAL_REASON_UNSPECIFIED
    assert len(found.slots) == 13
    first = found.slots[0]
    assert (first.bookable, first.deposit.amount) == (True, 6000)
    assert first.start.offset_minutes in {60, 120}
    made = await call(edge, "BookingService/CreateBooking", wish(house, 6, start=first.start))
    assert made.booking.status == pb.BOOKING_STATUS_HELD
    assert made.booking.start == first.start
    assert made.booking.hold_expires_at.epoch_seconds > 0
    assert made.deposit_payment.provider == "stripe"
    assert made.deposit_payment.amount == made.booking.deposit
    link = pb.GetManagedDepositRequest(token=made.manage_token)
    asked = await call(edge, "GuestBookingService/GetManagedDeposit", link)
    assert asked.deposit_payment.client_secret == made.deposit_payment.client_secret
    managed = await call(
        edge, "GuestBookingService/GetManagedBooking", pb.GetManagedBookingRequest(token=made.manage_token)
    )
    assert managed.booking == made.booking
    assert not managed.HasField("refund_if_cancelled")
    moved = await call(
        edge,
        "GuestBookingService/MoveManagedBooking",
        pb.MoveManagedBookingRequest(token=made.manage_token, start=start_of(house, 21)),
    )
    assert moved.booking.start.epoch_seconds == house.start(21)
    cancelled = await call(
        edge,
        "GuestBookingService/CancelManagedBooking",
        pb.CancelManagedBookingRequest(token=made.manage_token),
    )
    assert cancelled.booking.status == pb.BOOKING_STATUS_CANCELLED
    assert cancelled.booking.cancelled_by == pb.CANCELLED_BY_GUEST
    assert cancelled.booking.resource_ids == []


async def test_staff_list_move_and_cancel(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house))
    host = member(house.organization, "host")
    request = pb.GetBookingRequest(booking_id=made.booking.id)
    assert (await call(edge, "BookingService/GetBooking", request, caller=host)).booking == made.booking
    listed = await call(
        edge,
        "BookingService/ListBookings",
        pb.ListBookingsRequest(venue_id=made.booking.venue_id, date=made.booking.service_date),
        caller=host,
    )
    assert list(listed.items) == [made.booking]
    moved = await call(
        edge,
        "BookingService/MoveBooking",
        pb.MoveBookingRequest(booking_id=made.booking.id, start=start_of(house, 20)),
        caller=host,
    )
    assert (moved.booking.start.epoch_seconds, moved.booking.version) == (house.start(20), 2)
    cancelled = await call(
        edge,
        "BookingService/CancelBooking",
        pb.CancelBookingRequest(booking_id=made.booking.id),
        caller=host,
    )
    assert cancelled.booking.cancelled_by == pb.CANCELLED_BY_VENUE


async def test_other_services_ask_about_bookings(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house))
    described = await call(
        edge,
        "BookingDirectoryService/DescribeBooking",
        pb.DescribeBookingRequest(booking_id=made.booking.id, issue_manage_token=True),
        caller=service("notification", house.organization),
    )
    assert (described.offering_name, described.venue.name) == ("Dinner", "Chez Paulette")
    assert described.booking.guest.email == "claire@example.org"
    resolved = await call(
        edge,
        "BookingDirectoryService/ResolveManageToken",
        pb.ResolveManageTokenRequest(token=described.manage_token),
        caller=service("support"),
    )
    assert resolved.organization_id == ids.show("org", house.organization)
    assert resolved.booking == made.booking


async def test_a_repeated_request_with_a_key_answers_the_first_booking(edge: Edge, house: House) -> None:
    name = "BookingService/CreateBooking"
    first = await call(edge, name, wish(house), idempotency_key="one")
    again = await call(edge, name, wish(house), idempotency_key="one")
    assert again.booking == first.booking
    reused = await refusal(edge, name, wish(house, 3), idempotency_key="one")
    assert (reused.reason, reused.kind) == ("IDEMPOTENCY_KEY_REUSED", Kind.UNPROCESSABLE)
    house_full = [await call(edge, name, wish(house)), await call(edge, name, wish(house))]
    assert len({made.booking.id for made in house_full}) == 2
    taken = await refusal(edge, name, wish(house))
    assert (taken.reason, taken.kind.http_status) == ("SLOT_TAKEN", 409)


@pytest.mark.parametrize(
    ("changed", "reason", "status"),
    [
        ({"venue_id": "nowhere"}, "VENUE_NOT_FOUND", 404),
        ({"venue_id": "ven_é"}, "VENUE_NOT_FOUND", 404),
        ({"venue_id": "a\x00b"}, "VENUE_NOT_FOUND", 404),
        ({"venue_id": ids.show("ven", ids.new())}, "VENUE_NOT_FOUND", 404),
        ({"offering_id": "dinner"}, "OFFERING_NOT_FOUND", 404),
        ({"offering_id": ids.show("off", ids.new())}, "OFFERING_NOT_FOUND", 404),
        ({"party_size": 0}, "INVALID_REQUEST", 400),
        ({"party_size": 1001}, "INVALID_REQUEST", 400),
        ({"party_size": 900}, "NO_TABLE_FOR_PARTY", 409),
        ({"start": None}, "INVALID_REQUEST", 400),
        ({"start": values_pb2.OffsetDateTime(epoch_seconds=1)}, "SLOT_TOO_SOON", 409),
        ({"start": values_pb2.OffsetDateTime(epoch_seconds=253402300799)}, "SLOT_TOO_FAR_AHEAD", 409),
        ({"notes": "a\x00b"}, "INVALID_REQUEST", 400),
        ({"guest": pb.Guest(name="\x00", email="claire@example.org")}, "INVALID_REQUEST", 400),
        ({"guest": pb.Guest(name=" ", email="claire@example.org")}, "INVALID_REQUEST", 400),
        ({"guest": pb.Guest(name="Claire", email="nobody")}, "INVALID_REQUEST", 400),
        ({"guest": pb.Guest(name="Claire", email="claire@example.org", phone="06")}, "INVALID_REQUEST", 400),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_a_reason(
    edge: Edge, house: House, changed: dict[str, Any], reason: str, status: int
) -> None:
    refused = await refusal(edge, "BookingService/CreateBooking", wish(house, **changed))
    assert (refused.reason, refused.kind.http_status) == (reason, status)


@pytest.mark.parametrize("date", ["2027-02-30", "0000-01-01", "0001-01-01", "9000-01-01", "1970-12-31"])
async def test_a_day_that_the_calendar_does_not_have_is_refused(edge: Edge, house: House, date: str) -> None:
    request = pb.SearchAvailabilityRequest(venue_id=ids.show("ven", house.venue_id), date=date, party_size=2)
    refused = await refusal(edge, "AvailabilityService/SearchAvailability", request)
    assert (refused.reason, refused.violations[0].pointer) == ("INVALID_REQUEST", "/date")


@pytest.mark.parametrize("date", ["1971-01-01", "8999-12-31"])
async def test_the_first_and_the_last_day_are_searched(edge: Edge, house: House, date: str) -> None:
    request = pb.SearchAvailabilityRequest(venue_id=ids.show("ven", house.venue_id), date=date, party_size=2)
    found = await call(edge, "AvailabilityService/SearchAvailability", request)
    reasons = {slot.reason for slot in found.slots}
    assert reasons <= {pb.REFUSAL_REASON_NOTICE, pb.REFUSAL_REASON_TOO_FAR_AHEAD}
    assert len(found.slots) == 13


async def test_a_venue_without_any_shift_is_closed(edge: Edge) -> None:
    owner = member(ids.new())
    request = venue_pb2.CreateVenueRequest(
        name="New", slug="brand-new", time_zone="Asia/Kathmandu", currency="NPR"
    )
    await call(edge, "VenueService/CreateVenue", request, caller=owner)
    found = await call(
        edge,
        "AvailabilityService/SearchAvailability",
        pb.SearchAvailabilityRequest(venue_id="brand-new", date="2027-01-01", party_size=2),
    )
    assert (list(found.slots), found.closed_reason) == ([], pb.REFUSAL_REASON_CLOSED)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("VenueService/ListVenues", ["a\x00b", str(ids.new())]),
        ("VenueService/ListVenues", ["a", "not an id"]),
        ("BookingService/ListBookings", ["yesterday", str(ids.new())]),
        ("BookingService/ListBookings", ["2027-01-01T00:00:00", str(ids.new())]),
    ],
)
async def test_a_forged_page_token_is_refused(edge: Edge, house: House, name: str, last: list[str]) -> None:
    venue, date = ids.show("ven", house.venue_id), "2027-01-01"
    if name == "VenueService/ListVenues":
        request: Any = venue_pb2.ListVenuesRequest(page_token=page(1, "", keys=2).next_token(last))
    else:
        token = page(1, "", venue, date, keys=2).next_token(last)
        request = pb.ListBookingsRequest(venue_id=venue, date=date, page_token=token)
    refused = await refusal(edge, name, request, caller=member(house.organization))
    assert refused.reason == "INVALID_PAGE_TOKEN"


async def test_a_booking_that_waits_for_no_deposit_has_nothing_to_pay(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house, 2))
    link = pb.GetManagedDepositRequest(token=made.manage_token)
    refused = await refusal(edge, "GuestBookingService/GetManagedDeposit", link)
    assert (refused.reason, refused.kind.http_status) == ("NOTHING_TO_PAY", 409)


async def test_a_wrong_link_is_not_found(edge: Edge) -> None:
    for method, request in (
        ("GetManagedBooking", pb.GetManagedBookingRequest(token="A" * 43)),
        ("CancelManagedBooking", pb.CancelManagedBookingRequest(token="A" * 43)),
    ):
        refused = await refusal(edge, f"GuestBookingService/{method}", request)
        assert (refused.reason, refused.kind.http_status) == ("MANAGE_TOKEN_NOT_FOUND", 404)
