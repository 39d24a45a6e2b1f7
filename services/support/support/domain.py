"""Tickets: what they are, and which steps they refuse. Never does I/O."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from servicekit.errors import AppError, InvalidRequest, Kind, Violation

_LAYOUT = frozenset("\n\t")


class TicketNotFound(AppError):
    """The ticket does not exist, or belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "TICKET_NOT_FOUND"
    detail = "There is no such ticket."


class MessageNotFound(AppError):
    """The message does not exist, or belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "MESSAGE_NOT_FOUND"
    detail = "There is no such message."


class TicketResolved(AppError):
    """The ticket is closed: it takes no answer and is not closed again."""

    kind = Kind.REFUSED
    reason = "TICKET_RESOLVED"
    detail = "This ticket is resolved."


class BookingErased(AppError):
    """The guest of the booking was erased (GDPR): nothing more is taken in about it."""

    kind = Kind.NOT_FOUND
    reason = "BOOKING_ERASED"
    detail = "This booking's guest was erased."


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    OPEN = "open"
    """Staff must act."""
    ANSWERED = "answered"
    RESOLVED = "resolved"


class MessageAuthor(StrEnum):
    """Who wrote a message."""

    GUEST = "guest"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Message:
    """What was written. It never changes."""

    id: UUID
    author: MessageAuthor
    staff_user_id: UUID | None
    """Which member wrote it; None for the guest."""
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """A support request about one booking."""

    id: UUID
    booking_id: UUID
    subject: str
    status: TicketStatus
    created_at: datetime
    resolved_at: datetime | None = None
    messages: tuple[Message, ...] = ()
    """Oldest first; left out where a list does not show them."""

    @classmethod
    def open(
        cls,
        id: UUID,  # noqa: A002
        *,
        booking_id: UUID,
        subject: str,
        message_id: UUID,
        text: str,
        now: datetime,
    ) -> "Ticket":
        """A guest's request, with its first message.

        Raises:
            InvalidRequest: subject or text is blank, or holds control characters.
        """
        message = Message(message_id, MessageAuthor.GUEST, None, _paragraphs("/text", text), now)
        return cls(id, booking_id, _line("/subject", subject), TicketStatus.OPEN, now, None, (message,))

    def answer(self, message_id: UUID, *, staff_user_id: UUID, text: str, now: datetime) -> "Ticket":
        """The ticket with a further message, by staff.

        Raises:
            TicketResolved: it is closed.
            InvalidRequest: the text is blank, or holds control characters.
        """
        self._refuse_resolved()
        message = Message(message_id, MessageAuthor.STAFF, staff_user_id, _paragraphs("/text", text), now)
        return replace(self, status=TicketStatus.ANSWERED, messages=(*self.messages, message))

    def resolve(self, now: datetime) -> "Ticket":
        """The ticket, closed.

        Raises:
            TicketResolved: it is closed already.
        """
        self._refuse_resolved()
        return replace(self, status=TicketStatus.RESOLVED, resolved_at=now)

    def _refuse_resolved(self) -> None:
        if self.status is TicketStatus.RESOLVED:
            raise TicketResolved


@dataclass(frozen=True, slots=True)
class MessageInContext:
    """A message, and what its ticket is about: all that a mail about it needs from here."""

    message: Message
    booking_id: UUID
    subject: str


def _line(pointer: str, text: str) -> str:
    """One line: it stands in the subject of a mail."""
    line = unicodedata.normalize("NFC", text.strip())
    if not line or _has_control_characters(line):
        raise InvalidRequest(violations=[Violation(pointer, "must be one line of text")])
    return line


def _paragraphs(pointer: str, text: str) -> str:
    """Plain text with line breaks and tabs, however they were typed."""
    paragraphs = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    if not paragraphs or _has_control_characters(set(paragraphs) - _LAYOUT):
        raise InvalidRequest(violations=[Violation(pointer, "must be text without control characters")])
    return paragraphs


def _has_control_characters(characters: Iterable[str]) -> bool:
    return any(unicodedata.category(each) == "Cc" for each in characters)
