"""What the relay deletes: docs/operations/retention.md as a test."""

import asyncio
from datetime import timedelta

import sqlalchemy as sa

from servicekit import ids
from servicekit.database import Database, Transaction
from servicekit.relay import Relay
from servicekit.settings import DatabaseSettings, KafkaSettings
from servicekit.tables import platform_tables
from testkit import eventually

OUTBOX, _, INBOX, _, _, KEYS, ANSWERS = platform_tables(sa.MetaData())


async def test_the_relay_forgets_what_is_old_enough_and_nothing_else(
    db: Database, database_settings: DatabaseSettings, kafka: KafkaSettings
) -> None:
    """Seven days of published events, three times as long what was handled, two of keys, one of answers."""
    async with db.begin_platform(reason="test") as tx:
        await _publish(tx, days=8)
        await _publish(tx, days=6)
        for days in (22, 20):
            handled = {"event_id": ids.new(), "type": f"{days} days", "handled_at": tx.now - timedelta(days)}
            await tx.execute(sa.insert(INBOX), handled)
        for days in (3, 1):
            key = {
                "organization_id": ids.new(),
                "key": f"{days} days",
                "created_at": tx.now - timedelta(days),
            }
            await tx.execute(sa.insert(KEYS), {**key, "fingerprint": b"", "resource_id": ids.new()})
        for hours in (25, 23):
            answer = {
                "key": b"%d hours" % hours,
                "fingerprint": b"",
                "claim": ids.new(),
                "claimed_until": tx.now,
                "created_at": tx.now - timedelta(hours=hours),
            }
            await tx.execute(sa.insert(ANSWERS), answer)
    relay, stop = Relay("booking", database_settings, kafka), asyncio.Event()
    running = asyncio.ensure_future(relay.run(stop))
    try:
        await eventually(lambda: relay._pruned, timeout=90)
    finally:
        stop.set()
        await asyncio.wait_for(running, 30)
    async with db.begin_platform(reason="test") as tx:
        for column, kept in (
            (OUTBOX.c.type, "6 days"),
            (INBOX.c.type, "20 days"),
            (KEYS.c.key, "1 days"),
            (ANSWERS.c.key, b"23 hours"),
        ):
            assert (await tx.execute(sa.select(column))).scalars().all() == [kept]


async def _publish(tx: Transaction, *, days: int) -> None:
    row = {"event_id": ids.new(), "topic": "comptoir.booking.v1", "key": b"", "type": f"{days} days"}
    published = {"subject": "", "payload": b"", "published_at": tx.now - timedelta(days)}
    await tx.execute(sa.insert(OUTBOX), row | published)
