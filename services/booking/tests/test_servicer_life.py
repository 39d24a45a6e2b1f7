"""A booking's life behind the real guard: what messages say, and what is refused before any use case."""

from typing import Any

import pytest

from comptoir.booking.v1 import blocks_pb2, events_pb2, venue_pb2
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.identity import Caller
from testkit import outbox
from testkit.callers import anonymous, member
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


async def step(edge: Edge, name: str, booking_id: str, host: Caller, **fields: Any) -> Any:
    request = getattr(pb, f"{name}Request")(booking_id=booking_id, **fields)
    return (await call(edge, f"BookingService/{name}", request, caller=host)).booking


async def test_what_a_guest_tells_is_kept_and_shown_and_in_no_link_of_others(
    edge: Edge, house: House
) -> None:
    guest = pb.Guest(
        name="Claire",
        email="claire@example.org",
        dietary=pb.Wants(words=["Vegan", "nuts"], note="Severe"),
        accessibility=pb.Wants(words=["wheelchair"]),
        occasion="birthday",
        marketing_consent=True,
    )
    made = await call(edge, "BookingService/CreateBooking", wish(house, guest=guest))
    told = made.booking.guest
    assert (list(told.dietary.words), told.dietary.note) == (["nuts", "vegan"], "Severe")
    assert list(told.accessibility.words) == ["wheelchair"]
    assert (told.occasion, told.marketing_consent) == ("birthday", True)
    read = await step(edge, "GetBooking", made.booking.id, member(house.organization))
    assert read == made.booking
    plain = (await call(edge, "BookingService/CreateBooking", wish(house))).booking
    assert not plain.guest.HasField("dietary")
    assert not plain.guest.marketing_consent


async def test_an_offering_has_terms_and_its_bookings_keep_them(edge: Edge, house: House) -> None:
    owner = member(house.organization)
    venue = ids.show("ven", house.venue_id)
    request = venue_pb2.CreateOfferingRequest(
        venue_id=venue,
        name="Chef's table",
        turn_times=[venue_pb2.TurnTime(max_party=8, minutes=120)],
        price_per_person=values_pb2.Money(amount=9000, currency="EUR"),
        policy="No refunds\nafter noon",
        request=venue_pb2.RequestRule(from_party=1, hold_capacity=True),
        no_show_by_staff=True,
    )
    offering = (await call(edge, "VenueService/CreateOffering", request, caller=owner)).offering
    assert offering.request == venue_pb2.RequestRule(
        from_party=1, answer_hours=24, hold_capacity=True, payment_hours=24
    )
    assert (offering.policy, offering.price_per_person.amount) == ("No refunds\nafter noon", 9000)
    assert (offering.no_show_by_staff, offering.no_show_minutes) == (True, 0)
    shift = venue_pb2.CreateShiftRequest(
        venue_id=venue, offering_id=offering.id, weekdays=[1, 2, 3, 4, 5, 6, 7]
    )
    shift.opens, shift.last_start, shift.closes = "12:00", "14:00", "16:00"
    await call(edge, "VenueService/CreateShift", shift, caller=owner)
    made = await call(
        edge,
        "BookingService/CreateBooking",
        wish(house, 3, offering_id=offering.id, start=start_of(house, 12)),
    )
    assert (made.booking.status, made.booking.price.amount) == (pb.BOOKING_STATUS_REQUESTED, 27000)
    assert made.booking.policy == "No refunds\nafter noon"
    assert made.booking.HasField("hold_expires_at")
    assert len(made.booking.resource_ids) == 1
    confirmed = await step(edge, "ConfirmBooking", made.booking.id, owner)
    assert (confirmed.status, confirmed.version) == (pb.BOOKING_STATUS_CONFIRMED, 2)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"price_per_person": values_pb2.Money(amount=1, currency="USD")}, "/price_per_person/currency"),
        ({"price_per_person": values_pb2.Money(amount=10**12, currency="EUR")}, "/price_per_person/amount"),
        ({"policy": "a\x00b"}, "/policy"),
        ({"request": venue_pb2.RequestRule(from_party=0)}, "/request/from_party"),
    ],
)
async def test_terms_that_cannot_be_are_refused(
    edge: Edge, house: House, changed: dict[str, Any], pointer: str
) -> None:
    values: dict[str, Any] = {
        "venue_id": ids.show("ven", house.venue_id),
        "name": "X",
        "turn_times": [venue_pb2.TurnTime(max_party=2, minutes=60)],
    }
    request = venue_pb2.CreateOfferingRequest(**values, **changed)
    refused = await refusal(edge, "VenueService/CreateOffering", request, caller=member(house.organization))
    assert pointer in [each.pointer for each in refused.violations]


