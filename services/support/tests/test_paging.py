"""Tickets walked page by page while guests ask and others are forgotten."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from servicekit import ids
from support.tables import TICKETS
from support.usecases import tickets as usecases
from testkit.paging import PLANS, WALKS, Copies, Plan, Read, walk

from .conftest import Desk

_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def _opened(sort: int, _row: UUID) -> dict[str, Any]:
    return {"created_at": _SINCE + timedelta(hours=sort, microseconds=sort)}


def _all(desk: Desk, _booking: UUID) -> Read:
    return lambda page: usecases.list_tickets(desk.app, desk.organization, page, booking_id=None)


def _of_booking(desk: Desk, booking: UUID) -> Read:
    return lambda page: usecases.list_tickets(desk.app, desk.organization, page, booking_id=booking)


def _of_link(desk: Desk, booking: UUID) -> Read:
    link = desk.link(booking)
    return lambda page: usecases.list_managed_tickets(desk.app, link, page)


LISTS = {
    "TicketService.ListTickets": _all,
    "TicketService.ListTickets of a booking": _of_booking,
    "TicketService.ListManagedTickets": _of_link,
}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, desk: Desk) -> Copies:
    booking = ids.new()
    template = await desk.open(desk.link(booking))
    read = LISTS[request.param](desk, booking)
    return Copies(
        lambda: desk.app.db.begin(desk.organization),
        TICKETS.c.id,
        template.id,
        vary=_opened,
        read=read,
        keys=2,
    )


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
