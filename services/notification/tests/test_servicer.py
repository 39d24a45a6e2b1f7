"""The RPCs behind the real guard: what they answer, and to whom they do not."""

from typing import Any

import pytest
import sqlalchemy as sa
from aiohttp import web

from comptoir.booking.v1.events_pb2 import BookingCancelled, BookingConfirmed
from comptoir.notification.v1 import notification_pb2 as pb
from comptoir.notification.v1.notification_pb2_grpc import NotificationServiceStub, WebhookServiceStub
from notification.servicer import servicers
from notification.tables import WEBHOOK_ENDPOINTS
from notification.usecases.facts import DELIVER_WEBHOOK, SEND_MAIL
from servicekit import ids
from servicekit.errors import AppError
from testkit.callers import anonymous, member
from testkit.edge import Edge
from testkit.foreign_ids import compare
from testkit.plugin import StartEdge
from testkit.statements import costs_the_same

from .conftest import Desk, Partner


@pytest.fixture
async def edge(desk: Desk, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("notification", servicers(desk.app), desk.app.db)


async def _refused(edge: Edge, stub: Any, method: str, request: Any, **options: Any) -> AppError:
    with pytest.raises(AppError) as raised:
        await edge.call(stub, method, request, **options)
    return raised.value


async def _create(edge: Edge, desk: Desk, url: str, *types: str) -> pb.CreateWebhookEndpointResponse:
    request = pb.CreateWebhookEndpointRequest(url=url, event_types=types)
    answer: pb.CreateWebhookEndpointResponse = await edge.call(
        WebhookServiceStub, "CreateWebhookEndpoint", request, caller=member(desk.organization)
    )
    return answer


async def test_the_mails_of_a_booking_are_listed_newest_first(edge: Edge, desk: Desk) -> None:
    await desk.happens(BookingConfirmed)
    await desk.fire(SEND_MAIL)
    request = pb.ListNotificationsRequest(booking_id=desk.reference)
    caller = member(desk.organization, "viewer")
    answer = await edge.call(NotificationServiceStub, "ListNotifications", request, caller=caller)
    reminder, confirmation = answer.items
    assert (reminder.kind, confirmation.kind) == ("booking_reminder", "booking_confirmed")
    assert reminder.status == pb.NOTIFICATION_STATUS_SCHEDULED
    assert confirmation.status == pb.NOTIFICATION_STATUS_SENT
    assert confirmation.sent_at.seconds > 0
    assert not reminder.HasField("sent_at")
    assert (confirmation.booking_id, confirmation.attempts) == (desk.reference, 1)


async def test_another_tenant_s_booking_is_unknown(edge: Edge, desk: Desk) -> None:
    await desk.happens(BookingConfirmed)
    for booking, caller in (
        (desk.reference, member(ids.new())),
        (ids.show("bkg", ids.new()), member(desk.organization)),
        ("nonsense", member(desk.organization)),
    ):
        request = pb.ListNotificationsRequest(booking_id=booking)
        refusal = await _refused(edge, NotificationServiceStub, "ListNotifications", request, caller=caller)
        assert refusal.reason == "BOOKING_NOT_FOUND"


async def test_the_secret_is_shown_once_and_kept_sealed(edge: Edge, desk: Desk) -> None:
    created = await _create(edge, desk, "https://not-yet.invalid/hook", "booking.confirmed")
    assert created.secret.startswith("whsec_")
    listed = await edge.call(
        WebhookServiceStub,
        "ListWebhookEndpoints",
        pb.ListWebhookEndpointsRequest(),
        caller=member(desk.organization, "manager"),
    )
    assert list(listed.items) == [created.endpoint]
    assert created.secret not in str(listed)
    async with desk.app.db.begin(desk.organization) as tx:
        row = (await tx.execute(sa.select(WEBHOOK_ENDPOINTS))).one()
    assert created.secret.encode() not in row.sealed_secret
    where = {"organization": desk.organization, "endpoint": row.id}
    assert desk.app.seal.open_up(row.sealed_secret, **where) == created.secret


async def test_an_unknown_event_type_is_refused(edge: Edge, desk: Desk) -> None:
    request = pb.CreateWebhookEndpointRequest(
        url="https://not-yet.invalid/hook", event_types=["booking.confirmed", "venue.changed"]
    )
    caller = member(desk.organization)
    refusal = await _refused(edge, WebhookServiceStub, "CreateWebhookEndpoint", request, caller=caller)
    assert refusal.reason == "INVALID_REQUEST"
    assert [violation.pointer for violation in refusal.violations] == ["/event_types/1"]


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest", "https://a..example/hook", "https://not-yet.invalid:0/hook"]
)
async def test_a_url_that_nothing_can_be_posted_to_is_refused(edge: Edge, desk: Desk, url: str) -> None:
    request = pb.CreateWebhookEndpointRequest(url=url)
    caller = member(desk.organization)
    refusal = await _refused(edge, WebhookServiceStub, "CreateWebhookEndpoint", request, caller=caller)
    assert refusal.reason == "WEBHOOK_URL_REFUSED"


