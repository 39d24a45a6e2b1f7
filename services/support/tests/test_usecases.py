"""Tickets on a real database: what is kept, what is said to others, and what races cannot break."""

import asyncio

import pytest
import sqlalchemy as sa

from comptoir.support.v1 import events_pb2
from servicekit import idempotency, ids, paging
from servicekit.errors import AppError, IdempotencyKeyReused, InvalidPageToken, InvalidRequest
from servicekit.idempotency import Key
from support.app import App
from support.domain import MessageNotFound, Ticket, TicketNotFound, TicketResolved, TicketStatus
from support.store import tickets as store
from support.tables import MESSAGES, TICKETS
from support.usecases import tickets as usecases
from testkit.outbox import published
from testkit.paging import WHOLE

from .conftest import Desk

_GUESTS = 8


async def _list(desk: Desk, *, size: int = 0, token: str = "") -> tuple[list[Ticket], str]:
    page = paging.page(size, token, "", keys=2)
    return await usecases.list_tickets(desk.app, desk.organization, page, booking_id=None)


async def _count(app: App, table: sa.Table) -> int:
    async with app.db.begin_platform(reason="count rows in a test") as tx:
        return len((await tx.execute(sa.select(table))).all())


async def test_an_opened_ticket_is_kept_and_announced(desk: Desk) -> None:
    booking = ids.new()
    ticket = await desk.open(desk.link(booking))
    assert await usecases.get_ticket(desk.app, desk.organization, ticket.id) == ticket
    assert ticket.booking_id == booking
    assert await published(desk.app.db) == [
        events_pb2.TicketOpened(ticket_id=ids.show("tkt", ticket.id), booking_id=ids.show("bkg", booking))
    ]


async def test_a_token_that_booking_refuses_opens_nothing(desk: Desk) -> None:
    with pytest.raises(AppError) as refusal:
        await desk.open("somebody-else-s-token")
    assert refusal.value.reason == "MANAGE_TOKEN_INVALID"
    with pytest.raises(AppError) as refusal:
        await usecases.list_managed_tickets(desk.app, "somebody-else-s-token", WHOLE)
    assert refusal.value.reason == "MANAGE_TOKEN_INVALID"
    assert await _count(desk.app, TICKETS) == 0


async def test_a_refused_text_leaves_no_trace_and_frees_the_key(desk: Desk) -> None:
    key, link = Key("k", b"request"), desk.link()
    with pytest.raises(InvalidRequest):
        await usecases.open_ticket(desk.app, link, subject="Nuts", text="\x00", key=key)
    assert await _count(desk.app, TICKETS) == 0
    await usecases.open_ticket(desk.app, link, subject="Nuts", text="Any?", key=key)
    assert await _count(desk.app, TICKETS) == 1


async def _open_at_once(desk: Desk, key: idempotency.Key | None) -> set[Ticket]:
    link = desk.link()
    tickets = await asyncio.gather(
        *(usecases.open_ticket(desk.app, link, subject="Nuts", text="Any?", key=key) for _ in range(_GUESTS))
    )
    return set(tickets)


async def test_a_key_opens_one_ticket_however_often_it_is_sent(desk: Desk) -> None:
    assert len(await _open_at_once(desk, Key("k", b"request"))) == 1
    assert await _count(desk.app, TICKETS) == await _count(desk.app, MESSAGES) == 1
    assert len(await published(desk.app.db)) == 1


async def test_without_a_key_every_request_opens_its_own_ticket(desk: Desk) -> None:
    assert len(await _open_at_once(desk, None)) == _GUESTS
    assert await _count(desk.app, TICKETS) == _GUESTS


async def test_another_request_with_the_same_key_is_refused(desk: Desk) -> None:
    link = desk.link()
    await usecases.open_ticket(desk.app, link, subject="Nuts", text="Any?", key=Key("k", b"one"))
    with pytest.raises(IdempotencyKeyReused):
        await usecases.open_ticket(desk.app, link, subject="Milk", text="Any?", key=Key("k", b"two"))


async def test_an_answer_is_kept_and_announced_behind_the_question(desk: Desk) -> None:
    ticket = await desk.open()
    answered = await desk.answer(ticket)
    assert await usecases.get_ticket(desk.app, desk.organization, ticket.id) == answered
    assert answered.status is TicketStatus.ANSWERED
    assert (await published(desk.app.db))[-1] == events_pb2.TicketAnswered(
        ticket_id=ids.show("tkt", ticket.id),
        booking_id=ids.show("bkg", ticket.booking_id),
        message_id=ids.show("tms", answered.messages[-1].id),
    )


async def test_an_answer_sent_twice_is_one_answer_even_after_the_ticket_was_resolved(desk: Desk) -> None:
    ticket, key = await desk.open(), Key("k", b"request")

    async def answer() -> Ticket:
        return await usecases.answer_ticket(
            desk.app, desk.organization, ticket.id, staff_user_id=desk.staff, text="None.", key=key
        )

    first, second = await asyncio.gather(answer(), answer())
    await usecases.resolve_ticket(desk.app, desk.organization, ticket.id)
    third = await answer()
    assert first.messages == second.messages == third.messages
    assert third.status is TicketStatus.RESOLVED
    assert len(await published(desk.app.db)) == len(["opened", "answered"])


