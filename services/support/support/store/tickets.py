"""Tickets and their messages as rows. Rows and domain objects are turned into each other here alone."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicekit.database import Transaction
from servicekit.keyset import Keyset
from servicekit.paging import Page
from support.domain import (
    Message,
    MessageAuthor,
    MessageInContext,
    MessageNotFound,
    Ticket,
    TicketNotFound,
    TicketStatus,
)
from support.tables import MESSAGES, TICKETS

_MOMENT = sa.DateTime(timezone=True)
_TICKET = (TICKETS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid)) & (
    TICKETS.c.id == sa.bindparam("ticket", type_=sa.Uuid)
)
_GET = sa.select(TICKETS).where(_TICKET)
_LOCK = _GET.with_for_update()
_SAVE = (
    sa.update(TICKETS)
    .where(_TICKET)
    .values(
        status=sa.bindparam("new_status", type_=sa.Text), resolved_at=sa.bindparam("resolved", type_=_MOMENT)
    )
)
_INSERT = sa.insert(TICKETS)
_INSERT_MESSAGE = sa.insert(MESSAGES)
_GET_MESSAGE = (
    sa.select(MESSAGES, TICKETS.c.booking_id, TICKETS.c.subject)
    .join(TICKETS)
    .where(
        MESSAGES.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        MESSAGES.c.id == sa.bindparam("message", type_=sa.Uuid),
    )
)
_MESSAGES = (
    sa.select(MESSAGES)
    .where(
        MESSAGES.c.organization_id == sa.bindparam("organization", type_=sa.Uuid),
        MESSAGES.c.ticket_id.in_(sa.bindparam("tickets", type_=sa.Uuid, expanding=True)),
    )
    .order_by(MESSAGES.c.created_at, MESSAGES.c.id)
)
_OWN = sa.select(TICKETS).where(TICKETS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid))
_OF_BOOKING = TICKETS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid)
_LIST = Keyset(_OWN, TICKETS.c.created_at, TICKETS.c.id, newest_first=True)
_LIST_ABOUT = Keyset(_OWN.where(_OF_BOOKING), TICKETS.c.created_at, TICKETS.c.id, newest_first=True)
_LIST_OF_BOOKING = Keyset(_OWN.where(_OF_BOOKING), TICKETS.c.created_at, TICKETS.c.id)


async def insert_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Keeps a new ticket and its messages."""
    await tx.execute(
        _INSERT,
        {
            "organization_id": tx.organization,
            "id": ticket.id,
            "booking_id": ticket.booking_id,
            "subject": ticket.subject,
            "status": ticket.status,
            "created_at": ticket.created_at,
            "resolved_at": ticket.resolved_at,
        },
    )
    for message in ticket.messages:
        await _insert_message(tx, ticket.id, message)


async def get_ticket(tx: Transaction, ticket_id: UUID) -> Ticket:
    """A ticket with its messages. Raises TicketNotFound."""
    return await _one(tx, _GET, ticket_id)


async def lock_ticket(tx: Transaction, ticket_id: UUID) -> Ticket:
    """A ticket with its messages, which nobody else changes until the end of `tx`. Raises TicketNotFound."""
    return await _one(tx, _LOCK, ticket_id)


async def save_ticket(tx: Transaction, ticket: Ticket, *, answer: Message | None = None) -> None:
    """Keeps the new state of a locked ticket, and the message that made it so."""
    values = {"new_status": ticket.status, "resolved": ticket.resolved_at}
    await tx.execute(_SAVE, {"organization": tx.organization, "ticket": ticket.id} | values)
    if answer is not None:
        await _insert_message(tx, ticket.id, answer)


async def list_tickets(tx: Transaction, page: Page, *, booking_id: UUID | None) -> tuple[list[Ticket], str]:
    """A page of tickets, newest first, without messages, and the token of the next page; empty on the last.

    Raises:
        InvalidPageToken: the token's position is not one of this list.
    """
    values = {"organization": tx.organization}
    if booking_id is None:
        rows, token = await _LIST.read(tx, page, values)
    else:
        rows, token = await _LIST_ABOUT.read(tx, page, values | {"booking": booking_id})
    return [_ticket(row) for row in rows], token


async def page_of_tickets_of_booking(
    tx: Transaction, booking_id: UUID, page: Page
) -> tuple[list[Ticket], str]:
    """A page of the tickets about a booking with their messages, oldest first, and the token of the next.

    Raises:
        InvalidPageToken: the token's position is not one of this list.
    """
    values = {"organization": tx.organization, "booking": booking_id}
    rows, token = await _LIST_OF_BOOKING.read(tx, page, values)
    return await _with_messages(tx, rows), token


async def get_message(tx: Transaction, message_id: UUID) -> MessageInContext:
    """A message and what its ticket is about. Raises MessageNotFound."""
    values = {"organization": tx.organization, "message": message_id}
    row = (await tx.execute(_GET_MESSAGE, values)).mappings().one_or_none()
    if row is None:
        raise MessageNotFound
    return MessageInContext(_message(row), row["booking_id"], row["subject"])


async def _insert_message(tx: Transaction, ticket_id: UUID, message: Message) -> None:
    values = asdict(message) | {"organization_id": tx.organization, "ticket_id": ticket_id}
    await tx.execute(_INSERT_MESSAGE, values)


async def _one(tx: Transaction, query: sa.Executable, ticket_id: UUID) -> Ticket:
    values = {"organization": tx.organization, "ticket": ticket_id}
    rows = (await tx.execute(query, values)).mappings().all()
    if not rows:
        raise TicketNotFound
    return (await _with_messages(tx, rows))[0]


async def _with_messages(tx: Transaction, rows: Sequence[Any]) -> list[Ticket]:
    if not rows:
        return []
    messages: dict[UUID, list[Message]] = {row["id"]: [] for row in rows}
    values = {"organization": tx.organization, "tickets": list(messages)}
    for row in (await tx.execute(_MESSAGES, values)).mappings():
        messages[row["ticket_id"]].append(_message(row))
    return [_ticket(row, messages=tuple(messages[row["id"]])) for row in rows]


def _ticket(row: Any, *, messages: tuple[Message, ...] = ()) -> Ticket:
    return Ticket(
        row["id"],
        row["booking_id"],
        row["subject"],
        TicketStatus(row["status"]),
        row["created_at"],
        row["resolved_at"],
        messages,
    )


def _message(row: Any) -> Message:
    return Message(
        row["id"], MessageAuthor(row["author"]), row["staff_user_id"], row["text"], row["created_at"]
    )
