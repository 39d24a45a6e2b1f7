"""Tickets and their messages as rows. Rows and domain objects are turned into each other here alone."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from servicekit import paging
from servicekit.database import Transaction
from servicekit.errors import InvalidPageToken
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
_LIST = (
    sa.select(TICKETS)
    .where(TICKETS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid))
    .order_by(TICKETS.c.created_at.desc(), TICKETS.c.id.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_OF_BOOKING = TICKETS.c.booking_id == sa.bindparam("booking", type_=sa.Uuid)
_AFTER = sa.tuple_(TICKETS.c.created_at, TICKETS.c.id).op("<", is_comparison=True)(
    sa.tuple_(sa.bindparam("after_time", type_=_MOMENT), sa.bindparam("after_id", type_=sa.Uuid))
)
_LIST_OF_BOOKING = (
    sa.select(TICKETS)
    .where(TICKETS.c.organization_id == sa.bindparam("organization", type_=sa.Uuid), _OF_BOOKING)
    .order_by(TICKETS.c.created_at, TICKETS.c.id)
)


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
    query, values = _LIST, {"organization": tx.organization, "size": page.size + 1}
    if booking_id is not None:
        query, values = query.where(_OF_BOOKING), values | {"booking": booking_id}
    if page.after is not None:
        query, values = query.where(_AFTER), values | _position(page.after)
    tickets = [_ticket(row) for row in (await tx.execute(query, values)).mappings()]
    shown = tickets[: page.size]
    more = len(tickets) > page.size
    return shown, page.next_token((shown[-1].created_at.isoformat(), shown[-1].id.hex)) if more else ""


async def list_tickets_of_booking(tx: Transaction, booking_id: UUID) -> list[Ticket]:
    """All tickets about a booking with their messages, oldest first."""
    values = {"organization": tx.organization, "booking": booking_id}
    rows = (await tx.execute(_LIST_OF_BOOKING, values)).mappings().all()
    return await _with_messages(tx, rows)


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


def _position(after: Sequence[str]) -> dict[str, Any]:
    try:
        return {"after_time": paging.moment(after[0]), "after_id": UUID(after[1])}
    except ValueError as error:
        raise InvalidPageToken from error


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