async def test_a_resolved_ticket_takes_no_answer_and_says_nothing_more(desk: Desk) -> None:
    ticket = await desk.open()
    resolved = await usecases.resolve_ticket(desk.app, desk.organization, ticket.id)
    with pytest.raises(TicketResolved):
        await desk.answer(ticket)
    assert await usecases.get_ticket(desk.app, desk.organization, ticket.id) == resolved
    assert len(await published(desk.app.db)) == len(["opened"])


async def test_of_many_who_resolve_one_ticket_one_does(desk: Desk) -> None:
    ticket = await desk.open()
    attempts = (usecases.resolve_ticket(desk.app, desk.organization, ticket.id) for _ in range(_GUESTS))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, Ticket) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TicketResolved) for outcome in outcomes) == _GUESTS - 1


async def test_control_without_the_lock_a_closed_ticket_is_answered(desk: Desk) -> None:
    """What `lock_ticket` is for: with `get_ticket` in its place the answer slips behind the resolution."""
    ticket = await desk.open()
    async with desk.app.db.begin(desk.organization) as tx:
        seen = await store.get_ticket(tx, ticket.id)
        await usecases.resolve_ticket(desk.app, desk.organization, ticket.id)
        late = seen.answer(ids.new(), staff_user_id=desk.staff, text="Too late.", now=tx.now)
        await store.save_ticket(tx, late, answer=late.messages[-1])
    broken = await usecases.get_ticket(desk.app, desk.organization, ticket.id)
    assert (broken.status, len(broken.messages)) == (TicketStatus.ANSWERED, 2)


async def test_an_answer_waits_for_a_resolution_in_flight_and_is_refused(desk: Desk) -> None:
    ticket = await desk.open()
    async with desk.app.db.begin(desk.organization) as tx:
        locked = await store.lock_ticket(tx, ticket.id)
        answering = asyncio.create_task(desk.answer(ticket))
        done, _ = await asyncio.wait([answering], timeout=0.3)
        assert not done
        await store.save_ticket(tx, locked.resolve(tx.now))
    with pytest.raises(TicketResolved):
        await answering


async def test_lists_are_newest_first_in_pages_without_messages(desk: Desk) -> None:
    opened = [await desk.open(subject=f"Question {number}") for number in range(5)]
    first, token = await _list(desk, size=2)
    second, token = await _list(desk, size=2, token=token)
    await desk.open(subject="Asked while somebody turns pages")
    third, end = await _list(desk, size=2, token=token)
    assert [ticket.id for ticket in first + second + third] == [ticket.id for ticket in reversed(opened)]
    assert not any(ticket.messages for ticket in first + second + third)
    assert end == ""


async def test_tickets_opened_at_one_instant_are_all_on_some_page(desk: Desk) -> None:
    opened = [await desk.open() for _ in range(3)]
    async with desk.app.db.begin(desk.organization) as tx:
        await tx.execute(sa.update(TICKETS).values(created_at=tx.now))
    seen, token = await _list(desk, size=2)
    rest, end = await _list(desk, size=2, token=token)
    assert {ticket.id for ticket in seen + rest} == {ticket.id for ticket in opened}
    assert (len(seen), len(rest), end) == (2, 1, "")


@pytest.mark.parametrize("position", [("yesterday", "x"), ("2027-01-01T00:00:00", "0" * 32), ("", "")])
async def test_a_made_up_page_token_is_refused(desk: Desk, position: tuple[str, str]) -> None:
    token = paging.page(0, "", "", keys=2).next_token(position)
    with pytest.raises(InvalidPageToken):
        await _list(desk, token=token)


async def test_a_booking_s_tickets_are_found_by_staff_and_by_its_guest(desk: Desk) -> None:
    booking = ids.new()
    link = desk.link(booking)
    first = await desk.answer(await desk.open(link))
    await desk.open()
    second = await desk.open(link)
    page = paging.page(0, "", keys=2)
    listed, _ = await usecases.list_tickets(desk.app, desk.organization, page, booking_id=booking)
    assert [ticket.id for ticket in listed] == [second.id, first.id]
    assert (await usecases.list_managed_tickets(desk.app, link, WHOLE))[0] == [first, second]
    assert (await usecases.list_managed_tickets(desk.app, desk.link(), WHOLE))[0] == []


async def test_a_message_is_described_with_what_its_mail_needs(desk: Desk) -> None:
    ticket = await desk.answer(await desk.open())
    found = await usecases.describe_message(desk.app, desk.organization, ticket.messages[-1].id)
    assert (found.message, found.booking_id, found.subject) == (
        ticket.messages[-1],
        ticket.booking_id,
        ticket.subject,
    )


async def test_another_organization_finds_nothing(desk: Desk) -> None:
    ticket, other = await desk.open(), desk.elsewhere()
    with pytest.raises(TicketNotFound):
        await usecases.get_ticket(desk.app, other.organization, ticket.id)
    with pytest.raises(TicketNotFound):
        await other.answer(ticket)
    with pytest.raises(TicketNotFound):
        await usecases.resolve_ticket(desk.app, other.organization, ticket.id)
    with pytest.raises(MessageNotFound):
        await usecases.describe_message(desk.app, other.organization, ticket.messages[0].id)
    assert (await _list(other))[0] == []
