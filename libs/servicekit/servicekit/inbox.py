"""Events that were handled, recorded in the transaction of their effect, so that it happens exactly once."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicekit.database import Transaction
from servicekit.events import Event

INBOX = sa.table(
    "inbox",
    sa.column("event_id", sa.Uuid),
    sa.column("organization_id", sa.Uuid),
    sa.column("type", sa.Text),
    sa.column("handled_at", sa.DateTime(timezone=True)),
)

_CLAIM = insert(INBOX).on_conflict_do_nothing(index_elements=["event_id"])


class AlreadyHandled(Exception):  # no failure: the consumer loop takes it for success
    """The event's effect has been committed before."""


async def claim(tx: Transaction, event: Event) -> None:
    """Makes the rest of `tx` the one and only handling of `event`. Waits for a twin that is being handled.

    Raises:
        AlreadyHandled: the event was handled before; nothing must be done.
    """
    claimed = await tx.execute(
        _CLAIM, {"event_id": event.id, "organization_id": event.organization, "type": event.type}
    )
    if not claimed.rowcount:
        raise AlreadyHandled
