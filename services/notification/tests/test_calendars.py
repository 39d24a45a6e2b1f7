"""A booking for the calendar of whoever has its link."""

from typing import Any

import icalendar
import pytest

from comptoir.booking.v1 import events_pb2
from comptoir.notification.v1 import notification_pb2 as pb
from comptoir.notification.v1.notification_pb2_grpc import GuestCalendarServiceStub
from notification.servicer import servicers
from servicekit.errors import AppError
from testkit.edge import Edge
from testkit.plugin import StartEdge

from .conftest import Desk


@pytest.fixture
async def edge(desk: Desk, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("notification", servicers(desk.app), desk.app.db)


async def event_of_link(edge: Edge, desk: Desk) -> tuple[str, Any]:
    """What a calendar is to do, and the event."""
    desk.owners.links["secret"] = (desk.organization, desk.reference)
    request = pb.GetManagedCalendarRequest(token="secret")
    answer = await edge.call(GuestCalendarServiceStub, "GetManagedCalendar", request)
    assert answer.content_type == "text/calendar; charset=utf-8"
    calendar: Any = icalendar.Calendar.from_ical(answer.data)
    (event,) = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), event


async def test_the_link_of_a_booking_gives_the_invitation_of_its_mails(edge: Edge, desk: Desk) -> None:
    desk.change(events_pb2.BookingConfirmed)
    method, event = await event_of_link(edge, desk)
    assert (method, event["STATUS"]) == ("REQUEST", "CONFIRMED")
    assert (event["UID"], event["SEQUENCE"]) == (desk.reference, desk.version)
    assert event["SUMMARY"] == "Chez Paulette: Dinner"
    assert event["DTSTART"].dt == desk.starts_at
    assert event["ATTENDEE"] == f"mailto:{desk.email}"
    assert desk.owners.tokens == 0


@pytest.mark.parametrize(
    ("happened", "method", "status"),
    [
        (events_pb2.BookingHeld, "REQUEST", "TENTATIVE"),
        (events_pb2.BookingRequested, "REQUEST", "TENTATIVE"),
        (events_pb2.BookingCancelled, "CANCEL", "CANCELLED"),
        (events_pb2.BookingExpired, "CANCEL", "CANCELLED"),
    ],
)
async def test_what_is_not_confirmed_is_tentative_or_gone(
    edge: Edge, desk: Desk, happened: type[Any], method: str, status: str
) -> None:
    desk.change(happened)
    told, event = await event_of_link(edge, desk)
    assert (told, event["STATUS"]) == (method, status)


async def test_a_guest_without_an_address_is_nobody_s_attendee(edge: Edge, desk: Desk) -> None:
    desk.email = ""
    desk.change(events_pb2.BookingConfirmed)
    _, event = await event_of_link(edge, desk)
    assert "ATTENDEE" not in event


async def test_a_link_that_is_none_gives_nothing(edge: Edge) -> None:
    request = pb.GetManagedCalendarRequest(token="tampered")
    with pytest.raises(AppError) as refused:
        await edge.call(GuestCalendarServiceStub, "GetManagedCalendar", request)
    assert refused.value.reason == "MANAGE_TOKEN_NOT_FOUND"
