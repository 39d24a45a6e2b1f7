"""What can be booked, for how long, at what price, and when. Knows nothing of bookings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from booking.domain import texts
from booking.domain.clock import DAY_MINUTES, Lead
from booking.domain.operations import SEATING, Operation, refuse_unless_consistent
from booking.domain.terms import Terms
from booking.domain.turns import Turns, TurnTime, WeekdayTurns
from servicekit.errors import AppError, Kind, VersionMismatch, Violation
from servicekit.money import Money

_DEFAULT_SLOT_MINUTES = 15
_DEFAULT_ADVANCE_DAYS = 90
_LARGEST_PARTY = 1000
_MOST_MONEY = 100_000_000_000
"""What the contract lets one amount be, in minor units."""


class OfferingNotFound(AppError):
    """The venue has no such offering."""

    kind = Kind.NOT_FOUND
    reason = "OFFERING_NOT_FOUND"
    detail = "The venue has no such offering."


class OfferingInUse(AppError):
    """Somebody counts on the offering, so it stays.

    Metadata: `bookings`, how many live ones are to come, and `booking_ids`, the first 50 of them; `waiting`,
    how many wait for it, and `waitlist_entry_ids`, the first 50 of these.
    """

    kind = Kind.REFUSED
    reason = "OFFERING_IN_USE"
    detail = "Future bookings, or people who wait, count on this offering; see metadata."


class DepositNotPayable(AppError):
    """The deposit is in another currency than the venue's, of nothing, or larger than one amount can be."""

    kind = Kind.UNPROCESSABLE
    reason = "DEPOSIT_NOT_PAYABLE"
    detail = "No guest could pay this deposit; see errors."


class DepositWouldGrow(AppError):
    """A guest makes the party of a booking so large that it owes a larger deposit than it was asked for.

    Metadata: what it would owe, `deposit`, of which `missing` is asked for by nobody yet, in minor units of
    `currency`.
    """

    kind = Kind.REFUSED
    reason = "DEPOSIT_WOULD_GROW"
    detail = "A party of this size owes a larger deposit; see metadata. Ask the venue."


@dataclass(frozen=True, slots=True)
class DepositRule:
    """What is paid ahead by parties of `from_party` and more, and until when it is given back in full."""

    from_party: int
    per_person: Money
    free_cancellation_hours: int


@dataclass(frozen=True, slots=True)
class Filling:
    """How many seats a party that books online may leave empty."""

    max_empty_seats: int | None = None
    """None for any number."""
    last_fill_minutes: int = 0
    """From so many minutes before the start on, any number; 0 for never."""


