"""Tickets walked page by page while guests ask and others are forgotten."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from servicekit import ids
from servicekit.paging import Page
from support.tables import TICKETS
from support.usecases import tickets as usecases
from testkit.paging import PLANS, WALKS, Copies, Plan, walk

from .conftest import Desk

_SINCE = datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


def _opened(sort: int, _row: UUID) -> dict[str, Any]:
    return {"created_at": _SINCE + timedelta(hours=sort, microseconds=sort)}


@pytest.fixture(params=["all", "of a booking", "of a link"])
async def listing(request: pytest.FixtureRequest, desk: Desk) -> Copies:
    booking = ids.new()
    link = desk.link(booking)
    template = await desk.open(link)

    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        if request.param == "of a link":
            found, token = await usecases.list_managed_tickets(desk.app, link, page)
        else:
            wanted = booking if request.param == "of a booking" else None
            found, token = await usecases.list_tickets(desk.app, desk.organization, page, booking_id=wanted)
        return [each.id for each in found], token

    return Copies(
        lambda: desk.app.db.begin(desk.organization), TICKETS, template.id, vary=_opened, read=read, keys=2
    )


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
