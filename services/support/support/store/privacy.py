"""What people wrote: made nobody's words, and read for whom it is about; and bookings that were erased."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from servicekit.database import Transaction
from support.domain import TicketStatus
from support.tables import ERASED_BOOKINGS, MESSAGES, TICKETS

ERASED = "(erased)"
"""What stands where something was written."""

_IDS = sa.ARRAY(sa.Uuid)
_tickets = sa.any_(sa.bindparam("tickets", type_=_IDS))
_bookings = sa.any_(sa.bindparam("bookings", type_=_IDS))
_user = sa.bindparam("user", type_=sa.Uuid)

_TICKETS_OF = sa.select(TICKETS.c.id).where(TICKETS.c.booking_id == _bookings).order_by(TICKETS.c.id)
# Tickets first: whoever answers one holds its row, and their message is there once it is let go.
_FORGET_TICKETS = (
    sa.update(TICKETS)
    .where(TICKETS.c.id == _tickets, TICKETS.c.subject != ERASED)
    .values(
        subject=ERASED,
        status=TicketStatus.RESOLVED.value,
        resolved_at=sa.func.coalesce(TICKETS.c.resolved_at, sa.func.now()),
    )
)
_FORGET_MESSAGES = (
    sa.update(MESSAGES).where(MESSAGES.c.ticket_id == _tickets, MESSAGES.c.text != ERASED).values(text=ERASED)
)
_NOTE_ERASED = insert(ERASED_BOOKINGS).on_conflict_do_nothing()
_IS_ERASED = sa.select(ERASED_BOOKINGS.c.booking_id).where(
    ERASED_BOOKINGS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid)
)
_organization = sa.bindparam("organization", type_=sa.Text)
_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(_organization, 1)))
_LOCK_SHARED = sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtextextended(_organization, 1)))

_READ_TICKETS = sa.select(TICKETS).where(TICKETS.c.id == _tickets).order_by(TICKETS.c.id)
_READ_MESSAGES = (
    sa.select(*(each for each in MESSAGES.c if each is not MESSAGES.c.staff_user_id))
    .where(MESSAGES.c.ticket_id == _tickets)
    .order_by(MESSAGES.c.ticket_id, MESSAGES.c.created_at)
)
_READ_MESSAGES_BY = (
    sa.select(MESSAGES).where(MESSAGES.c.staff_user_id == _user).order_by(MESSAGES.c.created_at)
)


async def list_tickets_of(tx: Transaction, bookings: Sequence[UUID]) -> list[UUID]:
    """Every ticket about some bookings."""
    return list((await tx.execute(_TICKETS_OF, {"bookings": bookings})).scalars())


async def anonymise_tickets(tx: Transaction, tickets: Sequence[UUID]) -> Mapping[str, int]:
    """Takes all words out of tickets, and closes them. The same again changes nothing. Returns rows."""
    of_these = {"tickets": tickets}
    return {
        "tickets": (await tx.execute(_FORGET_TICKETS, of_these)).rowcount,
        "ticket_messages": (await tx.execute(_FORGET_MESSAGES, of_these)).rowcount,
    }


async def note_erased(tx: Transaction, bookings: Sequence[UUID]) -> None:
    """No ticket about these bookings is opened from now on. Waits for those that are being opened."""
    await tx.execute(_LOCK, {"organization": str(tx.organization)})
    rows = [{"organization_id": tx.organization, "booking_id": each} for each in bookings]
    if rows:
        await tx.execute(_NOTE_ERASED, rows)


async def is_erased(tx: Transaction, booking_id: UUID) -> bool:
    """Whether a booking's guest was erased. The answer holds until the end of `tx`."""
    await tx.execute(_LOCK_SHARED, {"organization": str(tx.organization)})
    return (await tx.execute(_IS_ERASED, {"booking": booking_id})).first() is not None


async def read_tickets(tx: Transaction, tickets: Sequence[UUID]) -> Mapping[str, list[Mapping[str, Any]]]:
    """Everything that was written in tickets, row by row: for the guest. Which of the staff it was is not."""
    of_these = {"tickets": tickets}
    return {
        "tickets": await _rows(tx, _READ_TICKETS, of_these),
        "ticket_messages": await _rows(tx, _READ_MESSAGES, of_these),
    }


async def read_user(tx: Transaction, user_id: UUID) -> Mapping[str, list[Mapping[str, Any]]]:
    """What a member wrote, in all organizations. For platform transactions."""
    return {"ticket_messages": await _rows(tx, _READ_MESSAGES_BY, {"user": user_id})}


async def _rows(tx: Transaction, query: sa.Executable, values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [dict(row) for row in (await tx.execute(query, values)).mappings()]