@dataclass(frozen=True, slots=True)
class Offering:
    """What is booked."""

    id: UUID
    name: str
    turn_times: tuple[TurnTime, ...]
    deposit: DepositRule | None
    slot_minutes: int
    min_notice_minutes: int
    max_advance_days: int
    terms: Terms = field(default_factory=Terms)
    buffer_before_minutes: int = 0
    """How long what a visit occupies is occupied before it starts already."""
    buffer_after_minutes: int = 0
    """How long it stays occupied afterwards. Two visits are apart by this of one and that of the next."""
    notice_until: Lead | None = None
    """When booking ends, besides the elapsed minimum notice: both hold."""
    release: Lead | None = None
    """When a service date goes on sale, in place of the maximum advance."""
    weekday_turns: tuple[WeekdayTurns, ...] = ()
    """Other turn times on some weekdays of the service day."""
    operations: tuple[Operation, ...] = ()
    """What a visit consists of, one after another; none for one seating of the party."""
    filling: Filling = field(default_factory=Filling)
    version: int = 1
    """Rises with every change."""
    retired: bool = False
    """Whether it is off sale for good. Bookings that were made of it keep it."""

    @classmethod
    def add(
        cls,
        id: UUID,  # noqa: A002
        *,
        name: str,
        turn_times: Sequence[TurnTime],
        deposit: DepositRule | None,
        slot_minutes: int,
        min_notice_minutes: int,
        max_advance_days: int,
        currency: str,
        terms: Terms | None = None,
        buffer_before_minutes: int = 0,
        buffer_after_minutes: int = 0,
        notice_until: Lead | None = None,
        release: Lead | None = None,
        weekday_turns: Sequence[WeekdayTurns] = (),
        operations: Sequence[Operation] = (),
        filling: Filling | None = None,
    ) -> "Offering":
        """A new offering of a venue whose prices are in `currency`. 0 means 15 slot minutes, 90 days ahead.

        Raises:
            TurnTimesNotRising: a later one is not for larger parties.
            DepositNotPayable: in another currency, of nothing, or of more than one amount can hold.
            InvalidRequest: a blank name.
            Inconsistent: a price in another currency, or of more than one amount can hold; operations that
                need nothing, or whose roles mean different things.
        """
        turns = Turns(tuple(turn_times), tuple(weekday_turns))
        turns.refuse_unless_plain()
        if operations:
            refuse_unless_consistent(operations)
        offering = cls(
            id=id,
            name="",
            turn_times=tuple(turn_times),
            deposit=None,
            slot_minutes=0,
            min_notice_minutes=0,
            max_advance_days=0,
            weekday_turns=turns.weekdays,
            operations=tuple(operations),
            filling=filling or Filling(),
        ).keep_terms(name=name, deposit=deposit, terms=terms or Terms(), currency=currency)
        timed = offering.keep_times(
            slot_minutes=slot_minutes,
            min_notice_minutes=min_notice_minutes,
            max_advance_days=max_advance_days,
            buffer_before_minutes=buffer_before_minutes,
            buffer_after_minutes=buffer_after_minutes,
            notice_until=notice_until,
            release=release,
        )
        return replace(timed, version=1)

    def keep_terms(
        self, *, name: str, deposit: DepositRule | None, terms: Terms, currency: str
    ) -> "Offering":
        """With another name, price and terms, at a venue whose prices are in `currency`.

        Raises:
            DepositNotPayable, InvalidRequest, Inconsistent: as when it was added.
        """
        if terms.price_per_person is not None:
            _refuse_price(terms.price_per_person, currency=currency)
        if deposit is not None:
            _refuse_deposit(deposit, currency=currency, largest_party=self.turns.largest_party)
        return self._next(name=texts.name("/name", name), deposit=deposit, terms=terms)

    def keep_times(
        self,
        *,
        slot_minutes: int,
        min_notice_minutes: int,
        max_advance_days: int,
        buffer_before_minutes: int,
        buffer_after_minutes: int,
        notice_until: Lead | None,
        release: Lead | None,
    ) -> "Offering":
        """With other rules of time. 0 means 15 slot minutes, 90 days ahead.

        Raises:
            Inconsistent: the longest stay does not fit into a day together with its buffers.
        """
        if self.longest_minutes + buffer_before_minutes + buffer_after_minutes > DAY_MINUTES:
            texts.refuse("/buffer_after_minutes", "must fit into a day with the longest visit")
        return self._next(
            slot_minutes=slot_minutes or _DEFAULT_SLOT_MINUTES,
            min_notice_minutes=min_notice_minutes,
            max_advance_days=max_advance_days or _DEFAULT_ADVANCE_DAYS,
            buffer_before_minutes=buffer_before_minutes,
            buffer_after_minutes=buffer_after_minutes,
            notice_until=notice_until,
            release=release,
        )

    def keep_visit(
        self,
        *,
        turn_times: Sequence[TurnTime],
        weekday_turns: Sequence[WeekdayTurns],
        operations: Sequence[Operation],
        filling: Filling,
    ) -> "Offering":
        """With other durations and needs.

        Raises:
            TurnTimesNotRising, Inconsistent: as when it was added.
        """
        turns = Turns(tuple(turn_times), tuple(weekday_turns))
        turns.refuse_unless_plain()
        if operations:
            refuse_unless_consistent(operations)
        changed = replace(
            self,
            turn_times=turns.usual,
            weekday_turns=turns.weekdays,
            operations=tuple(operations),
            filling=filling,
        )
        if self.deposit is not None:
            currency = self.deposit.per_person.currency
            _refuse_deposit(self.deposit, currency=currency, largest_party=turns.largest_party)
        return changed.keep_times(
            slot_minutes=self.slot_minutes,
            min_notice_minutes=self.min_notice_minutes,
            max_advance_days=self.max_advance_days,
            buffer_before_minutes=self.buffer_before_minutes,
            buffer_after_minutes=self.buffer_after_minutes,
            notice_until=self.notice_until,
            release=self.release,
        )

    def refuse_unless_version(self, expected: int) -> None:
        """Raises VersionMismatch when somebody has changed it since; 0 expects nothing."""
        if expected and expected != self.version:
            raise VersionMismatch

    @property
    def turns(self) -> Turns:
        """How long a visit takes, or those of its operations that have no turn times of their own."""
        return Turns(self.turn_times, self.weekday_turns)

    @property
    def visit(self) -> tuple[Operation, ...]:
        """What a visit consists of, one after another."""
        return self.operations or SEATING

    @property
    def longest_minutes(self) -> int:
        """The longest that any visit takes, in elapsed minutes."""
        return sum((each.turns or self.turns).longest for each in self.visit)

    @property
    def occupied_minutes(self) -> int:
        """How long after the start of the longest visit something is still occupied."""
        return self.longest_minutes + self.buffer_after_minutes

    def stay_minutes(self, party_size: int, service_date: date) -> int | None:
        """Elapsed minutes that a party stays; None for one larger than every turn time of the weekday."""
        weekday, total = service_date.isoweekday(), 0
        for operation in self.visit:
            minutes = (operation.turns or self.turns).minutes(party_size, weekday)
            if minutes is None:
                return None
            total += minutes
        return total

    def stay_of_largest(self, service_date: date) -> int:
        """Elapsed minutes that the largest party stays on a service day."""
        weekday = service_date.isoweekday()
        return sum((each.turns or self.turns).of_largest(weekday) for each in self.visit)

    def deposit_for(self, party_size: int) -> Money | None:
        """What a party pays ahead; None for nothing."""
        if self.deposit is None or party_size < self.deposit.from_party:
            return None
        return self.deposit.per_person * party_size

    def refuse_growth(self, before: int, after: int, *, promised: Money | None) -> None:
        """Lets a guest change the party of a booking for which a deposit of `promised` was asked.

        Raises:
            PartyAsksFirst: it grows into a size that is asked for.
            DepositWouldGrow: it grows, and would owe more by the rule of today.
        """
        self.terms.refuse_growth(before, after)
        owed = self.deposit_for(after) if after > before else None
        asked = promised.amount if promised else 0
        if owed is not None and owed.amount > asked:
            raise DepositWouldGrow(
                metadata={
                    "deposit": str(owed.amount),
                    "missing": str(owed.amount - asked),
                    "currency": owed.currency,
                }
            )

    def _next(self, **changes: Any) -> "Offering":
        return replace(self, version=self.version + 1, **changes)


def _refuse_price(price: Money, *, currency: str) -> None:
    if price.currency != currency:
        texts.refuse("/price_per_person/currency", "must be the venue's currency")
    if not 0 <= price.amount * _LARGEST_PARTY <= _MOST_MONEY:
        texts.refuse("/price_per_person/amount", "must be payable by the largest party")


def _refuse_deposit(deposit: DepositRule, *, currency: str, largest_party: int) -> None:
    if deposit.per_person.currency != currency:
        raise DepositNotPayable(
            violations=[Violation("/deposit/per_person/currency", "must be the venue's currency")]
        )
    if not 0 < deposit.per_person.amount * largest_party <= _MOST_MONEY:
        raise DepositNotPayable(
            violations=[
                Violation("/deposit/per_person/amount", "must be positive and payable by the largest party")
            ]
        )
