"""Events as a consumer gets them."""

from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from servicekit import ids
from servicekit.events import Event


def event_of(
    message: Message, organization: UUID | None, *, event_id: UUID | None = None, time: datetime | None = None
) -> Event:
    """An event that carries `message`. Deliver the same object twice for a repetition."""
    return Event(
        id=event_id or ids.new(),
        type=message.DESCRIPTOR.full_name,
        organization=organization,
        time=time or datetime.now(UTC),
        subject="",
        message=message,
    )