async def test_there_is_a_limit_to_endpoints(edge: Edge, desk: Desk) -> None:
    for number in range(20):
        await _create(edge, desk, f"https://not-yet.invalid/{number}")
    request = pb.CreateWebhookEndpointRequest(url="https://not-yet.invalid/more")
    caller = member(desk.organization)
    refusal = await _refused(edge, WebhookServiceStub, "CreateWebhookEndpoint", request, caller=caller)
    assert refusal.reason == "TOO_MANY_WEBHOOK_ENDPOINTS"


@pytest.mark.parametrize(
    ("method", "request_type"),
    [
        ("DeleteWebhookEndpoint", pb.DeleteWebhookEndpointRequest),
        ("ListDeliveries", pb.ListDeliveriesRequest),
    ],
)
async def test_another_tenant_s_endpoint_is_unknown(
    edge: Edge, desk: Desk, method: str, request_type: Any
) -> None:
    created = await _create(edge, desk, "https://not-yet.invalid/hook")
    for endpoint, caller in (
        (created.endpoint.id, member(ids.new())),
        (ids.show("whe", ids.new()), member(desk.organization)),
        ("nonsense", member(desk.organization)),
    ):
        refusal = await _refused(
            edge, WebhookServiceStub, method, request_type(endpoint_id=endpoint), caller=caller
        )
        assert refusal.reason == "WEBHOOK_ENDPOINT_NOT_FOUND"
    stranger = member(ids.new())

    async def ask(endpoint: str) -> None:
        await _refused(edge, WebhookServiceStub, method, request_type(endpoint_id=endpoint), caller=stranger)

    assert await costs_the_same(desk.app.db, ask, created.endpoint.id, ids.show("whe", ids.new()))


async def test_ids_of_others_cost_what_random_ones_cost(edge: Edge, desk: Desk) -> None:
    await desk.happens(BookingConfirmed)
    created = await _create(edge, desk, "https://not-yet.invalid/hook")
    theirs = {"endpoint_id": created.endpoint.id, "booking_id": desk.reference}
    compared = await compare(edge, desk.app.db, member(ids.new()), theirs, valid={})
    assert {each.method for each in compared} == {
        "DeleteWebhookEndpoint", "ListDeliveries", "ListNotifications",
    }  # fmt: skip
    assert all(each.same_answer and each.same_work and each.looked for each in compared)


async def test_a_removed_endpoint_is_gone(edge: Edge, desk: Desk) -> None:
    created = await _create(edge, desk, "https://not-yet.invalid/hook")
    request = pb.DeleteWebhookEndpointRequest(endpoint_id=created.endpoint.id)
    caller = member(desk.organization)
    await edge.call(WebhookServiceStub, "DeleteWebhookEndpoint", request, caller=caller)
    refusal = await _refused(edge, WebhookServiceStub, "DeleteWebhookEndpoint", request, caller=caller)
    assert refusal.reason == "WEBHOOK_ENDPOINT_NOT_FOUND"


async def test_deliveries_are_listed_in_pages_with_their_tries(
    edge: Edge, desk: Desk, partner: Partner
) -> None:
    created = await _create(edge, desk, partner.url)
    partner.answers = [web.Response(status=500)]
    await desk.happens(BookingConfirmed)
    await desk.fire(DELIVER_WEBHOOK)
    await desk.happens(BookingCancelled)
    caller = member(desk.organization)
    request = pb.ListDeliveriesRequest(endpoint_id=created.endpoint.id, page_size=1)
    first = await edge.call(WebhookServiceStub, "ListDeliveries", request, caller=caller)
    request.page_token = first.next_page_token
    second = await edge.call(WebhookServiceStub, "ListDeliveries", request, caller=caller)
    assert [item.event_type for item in (*first.items, *second.items)] == [
        "booking.cancelled",
        "booking.confirmed",
    ]
    (failed,) = second.items
    assert failed.status == pb.DELIVERY_STATUS_PENDING
    assert failed.HasField("next_attempt_at")
    assert [(each.response_status, each.error) for each in failed.attempts] == [(500, "http_error")]
    assert second.next_page_token == ""
    request.page_token = "bm9uc2Vuc2U"
    refusal = await _refused(edge, WebhookServiceStub, "ListDeliveries", request, caller=caller)
    assert refusal.reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize("role", ["viewer", "host", "accountant", "manager"])
async def test_only_admins_register_endpoints(edge: Edge, desk: Desk, role: str) -> None:
    request = pb.CreateWebhookEndpointRequest(url="https://not-yet.invalid/hook")
    caller = member(desk.organization, role)
    refusal = await _refused(edge, WebhookServiceStub, "CreateWebhookEndpoint", request, caller=caller)
    assert refusal.reason == "PERMISSION_DENIED"
    refusal = await _refused(edge, WebhookServiceStub, "CreateWebhookEndpoint", request, caller=anonymous())
    assert refusal.reason == "UNAUTHENTICATED"
