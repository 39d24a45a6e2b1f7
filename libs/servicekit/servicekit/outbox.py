"""Events to publish, written in the transaction of the change they speak of. The relay publishes them."""

from collections.abc import Callable
from uuid import UUID

import sqlalchemy as sa
from google.protobuf.message import Message
from sqlalchemy.dialects.postgresql import JSONB

from servicekit import contract, ids, telemetry
from servicekit.database import Transaction

OUTBOX = sa.table(
    "outbox",
    sa.column("position", sa.BigInteger),
    sa.column("event_id", sa.Uuid),
    sa.column("organization_id", sa.Uuid),
    sa.column("topic", sa.Text),
    sa.column("key", sa.LargeBinary),
    sa.column("type", sa.Text),
    sa.column("subject", sa.Text),
    sa.column("payload", sa.LargeBinary),
    sa.column("headers", JSONB),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("published_at", sa.DateTime(timezone=True)),
    sa.column("partition", sa.Integer),
    sa.column("log_offset", sa.BigInteger),
)

_INSERT = sa.insert(OUTBOX)


async def add(tx: Transaction, message: Message, *, key: UUID, organization: UUID | None = None) -> UUID:
    """Publishes `message` if and only if `tx` commits: at least once, in order among events of one `key`.

    Returns the event's id, by which consumers recognise a repetition.
    """
    event = contract.events()[message.DESCRIPTOR.full_name]
    event_id = ids.new()
    await tx.execute(
        _INSERT,
        {
            "event_id": event_id,
            "organization_id": organization or tx.organization,
            "topic": event.topic,
            "key": key.bytes,
            "type": event.name,
            "subject": str(key),
            "payload": message.SerializeToString(deterministic=True),
            "headers": trace_headers(),
        },
    )
    tx.after_commit.append(nudge)
    return event_id


def trace_headers() -> dict[str, str]:
    """The headers by which a consumer continues the trace of the change."""
    header = telemetry.header()
    return {"traceparent": header} if header else {}


_wakers: list[Callable[[], None]] = []


def nudge() -> None:
    """Wakes the relay when it lives in this process; it finds the rows by itself otherwise."""
    for wake in _wakers:
        wake()


def on_nudge(wake: Callable[[], None]) -> None:
    """Registers the relay of this process."""
    _wakers.append(wake)
