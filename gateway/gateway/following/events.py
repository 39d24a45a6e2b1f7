"""An event as the gateway's reactions see it: what happened, and where in the log that stands."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from aiokafka import ConsumerRecord

from servicekit.events import from_record


@dataclass(frozen=True, slots=True)
class Event:
    """One published fact. `id` stays the same when it is delivered again."""

    id: UUID
    type: str
    """Like "comptoir.booking.v1.BookingConfirmed"."""
    organization: UUID | None
    subject: str
    """The id of what it is about, the key of the log."""
    time: datetime
    """When it was written down, by the clock of the service's database."""
    message: Any
    """The decoded protobuf message of `type`."""
    topic: str
    partition: int
    offset: int
    """Rises within a partition. A broker that lost its log begins at 0 again."""


Reaction: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]
"""Does what must be done about some events, in order per partition; any of them may have been seen before.

Raises RedisError, OSError or TimeoutError when it cannot now: it is then called again with the same events.
"""


def read(record: ConsumerRecord) -> Event:
    """Decodes a record. Raises servicekit.events.Undecodable for what is no event of the contract."""
    event = from_record(record.headers, record.value)
    return Event(
        id=event.id,
        type=event.type,
        organization=event.organization,
        subject=event.subject,
        time=event.time,
        message=event.message,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
