"""Facts of booking and auth, each to its one use case."""

from types import MappingProxyType

from comptoir.auth.v1 import events_pb2 as auth_events
from comptoir.booking.v1 import events_pb2
from servicekit.consumer import Handlers
from servicekit.events import Event
from servicekit.privacy import trace_of
from support.app import App
from support.usecases import privacy, purges


async def on_personal_data_erased(app: App, event: Event) -> None:
    """Booking has forgotten a person."""
    await privacy.erase(app, event, trace_of(event))


async def on_personal_data_exported(app: App, event: Event) -> None:
    """Booking has told what it keeps of a person."""
    await privacy.export(app, event, trace_of(event))


HANDLERS: Handlers[App] = MappingProxyType(
    {
        auth_events.RetentionChanged: purges.note_retention,
        events_pb2.PersonalDataErased: on_personal_data_erased,
        events_pb2.PersonalDataExported: on_personal_data_exported,
    }
)
