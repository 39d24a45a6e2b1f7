"""The webhook inbox. Platform transactions only: an event names no organization."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from payment.domain.provider import ProviderEvent
from payment.tables import PROVIDER_EVENTS
from servicekit.database import Transaction

_E = PROVIDER_EVENTS.c
_MINE = sa.and_(
    _E.source == sa.bindparam("event_source", type_=sa.Text),
    _E.event_id == sa.bindparam("event", type_=sa.Text),
)
_INSERT = insert(PROVIDER_EVENTS).on_conflict_do_nothing(index_elements=["source", "event_id"])
_GET = sa.select(PROVIDER_EVENTS).where(_MINE)
_HANDLED = (
    sa.update(PROVIDER_EVENTS)
    .where(_MINE, _E.handled_at.is_(None))
    .values(handled_at=sa.func.now(), outcome=sa.bindparam("how", type_=sa.Text))
)


async def insert_event(tx: Transaction, event: ProviderEvent) -> bool:
    """Keeps an event. False when it was kept before."""
    values = {
        "source": event.source,
        "event_id": event.id,
        "type": event.type,
        "reference": event.reference,
    }
    return bool((await tx.execute(_INSERT, values)).rowcount)


async def get_event(tx: Transaction, source: str, event_id: str) -> ProviderEvent:
    """An event that was kept."""
    row = (await tx.execute(_GET, {"event_source": source, "event": event_id})).mappings().one()
    return ProviderEvent(
        source=row["source"], id=row["event_id"], type=row["type"], reference=row["reference"]
    )


async def mark_handled(tx: Transaction, event: ProviderEvent, outcome: str) -> None:
    """Notes how the first handling ended; later ones change nothing."""
    await tx.execute(_HANDLED, {"event_source": event.source, "event": event.id, "how": outcome})