async def test_a_visit_as_a_host_takes_it_down(edge: Edge, house: House) -> None:
    host = member(house.organization, "host")
    made = (await house.book(2)).booking
    await house.begin(made, minutes_ago=5)
    booking_id = ids.show("bkg", made.id)
    delayed = await step(edge, "DelayBooking", booking_id, host, late_minutes=10)
    assert (delayed.late_minutes, delayed.version) == (10, 2)
    arrived = await step(edge, "ArriveBooking", booking_id, host, expected_version=2)
    assert (arrived.status, arrived.HasField("arrived_at")) == (pb.BOOKING_STATUS_ARRIVED, True)
    pinned = await step(edge, "PinBooking", booking_id, host)
    assert pinned.pinned
    assert not (await step(edge, "UnpinBooking", booking_id, host)).pinned
    seated = await step(edge, "SeatBooking", booking_id, host)
    assert (seated.status, seated.HasField("seated_at")) == (pb.BOOKING_STATUS_SEATED, True)
    completed = await step(edge, "CompleteBooking", booking_id, host)
    assert (completed.status, list(completed.resource_ids)) == (pb.BOOKING_STATUS_COMPLETED, [])
    refused = await refusal(
        edge, "BookingService/MissBooking", pb.MissBookingRequest(booking_id=booking_id), caller=host
    )
    assert (refused.reason, refused.metadata) == (
        "BOOKING_STATE_CONFLICT",
        {"status": "completed", "step": "miss"},
    )
    stale = pb.CancelBookingRequest(booking_id=booking_id, expected_version=3)
    mismatch = await refusal(edge, "BookingService/CancelBooking", stale, caller=host)
    assert (mismatch.reason, mismatch.kind.http_status) == ("VERSION_MISMATCH", 412)


async def test_the_history_names_who_what_and_why(edge: Edge, house: House) -> None:
    host = member(house.organization, "host")
    exception = pb.Override(rules=[pb.OVERRIDE_RULE_CLOSED], reason="Rehearsal")
    made = await call(
        edge,
        "BookingService/CreateBooking",
        wish(house, start=start_of(house, 15), override=exception),
        caller=host,
    )
    assert list(made.booking.overridden) == [pb.OVERRIDE_RULE_CLOSED]
    await step(edge, "MoveBooking", made.booking.id, host, start=start_of(house, 20), party_size=4)
    await step(edge, "CancelBooking", made.booking.id, host, reason_code="weather", reason="Storm")
    request = pb.ListBookingChangesRequest(booking_id=made.booking.id)
    first, second, third = (await call(edge, "BookingService/ListBookingChanges", request, caller=host)).items
    assert (first.kind, first.actor, first.reason) == ("confirmed", "member", "Rehearsal")
    assert list(first.overridden) == [pb.OVERRIDE_RULE_CLOSED]
    assert host.user is not None
    assert first.user_id == ids.show("usr", host.user)
    changed = {each.field: (each.before, each.after) for each in second.differences}
    assert changed["party_size"] == ("2", "4")
    assert changed["resource_ids"][1] == ids.show("res", house.tables["T3"].id)
    assert (third.kind, third.reason_code, third.reason, third.number) == ("cancelled", "weather", "Storm", 3)
    assert third.at.epoch_seconds > 0
    guests = await refusal(edge, "BookingService/ListBookingChanges", request, caller=anonymous())
    assert guests.reason == "UNAUTHENTICATED"


async def test_rules_are_set_aside_by_staff_alone(edge: Edge, house: House) -> None:
    exception = pb.Override(rules=[pb.OVERRIDE_RULE_CLOSED], reason="Please")
    request = wish(house, start=start_of(house, 15), override=exception)
    for caller in (anonymous(), member(house.organization, "viewer"), member(ids.new())):
        refused = await refusal(edge, "BookingService/CreateBooking", request, caller=caller)
        assert (refused.reason, refused.kind.http_status) == ("OVERRIDE_DENIED", 403)


async def test_a_guest_sees_the_fee_changes_the_party_and_cancels_with_a_reason(
    edge: Edge, house: House
) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house))
    seen = await call(
        edge,
        "GuestBookingService/GetManagedBooking",
        pb.GetManagedBookingRequest(token=made.manage_token),
    )
    assert (seen.movable, seen.cancellable, seen.HasField("fee_if_cancelled")) == (True, True, False)
    grown = await call(
        edge,
        "GuestBookingService/MoveManagedBooking",
        pb.MoveManagedBookingRequest(token=made.manage_token, party_size=4, expected_version=1),
    )
    assert (grown.booking.party_size, grown.booking.start) == (4, made.booking.start)
    cancelled = await call(
        edge,
        "GuestBookingService/CancelManagedBooking",
        pb.CancelManagedBookingRequest(token=made.manage_token, reason_code="illness"),
    )
    assert (cancelled.booking.reason_code, cancelled.booking.cancelled_by) == (
        "illness",
        pb.CANCELLED_BY_GUEST,
    )


