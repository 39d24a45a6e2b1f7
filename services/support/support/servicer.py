"""gRPC messages to use cases and back. Decides nothing."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from comptoir.support.v1 import ticket_pb2, ticket_pb2_grpc
from servicekit import idempotency, identity, ids, paging
from servicekit.errors import InvalidRequest, PermissionDenied, Violation
from servicekit.rpc.server import Registration
from support.app import App
from support.domain import Message, MessageAuthor, MessageNotFound, Ticket, TicketNotFound, TicketStatus
from support.usecases import tickets as usecases

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_STATUS = {
    TicketStatus.OPEN: ticket_pb2.TICKET_STATUS_OPEN,
    TicketStatus.ANSWERED: ticket_pb2.TICKET_STATUS_ANSWERED,
    TicketStatus.RESOLVED: ticket_pb2.TICKET_STATUS_RESOLVED,
}
_AUTHOR = {
    MessageAuthor.GUEST: ticket_pb2.MESSAGE_AUTHOR_GUEST,
    MessageAuthor.STAFF: ticket_pb2.MESSAGE_AUTHOR_STAFF,
}

_LIST_KEYS = 2
"""Tickets are listed by when they were opened, and by id."""


class TicketServicer(ticket_pb2_grpc.TicketServiceServicer):
    """Tickets, for guests by their link and for staff."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def OpenTicket(
        self, request: ticket_pb2.OpenTicketRequest, _context: _Context
    ) -> ticket_pb2.OpenTicketResponse:
        """A guest asks for help."""
        ticket = await usecases.open_ticket(
            self._app, request.token, subject=request.subject, text=request.text, key=idempotency.key()
        )
        return ticket_pb2.OpenTicketResponse(ticket=_ticket(ticket))

    async def ListManagedTickets(
        self, request: ticket_pb2.ListManagedTicketsRequest, _context: _Context
    ) -> ticket_pb2.ListManagedTicketsResponse:
        """What the guest sees."""
        page = paging.page(request.page_size, request.page_token, "managed", keys=_LIST_KEYS)
        tickets, token = await usecases.list_managed_tickets(self._app, request.token, page)
        return ticket_pb2.ListManagedTicketsResponse(items=map(_ticket, tickets), next_page_token=token)

    async def ListTickets(
        self, request: ticket_pb2.ListTicketsRequest, _context: _Context
    ) -> ticket_pb2.ListTicketsResponse:
        """What staff see, page by page."""
        page = paging.page(request.page_size, request.page_token, request.booking_id, keys=_LIST_KEYS)
        booking_id = ids.parse("bkg", request.booking_id, _NotABookingId) if request.booking_id else None
        tickets, next_page_token = await usecases.list_tickets(
            self._app, identity.caller().tenant, page, booking_id=booking_id
        )
        return ticket_pb2.ListTicketsResponse(items=map(_ticket, tickets), next_page_token=next_page_token)

    async def GetTicket(
        self, request: ticket_pb2.GetTicketRequest, _context: _Context
    ) -> ticket_pb2.GetTicketResponse:
        """One ticket."""
        ticket_id = ids.parse("tkt", request.ticket_id, TicketNotFound)
        ticket = await usecases.get_ticket(self._app, identity.caller().tenant, ticket_id)
        return ticket_pb2.GetTicketResponse(ticket=_ticket(ticket))

    async def AnswerTicket(
        self, request: ticket_pb2.AnswerTicketRequest, _context: _Context
    ) -> ticket_pb2.AnswerTicketResponse:
        """Staff answer."""
        ticket = await usecases.answer_ticket(
            self._app,
            identity.caller().tenant,
            ids.parse("tkt", request.ticket_id, TicketNotFound),
            staff_user_id=_user(),
            text=request.text,
            key=idempotency.key(),
        )
        return ticket_pb2.AnswerTicketResponse(ticket=_ticket(ticket))

    async def ResolveTicket(
        self, request: ticket_pb2.ResolveTicketRequest, _context: _Context
    ) -> ticket_pb2.ResolveTicketResponse:
        """Staff close."""
        ticket_id = ids.parse("tkt", request.ticket_id, TicketNotFound)
        ticket = await usecases.resolve_ticket(self._app, identity.caller().tenant, ticket_id)
        return ticket_pb2.ResolveTicketResponse(ticket=_ticket(ticket))


class TicketDirectoryServicer(ticket_pb2_grpc.TicketDirectoryServiceServicer):
    """What notification asks."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def DescribeMessage(
        self, request: ticket_pb2.DescribeMessageRequest, _context: _Context
    ) -> ticket_pb2.DescribeMessageResponse:
        """One message, for its mail."""
        message_id = ids.parse("tms", request.message_id, MessageNotFound)
        found = await usecases.describe_message(self._app, identity.caller().tenant, message_id)
        return ticket_pb2.DescribeMessageResponse(
            message=_message(found.message),
            booking_id=ids.show("bkg", found.booking_id),
            subject=found.subject,
        )


def servicers(app: App) -> Sequence[Registration]:
    """Both services, ready to be added to a server."""
    return [
        lambda server: ticket_pb2_grpc.add_TicketServiceServicer_to_server(TicketServicer(app), server),
        lambda server: ticket_pb2_grpc.add_TicketDirectoryServiceServicer_to_server(
            TicketDirectoryServicer(app), server
        ),
    ]


class _NotABookingId(InvalidRequest):
    """The filter is no id: nothing could ever match it."""

    def __init__(self) -> None:
        super().__init__(violations=[Violation("/booking_id", "must be the id of a booking")])


def _user() -> UUID:
    """The person who calls. Raises PermissionDenied: a program with a key is nobody who answers."""
    user = identity.caller().user
    if user is None:
        raise PermissionDenied
    return user


def _ticket(ticket: Ticket) -> ticket_pb2.Ticket:
    shown = ticket_pb2.Ticket(
        id=ids.show("tkt", ticket.id),
        booking_id=ids.show("bkg", ticket.booking_id),
        subject=ticket.subject,
        status=_STATUS[ticket.status],
        messages=map(_message, ticket.messages),
    )
    shown.created_at.FromDatetime(ticket.created_at)
    return shown


def _message(message: Message) -> ticket_pb2.TicketMessage:
    shown = ticket_pb2.TicketMessage(
        id=ids.show("tms", message.id), author=_AUTHOR[message.author], text=message.text
    )
    shown.created_at.FromDatetime(message.created_at)
    return shown
