"""How long parties stay: by their size and, on some weekdays, otherwise. Elapsed minutes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from booking.domain import texts
from servicekit.errors import AppError, Kind, Violation


class TurnTimesNotRising(AppError):
    """A turn time is for parties no larger than those of the one before it."""

    kind = Kind.UNPROCESSABLE
    reason = "TURN_TIMES_NOT_RISING"
    detail = "Turn times must be given with rising max_party."


@dataclass(frozen=True, slots=True)
class TurnTime:
    """How many elapsed minutes a party of up to some size stays."""

    max_party: int
    minutes: int


@dataclass(frozen=True, slots=True)
class WeekdayTurns:
    """Other turn times for service days on some weekdays (ISO: 1 Monday to 7 Sunday)."""

    weekdays: tuple[int, ...]
    turn_times: tuple[TurnTime, ...]


@dataclass(frozen=True, slots=True)
class Turns:
    """The turn times of every weekday. A party larger than all of a day's is not taken on that day."""

    usual: tuple[TurnTime, ...]
    weekdays: tuple[WeekdayTurns, ...] = ()

    def refuse_unless_plain(self, pointer: str = "") -> None:
        """Raises TurnTimesNotRising, and Inconsistent for a weekday that has two of them."""
        _refuse_unless_rising(f"{pointer}/turn_times", self.usual)
        named: set[int] = set()
        for number, each in enumerate(self.weekdays):
            if not named.isdisjoint(each.weekdays):
                texts.refuse(f"{pointer}/weekday_turns/{number}/weekdays", "must not be named twice")
            named.update(each.weekdays)
            _refuse_unless_rising(f"{pointer}/weekday_turns/{number}/turn_times", each.turn_times)

    def minutes(self, party_size: int, weekday: int) -> int | None:
        """How long a party stays on a weekday; None for one larger than every turn time."""
        turns = self._of(weekday)
        return next((turn.minutes for turn in turns if party_size <= turn.max_party), None)

    def of_largest(self, weekday: int) -> int:
        """How long the largest party stays on a weekday."""
        return self._of(weekday)[-1].minutes

    @property
    def longest(self) -> int:
        """The longest that any party stays on any day."""
        return max(turn.minutes for turns in self._all() for turn in turns)

    @property
    def largest_party(self) -> int:
        """The largest party that is taken on some day."""
        return max(turns[-1].max_party for turns in self._all())

    def _of(self, weekday: int) -> tuple[TurnTime, ...]:
        for each in self.weekdays:
            if weekday in each.weekdays:
                return each.turn_times
        return self.usual

    def _all(self) -> list[tuple[TurnTime, ...]]:
        return [self.usual, *(each.turn_times for each in self.weekdays)]


def _refuse_unless_rising(pointer: str, turn_times: Iterable[TurnTime]) -> None:
    sizes = [turn.max_party for turn in turn_times]
    if any(later <= earlier for earlier, later in pairwise(sizes)):
        raise TurnTimesNotRising(violations=[Violation(pointer, "must have rising max_party")])
