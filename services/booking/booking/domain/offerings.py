"""What can be booked, for how long, at what price, and when. Knows nothing of bookings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from booking.domain import texts
from servicekit.errors import AppError, Kind, Violation
from servicekit.money import Money

DAY_MINUTES = 1440
_WEEK_MINUTES = 7 * DAY_MINUTES
_DEFAULT_SLOT_MINUTES = 15
_DEFAULT_ADVANCE_DAYS = 90
_MOST_MONEY = 100_000_000_000
"""What the contract lets one amount be, in minor units."""


class OfferingNotFound(AppError):
    """The venue has no such offering."""

    kind = Kind.NOT_FOUND
    reason = "OFFERING_NOT_FOUND"
    detail = "The venue has no such offering."


class ShiftsOverlap(AppError):
    """The offering has a shift that is open at the same time."""

    kind = Kind.REFUSED
    reason = "SHIFTS_OVERLAP"
    detail = "The offering has a shift at the same time already."


class TurnTimesNotRising(AppError):
    """A turn time is for parties no larger than those of the one before it."""

    kind = Kind.UNPROCESSABLE
    reason = "TURN_TIMES_NOT_RISING"
    detail = "Turn times must be given with rising max_party."


class DepositNotPayable(AppError):
    """The deposit is in another currency than the venue's, of nothing, or larger than one amount can be."""

    kind = Kind.UNPROCESSABLE
    reason = "DEPOSIT_NOT_PAYABLE"
    detail = "No guest could pay this deposit; see errors."


class LastStartOutsideShift(AppError):
    """The last start is not before the closing."""

    kind = Kind.UNPROCESSABLE
    reason = "LAST_START_OUTSIDE_SHIFT"
    detail = "The last start must be between the opening and the closing."


@dataclass(frozen=True, slots=True)
class TurnTime:
    """How many elapsed minutes a party of up to some size stays."""

    max_party: int
    minutes: int


@dataclass(frozen=True, slots=True)
class DepositRule:
    """What is paid ahead by parties of `from_party` and more, and until when it is given back in full."""

    from_party: int
    per_person: Money
    free_cancellation_hours: int


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
    ) -> "Offering":
        """A new offering of a venue whose prices are in `currency`. 0 means 15 slot minutes, 90 days ahead.

        Raises:
            TurnTimesNotRising: a later one is not for larger parties.
            DepositNotPayable: in another currency, of nothing, or of more than one amount can hold.
            InvalidRequest: a blank name.
        """
        sizes = [turn.max_party for turn in turn_times]
        if any(later <= earlier for earlier, later in pairwise(sizes)):
            raise TurnTimesNotRising(violations=[Violation("/turn_times", "must have rising max_party")])
        if deposit is not None:
            _refuse_deposit(deposit, currency=currency, largest_party=sizes[-1])
        return cls(
            id=id,
            name=texts.name("/name", name),
            turn_times=tuple(turn_times),
            deposit=deposit,
            slot_minutes=slot_minutes or _DEFAULT_SLOT_MINUTES,
            min_notice_minutes=min_notice_minutes,
            max_advance_days=max_advance_days or _DEFAULT_ADVANCE_DAYS,
        )

    def turn_minutes(self, party_size: int) -> int | None:
        """Elapsed minutes that a party stays; None for one larger than every turn time."""
        return next((turn.minutes for turn in self.turn_times if party_size <= turn.max_party), None)

    def deposit_for(self, party_size: int) -> Money | None:
        """What a party pays ahead; None for nothing."""
        if self.deposit is None or party_size < self.deposit.from_party:
            return None
        return self.deposit.per_person * party_size


@dataclass(frozen=True, slots=True)
class Shift:
    """When an offering can be booked: one window on each of some weekdays of the service day.

    Times are minutes after local midnight of the service day; those of the next morning are 1440 and more.
    The window is half-open; a party that starts by `last_start` may stay beyond `closes`.
    """

    id: UUID
    offering_id: UUID
    weekdays: tuple[int, ...]
    """ISO: 1 Monday to 7 Sunday."""
    opens: int
    last_start: int
    closes: int

    @classmethod
    def add(
        cls,
        id: UUID,  # noqa: A002
        *,
        offering_id: UUID,
        weekdays: Iterable[int],
        opens: str,
        last_start: str,
        closes: str,
    ) -> "Shift":
        """A new shift from local times "HH:MM".

        A last start before the opening is after midnight; so is a closing that is not later than it.

        Raises:
            LastStartOutsideShift: the last start is not before the closing.
        """
        opening, last, closing = (_minutes(text) for text in (opens, last_start, closes))
        if last < opening:
            last += DAY_MINUTES
        if closing <= opening:
            closing += DAY_MINUTES
        if last >= closing:
            raise LastStartOutsideShift(
                violations=[Violation("/last_start", "must be between the opening and the closing")]
            )
        return cls(id, offering_id, tuple(sorted(set(weekdays))), opening, last, closing)

    def overlaps(self, other: "Shift") -> bool:
        """Whether both are open at some minute of the week."""
        return any(
            mine < theirs + other.closes - other.opens and theirs < mine + self.closes - self.opens
            for mine in self.openings()
            for opening in other.openings()
            for theirs in (opening - _WEEK_MINUTES, opening, opening + _WEEK_MINUTES)
        )

    def openings(self) -> list[int]:
        """When it opens, in minutes after Monday 00:00."""
        return [(weekday - 1) * DAY_MINUTES + self.opens for weekday in self.weekdays]


def clock_time(minutes: int) -> str:
    """Minutes after the service day's midnight as a local time: "19:00"; "24:00" is the midnight after."""
    if minutes == DAY_MINUTES:
        return "24:00"
    return f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


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