async def test_what_staff_write_to_each_other_is_not_for_the_guest(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house))
    host = member(house.organization, "host")
    shown = await step(
        edge, "CancelBooking", made.booking.id, host, reason_code="conduct", reason="Was rude last time"
    )
    assert shown.reason == "Was rude last time"
    seen = await call(
        edge,
        "GuestBookingService/GetManagedBooking",
        pb.GetManagedBookingRequest(token=made.manage_token),
    )
    assert (seen.booking.reason_code, seen.booking.reason) == ("conduct", "")


async def test_a_guest_asks_for_the_mail_again(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house))
    request = pb.ResendManagedBookingRequest(token=made.manage_token)
    await call(edge, "GuestBookingService/ResendManagedBooking", request)
    event = (await outbox.published(house.app.db))[-1]
    assert isinstance(event, events_pb2.BookingLinkRequested)
    assert (event.booking.booking_id, event.booking.version) == (made.booking.id, 1)
    assert made.manage_token.encode() not in event.SerializeToString()
    cancelled = pb.CancelManagedBookingRequest(token=made.manage_token)
    await call(edge, "GuestBookingService/CancelManagedBooking", cancelled)
    refused = await refusal(edge, "GuestBookingService/ResendManagedBooking", request)
    assert refused.reason == "BOOKING_STATE_CONFLICT"
    wrong = pb.ResendManagedBookingRequest(token="A" * 43)
    unknown = await refusal(edge, "GuestBookingService/ResendManagedBooking", wrong)
    assert unknown.reason == "MANAGE_TOKEN_NOT_FOUND"


async def test_a_guest_asks_again_how_to_pay(edge: Edge, house: House) -> None:
    made = await call(edge, "BookingService/CreateBooking", wish(house, 6))
    asked = pb.RequestManagedDepositRequest(token=made.manage_token)
    payment = await call(edge, "GuestBookingService/RequestManagedDeposit", asked)
    assert payment.deposit_payment.client_secret == made.deposit_payment.client_secret


async def test_a_walk_in_and_a_block_over_the_edge(edge: Edge, house: House) -> None:
    host = member(house.organization, "host")
    venue = ids.show("ven", house.venue_id)
    offering = ids.show("off", house.offering.id)
    seated = await call(
        edge,
        "BookingService/CreateWalkIn",
        pb.CreateWalkInRequest(venue_id=venue, offering_id=offering, party_size=2),
        caller=host,
        idempotency_key="one",
    )
    again = await call(
        edge,
        "BookingService/CreateWalkIn",
        pb.CreateWalkInRequest(venue_id=venue, offering_id=offering, party_size=2),
        caller=host,
        idempotency_key="one",
    )
    assert (seated.booking.status, seated.booking.guest.name) == (pb.BOOKING_STATUS_SEATED, "")
    assert again.booking == seated.booking
    booked = await call(edge, "BookingService/CreateBooking", wish(house))
    request = blocks_pb2.CreateBlockRequest(
        venue_id=venue, start=start_of(house, 18), end=start_of(house, 23), reason="Party"
    )
    refused = await refusal(edge, "BlockService/CreateBlock", request, caller=host)
    assert (refused.reason, refused.metadata) == (
        "BOOKINGS_IN_THE_WAY",
        {"booking_ids": booked.booking.id},
    )
    request.strand = True
    made = await call(edge, "BlockService/CreateBlock", request, caller=host)
    assert list(made.stranded_booking_ids) == [booked.booking.id]
    assert len(made.block.resource_ids) == 4
    day = house.day().isoformat()
    request_list = blocks_pb2.ListBlocksRequest(venue_id=venue, to=day, **{"from": day})
    listed = (await call(edge, "BlockService/ListBlocks", request_list, caller=host)).items
    assert list(listed) == [made.block]
    gone = blocks_pb2.DeleteBlockRequest(venue_id=venue, block_id=made.block.id)
    await call(edge, "BlockService/DeleteBlock", gone, caller=host)
    assert (await refusal(edge, "BlockService/DeleteBlock", gone, caller=host)).reason == "BLOCK_NOT_FOUND"


async def test_two_bookings_swap_over_the_edge(edge: Edge, house: House) -> None:
    host = member(house.organization, "host")
    one, other = [(await call(edge, "BookingService/CreateBooking", wish(house))).booking for _ in range(2)]
    request = pb.SwapBookingsRequest(
        booking_id=one.id, other_booking_id=other.id, expected_version=1, other_expected_version=1
    )
    swapped = await call(edge, "BookingService/SwapBookings", request, caller=host)
    assert swapped.booking.resource_ids == other.resource_ids
    assert swapped.other.resource_ids == one.resource_ids
    joined = await step(
        edge,
        "AssignBooking",
        one.id,
        host,
        resource_ids=[ids.show("res", house.tables[each].id) for each in ("T3", "T4")],
        pinned=True,
    )
    assert (len(joined.resource_ids), joined.pinned) == (2, True)
    declined = await refusal(
        edge, "BookingService/DeclineBooking", pb.DeclineBookingRequest(booking_id=one.id), caller=host
    )
    assert declined.reason == "BOOKING_STATE_CONFLICT"
