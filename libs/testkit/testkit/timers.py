"""Timers as a test sees them."""

import sqlalchemy as sa

from servicekit.database import Database
from servicekit.timers import TIMERS, Timer


async def scheduled(db: Database, kind: str | None = None) -> list[Timer]:
    """Every timer, soonest first; of one kind if given."""
    query = sa.select(TIMERS).order_by(TIMERS.c.due_at)
    if kind:
        query = query.where(TIMERS.c.kind == kind)
    async with db.begin_platform(reason="read timers in a test") as tx:
        rows = (await tx.execute(query)).all()
    return [
        Timer(row.id, row.organization_id, row.kind, row.key, row.due_at, row.attempts, row.payload)
        for row in rows
    ]
