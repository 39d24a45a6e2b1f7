"""Events that support publishes, written to the outbox with the change. No text of people is in them."""

from collections.abc import Mapping
from uuid import UUID

from comptoir.support.v1 import events_pb2
from servicekit import ids, outbox, privacy
from servicekit.database import Transaction
from support.domain import Ticket


async def ticket_opened(tx: Transaction, ticket: Ticket) -> None:
    """A guest asked for help."""
    message = events_pb2.TicketOpened(
        ticket_id=ids.show("tkt", ticket.id), booking_id=ids.show("bkg", ticket.booking_id)
    )
    await outbox.add(tx, message, key=ticket.id)


async def ticket_answered(tx: Transaction, ticket: Ticket, message_id: UUID) -> None:
    """Staff answered; the mail asks for the text when it is sent."""
    message = events_pb2.TicketAnswered(
        ticket_id=ids.show("tkt", ticket.id),
        booking_id=ids.show("bkg", ticket.booking_id),
        message_id=ids.show("tms", message_id),
    )
    await outbox.add(tx, message, key=ticket.id)


async def personal_data_erased(tx: Transaction, request_id: UUID, rows: Mapping[str, int]) -> None:
    """A person is forgotten here."""
    message = events_pb2.PersonalDataErased(
        request_id=ids.show("prq", request_id), erased=privacy.erased(rows)
    )
    await outbox.add(tx, message, key=request_id)
