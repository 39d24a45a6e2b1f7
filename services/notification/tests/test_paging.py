"""Mails, endpoints and deliveries walked page by page while others come and go."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given

from comptoir.booking.v1.events_pb2 import BookingConfirmed
from notification.domain.webhooks import Endpoint
from notification.store import deliveries as delivery_store
from notification.store import endpoints as endpoint_store
from notification.tables import NOTIFICATIONS, WEBHOOK_DELIVERIES, WEBHOOK_ENDPOINTS
from notification.usecases import mails, webhooks
from servicekit import ids
from servicekit.paging import Page
from testkit.paging import PLANS, WALKS, Copies, Plan, Vary, walk

from .conftest import Desk


def _begin(desk: Desk) -> Any:
    return desk.app.db.begin(desk.organization)


def _once(column: str) -> Vary:
    return lambda _sort, row: {column: row}


async def _mails(desk: Desk) -> Copies:
    await desk.happens(BookingConfirmed)
    (template, *_) = await desk.mails()

    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        found, token = await mails.list_mails(desk.app, desk.organization, desk.booking, page)
        return [each.id for each in found], token

    vary = _once("subject_id")
    return Copies(lambda: _begin(desk), NOTIFICATIONS, template.id, vary=vary, read=read, keys=1)


async def _endpoint(desk: Desk) -> UUID:
    endpoint = Endpoint(
        id=ids.new(),
        organization=desk.organization,
        url="https://partner.example/hook",
        event_types=(),
        sealed_secret=b"sealed",
        created_at=datetime.now(UTC),
    )
    async with _begin(desk) as tx:
        await endpoint_store.insert_endpoint(tx, endpoint)
    return endpoint.id


async def _endpoints(desk: Desk) -> Copies:
    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        found, token = await webhooks.list_endpoints(desk.app, desk.organization, page)
        return [each.id for each in found], token

    template = await _endpoint(desk)
    return Copies(
        lambda: _begin(desk), WEBHOOK_ENDPOINTS, template, vary=lambda _sort, _row: {}, read=read, keys=1
    )


async def _deliveries(desk: Desk) -> Copies:
    endpoint, template = await _endpoint(desk), ids.new()
    async with _begin(desk) as tx:
        await delivery_store.insert_delivery(
            tx, template, endpoint=endpoint, event=ids.new(), event_type="booking.confirmed", body=b"{}"
        )

    async def read(page: Page) -> tuple[Sequence[UUID], str]:
        found, token = await webhooks.list_deliveries(desk.app, desk.organization, endpoint, page)
        return [each.id for each in found], token

    vary = _once("event_id")
    return Copies(lambda: _begin(desk), WEBHOOK_DELIVERIES, template, vary=vary, read=read, keys=1)


LISTS = {"mails": _mails, "endpoints": _endpoints, "deliveries": _deliveries}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, desk: Desk) -> Copies:
    return await LISTS[request.param](desk)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
