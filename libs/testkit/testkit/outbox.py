"""What a service has said so far."""

import sqlalchemy as sa
from google.protobuf.message import Message

from servicekit import contract
from servicekit.database import Database
from servicekit.outbox import OUTBOX


async def published(db: Database) -> list[Message]:
    """Every event in the outbox, oldest first."""
    async with db.begin_platform(reason="read the outbox in a test") as tx:
        rows = (await tx.execute(sa.select(OUTBOX).order_by(OUTBOX.c.position))).all()
    return [contract.events()[row.type].message.FromString(row.payload) for row in rows]
