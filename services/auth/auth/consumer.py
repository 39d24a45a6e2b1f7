"""Receipts of the other services, each to the request that it belongs to."""

from types import MappingProxyType

from auth.app import App
from auth.usecases import privacy
from comptoir.analytics.v1 import events_pb2 as analytics_events
from comptoir.booking.v1 import events_pb2 as booking_events
from comptoir.notification.v1 import events_pb2 as notification_events
from comptoir.payment.v1 import events_pb2 as payment_events
from comptoir.support.v1 import events_pb2 as support_events
from servicekit import ids
from servicekit.consumer import Handlers
from servicekit.errors import Internal
from servicekit.events import Event


async def on_personal_data_erased(app: App, event: Event) -> None:
    """A service has forgotten a person."""
    request_id = ids.parse("prq", event.message.request_id, Internal)
    service = event.type.split(".")[1]
    rows = {each.table: each.rows for each in event.message.erased}
    await privacy.take_receipt(app, event, request_id, service, rows)


HANDLERS: Handlers[App] = MappingProxyType(
    {
        booking_events.PersonalDataErased: on_personal_data_erased,
        payment_events.PersonalDataErased: on_personal_data_erased,
        notification_events.PersonalDataErased: on_personal_data_erased,
        support_events.PersonalDataErased: on_personal_data_erased,
        analytics_events.PersonalDataErased: on_personal_data_erased,
    }
)
