"""Who changed a booking, how, and why. What a change says of it, before and after, is computed here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from booking.domain import texts


class ActorKind(StrEnum):
    """Who changes a booking."""

    GUEST = "guest"
    MEMBER = "member"
    KEY = "key"
    """A program with an API key that may do what staff do."""
    CONNECTOR = "connector"
    """A program with an API key that books for guests, by the rules of guests."""
    OPERATOR = "operator"
    """Somebody who runs the platform and has access to the organization for a while, as staff have."""
    PAYMENT = "payment"
    CLOCK = "clock"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes a booking, for its history."""

    kind: ActorKind
    user: UUID | None = None
    """The member, the API key of a program, or the operator."""

    @property
    def is_staff(self) -> bool:
        """Whether they act for the venue, by the rules of staff."""
        return self.kind in (ActorKind.MEMBER, ActorKind.KEY, ActorKind.OPERATOR)


class CancelledBy(StrEnum):
    """Who called a booking off."""

    GUEST = "guest"
    VENUE = "venue"


class ChangeKind(StrEnum):
    """What happened to a booking."""

    REQUESTED = "requested"
    HELD = "held"
    CONFIRMED = "confirmed"
    DECLINED = "declined"
    MOVED = "moved"
    NOTED = "noted"
    ASSIGNED = "assigned"
    SWAPPED = "swapped"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    RESEATED = "reseated"
    DELAYED = "delayed"
    ARRIVED = "arrived"
    SEATED = "seated"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PAID_TOO_LATE = "paid_too_late"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why somebody did something: a word for programs, and a text that only staff see."""

    code: str = ""
    text: str = ""

    @classmethod
    def of(cls, code: str, text: str) -> "Reason":
        """A reason that somebody typed in. Raises InvalidRequest when the text holds control characters."""
        return cls(code, texts.several_lines("/reason", text))


NO_REASON = Reason()


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a booking's history."""

    version: int
    kind: ChangeKind
    actor: Actor
    at: datetime
    reason: Reason
    differences: Mapping[str, Any]
    """Field to [before, after]: `status`, `start`, `party_size`, `resource_ids`, `pinned`, `late_minutes`;
    and `overridden`, the rules that staff set aside."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An event, packed for the outbox."""

    id: UUID
    topic: str
    type: str
    payload: bytes
