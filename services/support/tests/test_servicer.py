"""The edge: who may call, what is refused how, and what a caller sees."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message

from comptoir.support.v1 import ticket_pb2, ticket_pb2_grpc
from servicekit import ids
from servicekit.errors import AppError, Kind
from servicekit.identity import Caller
from support.servicer import servicers
from testkit.callers import anonymous, member, service
from testkit.edge import Edge
from testkit.foreign_ids import compare
from testkit.plugin import StartEdge
from testkit.statements import costs_the_same

from .conftest import Desk

TICKETS = ticket_pb2_grpc.TicketServiceStub
DIRECTORY = ticket_pb2_grpc.TicketDirectoryServiceStub
_UNKNOWN = ids.show("tkt", UUID(int=1))

FOR_MEMBERS: dict[str, Callable[[str], Message]] = {
    "GetTicket": lambda ticket: ticket_pb2.GetTicketRequest(ticket_id=ticket),
    "AnswerTicket": lambda ticket: ticket_pb2.AnswerTicketRequest(ticket_id=ticket, text="No."),
    "ResolveTicket": lambda ticket: ticket_pb2.ResolveTicketRequest(ticket_id=ticket),
}


@pytest.fixture
async def edge(desk: Desk, rpc_edge: StartEdge) -> Edge:
    return await rpc_edge("support", servicers(desk.app), desk.app.db)


async def _refusal(
    edge: Edge, stub: Any, method: str, request: Message, caller: Caller | None = None
) -> tuple[Kind, str]:
    with pytest.raises(AppError) as refusal:
        await edge.call(stub, method, request, caller=caller)
    return refusal.value.kind, refusal.value.reason


async def _open(edge: Edge, token: str, *, key: str | None = None, text: str = "Are there nuts?") -> Any:
    request = ticket_pb2.OpenTicketRequest(token=token, subject="Allergies", text=text)
    return (await edge.call(TICKETS, "OpenTicket", request, idempotency_key=key)).ticket


async def test_a_guest_asks_staff_answer_and_the_guest_reads_it(edge: Edge, desk: Desk) -> None:
    booking = ids.new()
    link, staff = desk.link(booking), member(desk.organization, "host")
    opened = await _open(edge, link)
    assert opened.booking_id == ids.show("bkg", booking)
    assert opened.status == ticket_pb2.TICKET_STATUS_OPEN
    request = ticket_pb2.AnswerTicketRequest(ticket_id=opened.id, text="There are none.")
    answered = (await edge.call(TICKETS, "AnswerTicket", request, caller=staff)).ticket
    assert answered.status == ticket_pb2.TICKET_STATUS_ANSWERED
    seen = await edge.call(TICKETS, "ListManagedTickets", ticket_pb2.ListManagedTicketsRequest(token=link))
    assert list(seen.items) == [answered]
    assert [(message.author, message.text) for message in answered.messages] == [
        (ticket_pb2.MESSAGE_AUTHOR_GUEST, "Are there nuts?"),
        (ticket_pb2.MESSAGE_AUTHOR_STAFF, "There are none."),
    ]
    resolve = ticket_pb2.ResolveTicketRequest(ticket_id=opened.id)
    resolved = (await edge.call(TICKETS, "ResolveTicket", resolve, caller=staff)).ticket
    assert resolved.status == ticket_pb2.TICKET_STATUS_RESOLVED
    assert await _refusal(edge, TICKETS, "AnswerTicket", request, staff) == (Kind.REFUSED, "TICKET_RESOLVED")
    got = await edge.call(
        TICKETS, "GetTicket", ticket_pb2.GetTicketRequest(ticket_id=opened.id), caller=staff
    )
    assert got.ticket == resolved


async def test_staff_list_pages_and_filter_by_booking(edge: Edge, desk: Desk) -> None:
    booking = ids.new()
    opened = [await _open(edge, desk.link(booking)) for _ in range(2)]
    await _open(edge, desk.link())
    request = ticket_pb2.ListTicketsRequest(booking_id=ids.show("bkg", booking), page_size=1)
    staff = member(desk.organization, "viewer")
    first = await edge.call(TICKETS, "ListTickets", request, caller=staff)
    request.page_token = first.next_page_token
    second = await edge.call(TICKETS, "ListTickets", request, caller=staff)
    assert [ticket.id for ticket in (*first.items, *second.items)] == [opened[1].id, opened[0].id]
    assert second.next_page_token == ""
    request.booking_id = ""
    refusal = await _refusal(edge, TICKETS, "ListTickets", request, staff)
    assert refusal == (Kind.UNPROCESSABLE, "INVALID_PAGE_TOKEN")
    everything = await edge.call(TICKETS, "ListTickets", ticket_pb2.ListTicketsRequest(), caller=staff)
    assert len(everything.items) == len(opened) + 1


async def test_a_filter_that_is_no_booking_id_is_refused(edge: Edge, desk: Desk) -> None:
    request = ticket_pb2.ListTicketsRequest(booking_id="bkg_\x00")
    with pytest.raises(AppError) as refusal:
        await edge.call(TICKETS, "ListTickets", request, caller=member(desk.organization))
    assert refusal.value.reason == "INVALID_REQUEST"
    assert [violation.pointer for violation in refusal.value.violations] == ["/booking_id"]


async def test_a_repeated_key_answers_like_the_first(edge: Edge, desk: Desk) -> None:
    link = desk.link()
    assert await _open(edge, link, key="k") == await _open(edge, link, key="k")
    with pytest.raises(AppError) as refusal:
        await _open(edge, link, key="k", text="Is there milk?")
    assert refusal.value.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_an_answer_is_repeated_by_its_key_only(edge: Edge, desk: Desk) -> None:
    ticket, staff = await _open(edge, desk.link()), member(desk.organization)
    request = ticket_pb2.AnswerTicketRequest(ticket_id=ticket.id, text="None.")
    for key, messages in (("k", 2), ("k", 2), ("l", 3), (None, 4)):
        answer = await edge.call(TICKETS, "AnswerTicket", request, caller=staff, idempotency_key=key)
        assert len(answer.ticket.messages) == messages


async def test_booking_s_refusal_of_a_token_passes_through(edge: Edge) -> None:
    asking = ticket_pb2.OpenTicketRequest(token="made-up", subject="Nuts", text="Any?")
    reading = ticket_pb2.ListManagedTicketsRequest(token="made-up")
    refused = (Kind.NOT_FOUND, "MANAGE_TOKEN_INVALID")
    assert await _refusal(edge, TICKETS, "OpenTicket", asking) == refused
    assert await _refusal(edge, TICKETS, "ListManagedTickets", reading) == refused


@pytest.mark.parametrize("method", FOR_MEMBERS)
@pytest.mark.parametrize("text", [_UNKNOWN, "tkt_", "bkg_" + _UNKNOWN[4:], "\x00"])
async def test_an_unknown_ticket_is_not_found(edge: Edge, desk: Desk, method: str, text: str) -> None:
    refusal = await _refusal(edge, TICKETS, method, FOR_MEMBERS[method](text), member(desk.organization))
    assert refusal == (Kind.NOT_FOUND, "TICKET_NOT_FOUND")


@pytest.mark.parametrize("method", FOR_MEMBERS)
async def test_another_organization_s_ticket_is_not_found(edge: Edge, desk: Desk, method: str) -> None:
    ticket = await _open(edge, desk.link())
    stranger = member(ids.new())

    async def ask(ticket_id: str) -> None:
        refusal = await _refusal(edge, TICKETS, method, FOR_MEMBERS[method](ticket_id), stranger)
        assert refusal == (Kind.NOT_FOUND, "TICKET_NOT_FOUND")

    assert await costs_the_same(desk.app.db, ask, ticket.id, _UNKNOWN)


async def test_ids_of_others_cost_what_random_ones_cost(edge: Edge, desk: Desk) -> None:
    ticket = await _open(edge, desk.link())
    theirs = {"ticket_id": ticket.id, "booking_id": ticket.booking_id}
    compared = await compare(
        edge, desk.app.db, member(ids.new()), theirs, valid={"AnswerTicket": {"text": "Hello"}}
    )
    assert {each.method for each in compared} == {*FOR_MEMBERS, "ListTickets"}
    assert all(each.same_answer and each.same_work and each.looked for each in compared)


@pytest.mark.parametrize(
    ("method", "role"),
    [("GetTicket", "accountant"), ("AnswerTicket", "viewer"), ("ResolveTicket", "viewer")],
)
async def test_a_role_without_the_permission_is_denied(
    edge: Edge, desk: Desk, method: str, role: str
) -> None:
    caller = member(desk.organization, role)
    refusal = await _refusal(edge, TICKETS, method, FOR_MEMBERS[method](_UNKNOWN), caller)
    assert refusal == (Kind.DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("method", FOR_MEMBERS)
async def test_nobody_in_particular_is_not_staff(edge: Edge, method: str) -> None:
    refusal = await _refusal(edge, TICKETS, method, FOR_MEMBERS[method](_UNKNOWN), anonymous())
    assert refusal == (Kind.UNAUTHENTICATED, "UNAUTHENTICATED")


async def test_a_program_reads_tickets_and_answers_none(edge: Edge, desk: Desk) -> None:
    """What is said to a guest is said by somebody."""
    ticket = await _open(edge, desk.link())
    program = replace(member(desk.organization), user=None, session=None, key=ids.new())
    found = await edge.call(TICKETS, "GetTicket", FOR_MEMBERS["GetTicket"](ticket.id), caller=program)
    assert found.ticket == ticket
    answer = FOR_MEMBERS["AnswerTicket"](ticket.id)
    assert await _refusal(edge, TICKETS, "AnswerTicket", answer, program) == (
        Kind.DENIED,
        "PERMISSION_DENIED",
    )


async def test_notification_and_only_notification_reads_a_message(edge: Edge, desk: Desk) -> None:
    ticket = await _open(edge, desk.link())
    request = ticket_pb2.DescribeMessageRequest(message_id=ticket.messages[0].id)
    asking = service("notification", desk.organization)
    found = await edge.call(DIRECTORY, "DescribeMessage", request, caller=asking)
    assert (found.message, found.booking_id, found.subject) == (
        ticket.messages[0],
        ticket.booking_id,
        "Allergies",
    )
    others = service("payment", desk.organization)
    assert await _refusal(edge, DIRECTORY, "DescribeMessage", request, others) == (
        Kind.DENIED,
        "PERMISSION_DENIED",
    )


async def test_a_message_of_another_organization_is_not_found(edge: Edge, desk: Desk) -> None:
    ticket = await _open(edge, desk.link())
    elsewhere = service("notification", ids.new())
    for text in (ticket.messages[0].id, ids.show("tms", ids.new()), ticket.id):
        request = ticket_pb2.DescribeMessageRequest(message_id=text)
        refusal = await _refusal(edge, DIRECTORY, "DescribeMessage", request, elsewhere)
        assert refusal == (Kind.NOT_FOUND, "MESSAGE_NOT_FOUND")
