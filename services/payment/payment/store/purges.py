"""Deletes webhooks that were followed long ago. Money, and what is still to be handled, it never touches."""

from datetime import timedelta

import sqlalchemy as sa

from payment.tables import PROVIDER_EVENTS
from servicekit.database import Transaction
from servicekit.purging import Purged, delete, deletion

FOLLOWED_KEPT = timedelta(days=90)
"""Providers send a webhook again for days, by hand for a month: until then it must be recognised."""
UNKNOWN_KEPT = timedelta(days=730)
"""About intents that are none of ours: somebody may yet ask whose money that was."""

_MOMENT = sa.DateTime(timezone=True)
_handled = PROVIDER_EVENTS.c.handled_at
_EVENTS = deletion(
    PROVIDER_EVENTS,
    sa.and_(
        _handled < sa.bindparam("followed_before", type_=_MOMENT),
        sa.or_(
            PROVIDER_EVENTS.c.outcome != "unknown", _handled < sa.bindparam("unknown_before", type_=_MOMENT)
        ),
    ),
    oldest=_handled,
)


async def purge_provider_events(tx: Transaction, most: int) -> Purged:
    """Deletes webhooks whose handling ended long enough ago."""
    followed, unknown = tx.now - FOLLOWED_KEPT, tx.now - UNKNOWN_KEPT
    return await delete(tx, _EVENTS, most, followed_before=followed, unknown_before=unknown)
