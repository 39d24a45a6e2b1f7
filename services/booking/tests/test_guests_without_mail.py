"""Guests whom staff write in without an e-mail address: booked like others, but nobody waits like this."""

from dataclasses import replace

import pytest

from booking.app import App
from booking.domain.bookings import Status, Wish
from booking.domain.texts import Inconsistent
from booking.domain.waitlist import EntryStatus
from booking.usecases import links, waitlist
from comptoir.booking.v1 import booking_pb2 as pb
from comptoir.booking.v1 import events_pb2, series_pb2, waitlist_pb2
from servicekit import ids
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from testkit.callers import anonymous, member
from testkit.edge import Edge
from testkit.events import event_of

from .conftest import House, Payments, call, refusal, start_of
from .line import Line, small_house
from .rooms import book


def unmailed(house: House, start: int | None = None) -> Wish:
    """What somebody wishes who calls by telephone."""
    wish = house.wish(2, start)
    return replace(wish, guest=replace(wish.guest, email=""))


async def test_staff_book_for_somebody_who_calls(house: House) -> None:
    made = await book(house, unmailed(house), member(house.organization))
    read = await house.read(made.booking.id)
    assert (read.status, read.guest.email, read.guest.name, read.guest.phone) == (
        Status.CONFIRMED,
        "",
        "Claire",
        "+33612345678",
    )
    with pytest.raises(Inconsistent):  # there is nobody to send it to
        await links.resend_managed_booking(house.app, made.manage_token)
    cancelled = await links.cancel_managed_booking(house.app, made.manage_token)
    assert cancelled.status is Status.CANCELLED
    assert await house.told() == ["Confirmed", "Cancelled"]


def who_are_no_staff(house: House) -> list[Caller]:
    """Anybody, a member who only looks at bookings, and one of another organization."""
    return [anonymous(), member(house.organization, "viewer"), member(ids.new())]


@pytest.mark.parametrize("number", range(3))
async def test_whoever_books_for_themselves_gives_an_address(house: House, number: int) -> None:
    with pytest.raises(Inconsistent) as caught:
        await book(house, unmailed(house), who_are_no_staff(house)[number])
    assert [each.pointer for each in caught.value.violations] == ["/guest/email"]
    assert await house.told() == []


async def test_a_booking_without_an_address_ends_nobodys_waiting(app: App, payments: Payments) -> None:
    house = await small_house(app, payments)
    made = await book(house, unmailed(house), member(house.organization))
    line = Line(house)
    await line.wait("anna")
    snapshot = events_pb2.BookingSnapshot(booking_id=ids.show("bkg", made.booking.id))
    event = event_of(events_pb2.BookingConfirmed(booking=snapshot), house.organization)
    await waitlist.close_for_booking(app, event, made.booking.id)
    assert await line.status("anna") is EntryStatus.WAITING


async def test_the_edge_takes_no_address_from_staff_alone(edge: Edge, house: House) -> None:
    named = {"venue_id": ids.show("ven", house.venue_id), "offering_id": ids.show("off", house.offering.id)}
    guest = pb.Guest(name="Claire", phone="+33612345678")
    request = pb.CreateBookingRequest(**named, start=start_of(house), party_size=2, guest=guest)
    made = await call(edge, "BookingService/CreateBooking", request, caller=member(house.organization))
    assert (made.booking.guest.email, made.booking.guest.phone) == ("", "+33612345678")
    refused: list[AppError] = [await refusal(edge, "BookingService/CreateBooking", request)]
    waiting = waitlist_pb2.JoinWaitlistRequest(
        **named, date=house.day().isoformat(), party_size=2, guest=guest
    )
    refused.append(await refusal(edge, "WaitlistService/JoinWaitlist", waiting))
    for each in refused:
        assert (each.kind, each.violations[0].pointer) == (Kind.UNPROCESSABLE, "/guest/email")
    written = pb.CreateBookingRequest(
        **named, start=start_of(house), party_size=2, guest=pb.Guest(name="Claire", email="claire")
    )
    told = await refusal(edge, "BookingService/CreateBooking", written, caller=member(house.organization))
    assert told.kind is Kind.INVALID
    again = series_pb2.CreateSeriesRequest(
        **named,
        rule="FREQ=WEEKLY;COUNT=2",
        first_start=f"{house.day()}T20:00",
        party_size=2,
        guest=guest,
    )
    answer = await call(edge, "SeriesService/CreateSeries", again, caller=member(house.organization))
    assert answer.series.guest.email == ""
