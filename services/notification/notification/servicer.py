"""The RPCs of notification: message → use case → message."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from google.api import httpbody_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from comptoir.notification.v1 import notification_pb2 as pb
from comptoir.notification.v1 import notification_pb2_grpc as rpc
from notification.app import App
from notification.domain.errors import BookingNotFound, WebhookEndpointNotFound
from notification.domain.mails import Mail, MailStatus
from notification.domain.webhooks import Attempt, Delivery, DeliveryStatus, Endpoint
from notification.usecases import calendars, mails, webhooks
from servicekit import identity, ids, paging
from servicekit.rpc.server import Registration

_Context = Any  # grpc-stubs types it as generic, which it is not at run time

_MAIL_STATUS: Mapping[MailStatus, pb.NotificationStatus.ValueType] = {
    MailStatus.SCHEDULED: pb.NOTIFICATION_STATUS_SCHEDULED,
    MailStatus.SENDING: pb.NOTIFICATION_STATUS_SCHEDULED,
    MailStatus.SENT: pb.NOTIFICATION_STATUS_SENT,
    MailStatus.CANCELLED: pb.NOTIFICATION_STATUS_CANCELLED,
    MailStatus.FAILED: pb.NOTIFICATION_STATUS_FAILED,
    MailStatus.SUPPRESSED: pb.NOTIFICATION_STATUS_SUPPRESSED,
}
_DELIVERY_STATUS: Mapping[DeliveryStatus, pb.DeliveryStatus.ValueType] = {
    DeliveryStatus.PENDING: pb.DELIVERY_STATUS_PENDING,
    DeliveryStatus.DELIVERED: pb.DELIVERY_STATUS_DELIVERED,
    DeliveryStatus.FAILED: pb.DELIVERY_STATUS_FAILED,
}


class NotificationServicer(rpc.NotificationServiceServicer):
    """What was sent to people."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, _: _Context
    ) -> pb.ListNotificationsResponse:
        """The mails about a booking."""
        booking = ids.parse("bkg", request.booking_id, BookingNotFound)
        page = paging.page(request.page_size, request.page_token, "mails", request.booking_id, keys=1)
        found, token = await mails.list_mails(self._app, identity.caller().tenant, booking, page)
        return pb.ListNotificationsResponse(
            items=[_notification(mail) for mail in found], next_page_token=token
        )


class GuestCalendarServicer(rpc.GuestCalendarServiceServicer):
    """What a guest gets by the link of a booking."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def GetManagedCalendar(
        self, request: pb.GetManagedCalendarRequest, _: _Context
    ) -> httpbody_pb2.HttpBody:
        """The booking for a calendar."""
        content = await calendars.calendar_of_link(self._app, request.token)
        return httpbody_pb2.HttpBody(content_type="text/calendar; charset=utf-8", data=content)


class WebhookServicer(rpc.WebhookServiceServicer):
    """Where partners are told."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, _: _Context
    ) -> pb.CreateWebhookEndpointResponse:
        """Registers a URL."""
        endpoint, secret = await webhooks.create_endpoint(
            self._app, identity.caller().tenant, url=request.url, event_types=list(request.event_types)
        )
        return pb.CreateWebhookEndpointResponse(endpoint=_endpoint(endpoint), secret=secret)

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, _: _Context
    ) -> pb.ListWebhookEndpointsResponse:
        """A page of the endpoints."""
        page = paging.page(request.page_size, request.page_token, "endpoints", keys=1)
        found, token = await webhooks.list_endpoints(self._app, identity.caller().tenant, page)
        return pb.ListWebhookEndpointsResponse(
            items=[_endpoint(endpoint) for endpoint in found], next_page_token=token
        )

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, _: _Context
    ) -> pb.DeleteWebhookEndpointResponse:
        """Removes one."""
        endpoint = ids.parse("whe", request.endpoint_id, WebhookEndpointNotFound)
        await webhooks.delete_endpoint(self._app, identity.caller().tenant, endpoint)
        return pb.DeleteWebhookEndpointResponse()

    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, _: _Context
    ) -> pb.ListDeliveriesResponse:
        """The log of one."""
        endpoint = ids.parse("whe", request.endpoint_id, WebhookEndpointNotFound)
        page = paging.page(request.page_size, request.page_token, request.endpoint_id, keys=1)
        found, token = await webhooks.list_deliveries(self._app, identity.caller().tenant, endpoint, page)
        return pb.ListDeliveriesResponse(items=[_delivery(each) for each in found], next_page_token=token)


def servicers(app: App) -> Sequence[Registration]:
    """How to register everything this service serves."""
    return [
        lambda server: rpc.add_NotificationServiceServicer_to_server(NotificationServicer(app), server),
        lambda server: rpc.add_GuestCalendarServiceServicer_to_server(GuestCalendarServicer(app), server),
        lambda server: rpc.add_WebhookServiceServicer_to_server(WebhookServicer(app), server),
    ]


def _notification(mail: Mail) -> pb.Notification:
    return pb.Notification(
        id=ids.show("ntf", mail.id),
        kind=mail.kind.value,
        status=_MAIL_STATUS[mail.status],
        booking_id=ids.show("bkg", mail.booking) if mail.booking else "",
        due_at=_timestamp(mail.due_at),
        sent_at=_timestamp(mail.sent_at) if mail.sent_at else None,
        attempts=mail.attempts,
    )


def _endpoint(endpoint: Endpoint) -> pb.WebhookEndpoint:
    return pb.WebhookEndpoint(
        id=ids.show("whe", endpoint.id),
        url=endpoint.url,
        event_types=endpoint.event_types,
        disabled=endpoint.disabled,
        created_at=_timestamp(endpoint.created_at),
    )


def _delivery(delivery: Delivery) -> pb.Delivery:
    due = delivery.next_attempt_at
    return pb.Delivery(
        id=ids.show("msg", delivery.id),
        event_type=delivery.event_type,
        status=_DELIVERY_STATUS[delivery.status],
        attempts=[_attempt(each) for each in delivery.attempts],
        next_attempt_at=_timestamp(due) if due else None,
    )


def _attempt(attempt: Attempt) -> pb.DeliveryAttempt:
    return pb.DeliveryAttempt(
        attempted_at=_timestamp(attempt.attempted_at),
        response_status=attempt.response_status,
        error=attempt.error,
    )


def _timestamp(moment: datetime) -> Timestamp:
    return Timestamp(seconds=int(moment.timestamp()), nanos=moment.microsecond * 1000)
