"""Webhooks: endpoints, deliveries, what an answer means, and when to try again (Standard Webhooks 1.0.0)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

MOST_ENDPOINTS = 20
"""Of one organization: every event goes to each of them."""
DISABLED_AFTER = timedelta(days=5)
"""Of nothing but failures."""
JITTER = 0.2
_LONGEST_RETRY_AFTER = timedelta(hours=24)
_GONE = 410


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PartnerEvent:
    """A fact as partners see it: thin, without personal data."""

    type: str
    """Like "booking.confirmed"."""
    time: datetime
    data: Mapping[str, Any]
    """JSON."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A partner's URL."""

    id: UUID
    organization: UUID
    url: str
    event_types: tuple[str, ...]
    """Empty for all."""
    sealed_secret: bytes
    """The signing secret, encrypted."""
    created_at: datetime
    disabled: bool = False
    failing_since: datetime | None = None
    """When the first of the latest unbroken row of failures was."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try."""

    attempted_at: datetime
    response_status: int
    """0 when no answer came."""
    error: str
    """A word; empty on success."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one endpoint."""

    id: UUID
    endpoint: UUID
    event_type: str
    status: DeliveryStatus
    attempts: Sequence[Attempt]
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery about to be tried: what must be posted where."""

    delivery: UUID
    endpoint: Endpoint
    body: bytes
    attempts: int
    """Tries so far, this one included."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try went."""

    status: int
    """HTTP status; 0 when none came."""
    error: str
    """A word; empty on success."""
    retry_after: timedelta | None = None
    """What the partner asked for."""

    @property
    def accepted(self) -> bool:
        """Only 2xx is success; a redirect is a failure and never followed."""
        return not self.error

    @property
    def gone(self) -> bool:
        """The partner wants no more."""
        return self.status == _GONE


def next_try(
    schedule: Sequence[timedelta], attempts: int, answer: Answer, *, jitter: float
) -> timedelta | None:
    """The wait before the next try, or None when there is none left.

    `jitter` is a factor around 1. Retry-After may make the wait longer, up to a day, never shorter.
    """
    if answer.gone or attempts > len(schedule):
        return None
    wait = schedule[attempts - 1] * jitter
    asked = min(answer.retry_after or timedelta(), _LONGEST_RETRY_AFTER)
    return max(wait, asked)
