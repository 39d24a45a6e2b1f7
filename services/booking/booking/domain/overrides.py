"""The rules that staff may set aside for a booking, with a reason. What is occupied is never set aside."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from booking.domain import texts
from servicekit.errors import AppError, Kind


class Rule(StrEnum):
    """A rule that a booking may be excepted from."""

    CLOSED = "closed"
    NOTICE = "notice"
    ADVANCE = "advance"
    PACING = "pacing"
    PARTY_SIZE = "party_size"


class OverrideDenied(AppError):
    """Only members who may change bookings set rules aside, and only at their own venues."""

    kind = Kind.DENIED
    reason = "OVERRIDE_DENIED"
    detail = "Only staff of the venue may set rules aside."


@dataclass(frozen=True, slots=True)
class Override:
    """Rules set aside for one booking, and why."""

    rules: frozenset[Rule]
    reason: str

    @classmethod
    def of(cls, rules: Iterable[Rule], reason: str) -> "Override":
        """An exception. InvalidRequest for a blank reason."""
        return cls(frozenset(rules), texts.name("/override/reason", reason))
