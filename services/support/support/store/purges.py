"""Deletes tickets that were resolved long ago, with their messages. Never one that may still be answered."""

import sqlalchemy as sa

from servicekit import retention
from servicekit.database import Transaction
from servicekit.purging import Purged, delete, deletion
from servicekit.retention import Periods
from support.tables import TICKETS

# What was written goes with them.
_TICKETS = deletion(
    TICKETS,
    sa.and_(
        TICKETS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        TICKETS.c.resolved_at < sa.bindparam("before", type_=sa.DateTime(timezone=True)),
    ),
    oldest=TICKETS.c.resolved_at,
)


async def purge_tickets(tx: Transaction, periods: Periods, most: int) -> Purged:
    """Deletes tickets that were resolved long enough ago, with what was written in them."""
    before = retention.before(tx, periods.ticket_days)
    return await delete(tx, _TICKETS, most, organization=tx.organization, before=before)
