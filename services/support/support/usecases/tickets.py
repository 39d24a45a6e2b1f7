"""What guests and staff do with tickets: one function per request, one transaction each."""

from uuid import UUID

from servicekit import idempotency, ids
from servicekit.paging import Page
from support import events
from support.app import App
from support.domain import BookingErased, MessageInContext, Ticket
from support.store import privacy as privacy_store
from support.store import tickets as store


async def open_ticket(
    app: App, manage_token: str, *, subject: str, text: str, key: idempotency.Key | None
) -> Ticket:
    """Opens a ticket about the link's booking, once for one `key`.

    Raises:
        AppError: booking refuses the token.
        BookingErased: the guest was erased while the link was looked at.
        InvalidRequest: subject or text is blank, or holds control characters.
        IdempotencyKeyReused: the key came with another request before.
    """
    booking = await app.bookings.resolve(manage_token)
    ticket_id = ids.new()
    async with app.db.begin(booking.organization_id) as tx:
        earlier = await idempotency.claim(tx, key, ticket_id)
        if earlier is not None:
            return await store.get_ticket(tx, earlier)
        if await privacy_store.is_erased(tx, booking.booking_id):
            raise BookingErased
        ticket = Ticket.open(
            ticket_id,
            booking_id=booking.booking_id,
            subject=subject,
            message_id=ids.new(),
            text=text,
            now=tx.now,
        )
        await store.insert_ticket(tx, ticket)
        await events.ticket_opened(tx, ticket)
    return ticket


async def list_managed_tickets(app: App, manage_token: str, page: Page) -> tuple[list[Ticket], str]:
    """A page of the tickets about the link's booking, with messages, oldest first, and the next token.

    Raises what booking refuses with, and InvalidPageToken.
    """
    booking = await app.bookings.resolve(manage_token)
    async with app.db.begin(booking.organization_id) as tx:
        return await store.page_of_tickets_of_booking(tx, booking.booking_id, page)


async def list_tickets(
    app: App, organization: UUID, page: Page, *, booking_id: UUID | None
) -> tuple[list[Ticket], str]:
    """A page of tickets, newest first, and the token of the next. Raises InvalidPageToken."""
    async with app.db.begin(organization) as tx:
        return await store.list_tickets(tx, page, booking_id=booking_id)


async def get_ticket(app: App, organization: UUID, ticket_id: UUID) -> Ticket:
    """A ticket with its messages. Raises TicketNotFound."""
    async with app.db.begin(organization) as tx:
        return await store.get_ticket(tx, ticket_id)


async def answer_ticket(
    app: App,
    organization: UUID,
    ticket_id: UUID,
    *,
    staff_user_id: UUID,
    text: str,
    key: idempotency.Key | None,
) -> Ticket:
    """Answers the guest, once for one `key`; a repetition gets the ticket as it stands by now.

    Raises:
        TicketNotFound: no such ticket.
        TicketResolved: it is closed.
        InvalidRequest: the text is blank, or holds control characters.
        IdempotencyKeyReused: the key came with another request before.
    """
    message_id = ids.new()
    async with app.db.begin(organization) as tx:
        if await idempotency.claim(tx, key, message_id) is not None:
            return await store.get_ticket(tx, ticket_id)
        ticket = await store.lock_ticket(tx, ticket_id)
        ticket = ticket.answer(message_id, staff_user_id=staff_user_id, text=text, now=tx.now)
        await store.save_ticket(tx, ticket, answer=ticket.messages[-1])
        await events.ticket_answered(tx, ticket, message_id)
    return ticket


async def resolve_ticket(app: App, organization: UUID, ticket_id: UUID) -> Ticket:
    """Closes a ticket.

    Raises:
        TicketNotFound: no such ticket.
        TicketResolved: it is closed already.
    """
    async with app.db.begin(organization) as tx:
        ticket = (await store.lock_ticket(tx, ticket_id)).resolve(tx.now)
        await store.save_ticket(tx, ticket)
    return ticket


async def describe_message(app: App, organization: UUID, message_id: UUID) -> MessageInContext:
    """A message with what its mail needs. Raises MessageNotFound."""
    async with app.db.begin(organization) as tx:
        return await store.get_message(tx, message_id)
