"""Webhooks go long after they were handled; those that wait, and money, never do."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa

from payment.store.purges import FOLLOWED_KEPT, UNKNOWN_KEPT
from payment.tables import PROVIDER_EVENTS
from payment.timers import TIMERS
from servicekit import ids, purging
from testkit.purging import purge

from .conftest import Till

MARGIN = timedelta(minutes=1)
"""What no age is nearer to a bound than, so that the time a test takes decides nothing."""
KEPT = {"followed": FOLLOWED_KEPT, "unknown": UNKNOWN_KEPT}


@pytest.mark.parametrize("seed", range(4))
async def test_webhooks_go_when_they_were_handled_long_ago_and_no_others(till: Till, seed: int) -> None:
    app, chance = till.app, random.Random(seed)  # noqa: S311
    async with app.db.begin_platform(reason="ask for the time in a test") as tx:
        now = tx.now
    rows, kept = [], set()
    for _ in range(chance.choice([20, 3 * purging.BATCH])):
        outcome = chance.choice([None, "followed", "unknown"])
        age = timedelta(days=chance.choice([0, 1, 89, 90, 91, 729, 730, 731])) + chance.choice(
            [MARGIN, 2 * MARGIN, -MARGIN]
        )
        row = {"source": "stripe", "event_id": ids.new().hex, "type": "payment_intent.succeeded"}
        handled = None if outcome is None else now - age
        rows.append(row | {"received_at": now - age, "handled_at": handled, "outcome": outcome})
        if outcome is None or age <= KEPT[outcome]:
            kept.add(row["event_id"])
    async with app.db.begin_platform(reason="make rows in a test") as tx:
        await tx.execute(sa.insert(PROVIDER_EVENTS), rows)
    await purge(app, app.db, TIMERS, "provider_events")
    async with app.db.begin_platform(reason="look into the database in a test") as tx:
        left = set((await tx.execute(sa.select(PROVIDER_EVENTS.c.event_id))).scalars())
    assert left == kept
    assert left < {row["event_id"] for row in rows}
