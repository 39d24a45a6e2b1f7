"""Word that there may be room for those who wait: a timer in the transaction that makes the room.

Never looks whether anybody waits: whoever joins meanwhile is looked after by a sweep of their own.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicekit import ids, timers
from servicekit.database import Transaction

WAITLIST_SWEEP = "waitlist_sweep"
"""The timer that offers room to those who wait. Its payload: venue, and from and to which service day."""


async def room_appeared(tx: Transaction, freed: Sequence[sa.Row[Any]]) -> None:
    """Rows of one venue with `venue_id`, `start_at` and `end_at` occupy nothing any more."""
    until = max(row.end_at for row in freed)
    if until > tx.now:
        since = min(row.start_at for row in freed)
        # In whatever zone the venue is, and for stays that began on the service day before.
        days = since.date() - timedelta(days=2), until.date() + timedelta(days=1)
        await sweep_soon(tx, freed[0].venue_id, ids.new(), days)


async def venue_changed(tx: Transaction, venue_id: UUID) -> None:
    """A venue has other resources, or is open at other times: there may be room on any day."""
    await sweep_soon(tx, venue_id, venue_id, None)


async def sweep_soon(tx: Transaction, venue_id: UUID, cause: UUID, days: tuple[date, date] | None) -> None:
    """Has service days swept once `tx` has committed. Each cause has its timer: none waits for another."""
    payload = {"venue": str(venue_id)}
    if days:
        payload |= {"from": days[0].isoformat(), "to": days[1].isoformat()}
    await timers.schedule(tx, WAITLIST_SWEEP, f"{venue_id}/{cause}", tx.now, payload)
