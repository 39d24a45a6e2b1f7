"""Mails about some bookings: called off, and read for whom they are about. No word of any mail is kept."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from notification.domain.mails import MailStatus
from notification.tables import NOTIFICATIONS
from servicekit.database import Transaction

_of_these = NOTIFICATIONS.c.booking_id == sa.any_(sa.bindparam("bookings", type_=sa.ARRAY(sa.Uuid)))
# Their timers find them called off.
_CALL_OFF = (
    sa.update(NOTIFICATIONS)
    .where(_of_these, NOTIFICATIONS.c.status == MailStatus.SCHEDULED.value)
    .values(status=MailStatus.CANCELLED.value)
)
_READ = sa.select(NOTIFICATIONS).where(_of_these).order_by(NOTIFICATIONS.c.id)


async def call_off_mails(tx: Transaction, bookings: Sequence[UUID]) -> int:
    """Calls off the mails about some bookings that still wait; answers how many."""
    return (await tx.execute(_CALL_OFF, {"bookings": bookings})).rowcount


async def read_mails(tx: Transaction, bookings: Sequence[UUID]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Which mails about some bookings were sent when, row by row."""
    rows = (await tx.execute(_READ, {"bookings": bookings})).mappings()
    return {"notifications": [dict(row) for row in rows]}
