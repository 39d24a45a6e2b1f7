"""What an offering costs and under which terms it is booked: kept with each booking as they stood."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from booking.domain import texts
from servicekit.errors import AppError, Kind
from servicekit.money import Money

_DEFAULT_GRACE_MINUTES = 30
_DEFAULT_ANSWER_HOURS = 24
_DEFAULT_PAYMENT_HOURS = 24


class PartyAsksFirst(AppError):
    """A guest makes the party of a booking so large that the venue wants to be asked first."""

    kind = Kind.REFUSED
    reason = "PARTY_ASKS_FIRST"
    detail = "A party of this size has to be asked for. Ask the venue."


@dataclass(frozen=True, slots=True)
class RequestRule:
    """Parties of `from_party` and more ask first. A `from_party` of 1 means everybody."""

    from_party: int
    answer_hours: int = _DEFAULT_ANSWER_HOURS
    holds_capacity: bool = False
    """Whether the room is kept while staff think about it."""
    payment_hours: int = _DEFAULT_PAYMENT_HOURS
    """How long a deposit may take once staff said yes."""

    @classmethod
    def of(
        cls, *, from_party: int, answer_hours: int, holds_capacity: bool, payment_hours: int
    ) -> "RequestRule":
        """A rule as an owner sets it up; 0 hours mean 24."""
        return cls(
            from_party,
            answer_hours or _DEFAULT_ANSWER_HOURS,
            holds_capacity,
            payment_hours or _DEFAULT_PAYMENT_HOURS,
        )

    def answer_by(self, *, start: datetime, now: datetime) -> datetime:
        """When a request made `now` runs out: never after its start."""
        return min(now + timedelta(hours=self.answer_hours), start)

    def pay_by(self, *, start: datetime, now: datetime) -> datetime:
        """When the room of a request that was confirmed `now` is given up without a deposit."""
        return min(now + timedelta(hours=self.payment_hours), start)


@dataclass(frozen=True, slots=True)
class Terms:
    """Price, rules of asking first, and rules of coming late."""

    price_per_person: Money | None = None
    policy: str = ""
    """In the venue's words, for guests."""
    requests: RequestRule | None = None
    grace_minutes: int | None = _DEFAULT_GRACE_MINUTES
    """After the start, before a guest who did not arrive counts as missed; None leaves that to staff."""
    no_show_percent: int | None = None
    """How much of a paid deposit is kept of a guest who does not come; None for all of it."""

    @classmethod
    def of(
        cls,
        *,
        price_per_person: Money | None,
        policy: str,
        requests: RequestRule | None,
        grace_minutes: int | None,
        no_show_percent: int | None = None,
    ) -> "Terms":
        """Terms as an owner sets them up; a grace of 0 means 30 minutes.

        Raises:
            InvalidRequest: the policy holds control characters.
        """
        grace = grace_minutes or _DEFAULT_GRACE_MINUTES if grace_minutes is not None else None
        return cls(price_per_person, texts.several_lines("/policy", policy), requests, grace, no_show_percent)

    def asks_first(self, party_size: int) -> bool:
        """Whether a party of this size is asked for instead of booked."""
        return self.requests is not None and party_size >= self.requests.from_party

    @property
    def keeps_room(self) -> bool:
        """Whether the room of a request is kept while staff think about it."""
        return self.requests is not None and self.requests.holds_capacity

    def refuse_growth(self, before: int, after: int) -> None:
        """Raises PartyAsksFirst when a party grows into a size that is asked for."""
        if self.asks_first(after) and not self.asks_first(before):
            raise PartyAsksFirst
