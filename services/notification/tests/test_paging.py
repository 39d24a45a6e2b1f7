"""Mails, endpoints and deliveries walked page by page while others come and go."""

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
from testkit.paging import PLANS, WALKS, Copies, Plan, Vary, walk

from .conftest import Desk


def _begin(desk: Desk) -> Any:
    return desk.app.db.begin(desk.organization)


def _once(column: str) -> Vary:
    return lambda _sort, row: {column: row}


async def _mails(desk: Desk) -> Copies:
    await desk.happens(BookingConfirmed)
    (template, *_) = await desk.mails()

    return Copies(
        lambda: _begin(desk),
        NOTIFICATIONS.c.id,
        template.id,
        vary=_once("subject_id"),
        read=lambda page: mails.list_mails(desk.app, desk.organization, desk.booking, page),
        keys=1,
    )


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
    return Copies(
        lambda: _begin(desk),
        WEBHOOK_ENDPOINTS.c.id,
        await _endpoint(desk),
        read=lambda page: webhooks.list_endpoints(desk.app, desk.organization, page),
        keys=1,
    )


async def _deliveries(desk: Desk) -> Copies:
    endpoint, template = await _endpoint(desk), ids.new()
    async with _begin(desk) as tx:
        await delivery_store.insert_delivery(
            tx, template, endpoint=endpoint, event=ids.new(), event_type="booking.confirmed", body=b"{}"
        )

    return Copies(
        lambda: _begin(desk),
        WEBHOOK_DELIVERIES.c.id,
        template,
        vary=_once("event_id"),
        read=lambda page: webhooks.list_deliveries(desk.app, desk.organization, endpoint, page),
        keys=1,
    )


LISTS = {
    "NotificationService.ListNotifications": _mails,
    "WebhookService.ListWebhookEndpoints": _endpoints,
    "WebhookService.ListDeliveries": _deliveries,
}


@pytest.fixture(params=LISTS)
async def listing(request: pytest.FixtureRequest, desk: Desk) -> Copies:
    return await LISTS[request.param](desk)


@WALKS
@given(plan=PLANS)
async def test_what_stays_is_seen_once_and_nothing_twice(listing: Copies, plan: Plan) -> None:
    await walk(listing, plan)
