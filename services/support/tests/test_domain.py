"""The steps of a ticket, and what they refuse."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from servicekit import ids
from servicekit.errors import InvalidRequest
from support.domain import MessageAuthor, Ticket, TicketResolved, TicketStatus

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
STAFF = ids.new()


def _ticket(*, subject: str = "Allergies", text: str = "Are there nuts?") -> Ticket:
    return Ticket.open(
        ids.new(), booking_id=ids.new(), subject=subject, message_id=ids.new(), text=text, now=NOW
    )


def _answer(ticket: Ticket, message_id: UUID | None = None) -> Ticket:
    return ticket.answer(message_id or ids.new(), staff_user_id=STAFF, text="There are none.", now=LATER)


def test_a_new_ticket_is_open_and_holds_what_the_guest_wrote() -> None:
    ticket = _ticket()
    (message,) = ticket.messages
    assert (ticket.status, ticket.created_at, ticket.resolved_at) == (TicketStatus.OPEN, NOW, None)
    assert (message.author, message.staff_user_id, message.text) == (
        MessageAuthor.GUEST,
        None,
        "Are there nuts?",
    )


def test_an_answer_is_added_behind_what_was_written() -> None:
    ticket = _ticket()
    answered = _answer(_answer(ticket))
    assert answered.status is TicketStatus.ANSWERED
    assert answered.messages[0] == ticket.messages[0]
    assert [message.author for message in answered.messages[1:]] == [MessageAuthor.STAFF] * 2
    assert answered.messages[1].staff_user_id == STAFF


@pytest.mark.parametrize("answered", [False, True])
def test_a_ticket_is_resolved_whether_it_was_answered_or_not(answered: bool) -> None:  # noqa: FBT001
    ticket = _answer(_ticket()) if answered else _ticket()
    resolved = ticket.resolve(LATER)
    assert (resolved.status, resolved.resolved_at) == (TicketStatus.RESOLVED, LATER)


def test_a_resolved_ticket_refuses_an_answer() -> None:
    with pytest.raises(TicketResolved):
        _answer(_ticket().resolve(LATER))


def test_a_resolved_ticket_is_not_resolved_again() -> None:
    with pytest.raises(TicketResolved):
        _ticket().resolve(LATER).resolve(LATER)


@pytest.mark.parametrize("subject", ["", "  \t ", "two\nlines", "nul\x00", "Bcc:\r\nx", "next\x85line"])
def test_a_subject_is_one_line(subject: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _ticket(subject=subject)
    assert [violation.pointer for violation in refusal.value.violations] == ["/subject"]


@pytest.mark.parametrize("text", ["", " \n\n ", "nul\x00", "bell\x07"])
def test_a_text_says_something_and_holds_no_control_characters(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        _ticket(text=text)
    assert [violation.pointer for violation in refusal.value.violations] == ["/text"]


def test_an_answer_is_checked_like_a_question() -> None:
    with pytest.raises(InvalidRequest):
        _ticket().answer(ids.new(), staff_user_id=STAFF, text=" ", now=LATER)


def test_line_breaks_and_accents_have_one_form() -> None:
    ticket = _ticket(subject=" Re\u0301servation ", text="\r\none\r\n\ttwo\rthree \n")
    assert ticket.subject == "R\u00e9servation"
    assert ticket.messages[0].text == "one\n\ttwo\nthree"
