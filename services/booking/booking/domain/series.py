"""A series: bookings that repeat by a rule. Each is an ordinary booking, and may go its own way."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar
from booking.domain.bookings import Booking, Guest, Status, Step
from booking.domain.recurrence import (
    LONGEST,
    MOST_OCCURRENCES,
    Frequency,
    Recurrence,
    RecurrenceEmpty,
    RecurrenceNotSupported,
    RecurrenceTooLong,
)
from servicekit.errors import AppError, Kind, VersionMismatch, Violation

_GONE = frozenset({Status.CANCELLED, Status.DECLINED, Status.EXPIRED})


class SeriesNotFound(AppError):
    """No series has this id, or it belongs to another organization."""

    kind = Kind.NOT_FOUND
    reason = "SERIES_NOT_FOUND"
    detail = "There is no such series."


class OccurrenceNotFound(AppError):
    """The series has no occurrence on this day, or none that was booked."""

    kind = Kind.NOT_FOUND
    reason = "OCCURRENCE_NOT_FOUND"
    detail = "The series has no such occurrence."


class SeriesOver(AppError):
    """Every occurrence that is meant has begun, or is called off."""

    kind = Kind.REFUSED
    reason = "SERIES_OVER"
    detail = "Nothing of the series is still to come."


class SeriesNeedsDeposit(AppError):
    """The offering wants a deposit of a party of this size, and a series is not paid ahead."""

    kind = Kind.REFUSED
    reason = "SERIES_NEEDS_DEPOSIT"
    detail = "This offering wants a deposit from such a party: book each date by itself."


class SeriesConflicts(AppError):
    """Some occurrences cannot be had, and all or nothing was asked for; or none can.

    Metadata: `conflicts`, each with its day and why: "2027-10-31 SLOT_TAKEN,2027-11-07 SLOT_CLOSED".
    """

    kind = Kind.CONFLICT
    reason = "SERIES_CONFLICTS"
    detail = "Some dates of the series cannot be had; nothing was changed."


class Scope(StrEnum):
    """How much of a series a change means."""

    THIS = "this"
    THIS_AND_FOLLOWING = "this_and_following"
    ALL = "all"


class OccurrenceState(StrEnum):
    """What became of an occurrence."""

    BOOKED = "booked"
    """As the series says."""
    CHANGED = "changed"
    """At another time or for another party than the series says."""
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """It could not be had when the series was made."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """An occurrence that cannot be had, and the refusal that a booking of it would meet."""

    date: date
    reason: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a series is: a rule, a first day and the time that the venue's clocks show."""

    rule: Recurrence
    first: date
    time: time
    excluded: tuple[date, ...] = ()
    """Days of the rule that are left out (EXDATE)."""
    added: tuple[date, ...] = ()
    """Days besides the rule (RDATE)."""

    @classmethod
    def plan(
        cls, rule: Recurrence, first: datetime, *, excluded: Iterable[date] = (), added: Iterable[date] = ()
    ) -> "Schedule":
        """A schedule that begins with `first`, a local time.

        Raises:
            RecurrenceStartsOffRule, RecurrenceTooLong, RecurrenceEmpty: see there.
            RecurrenceNotSupported: a day is added before the first one, or ten years after it.
        """
        schedule = cls(rule, first.date(), first.time(), _days(excluded), _days(added))
        if any(not schedule.first <= day <= schedule.first + LONGEST for day in schedule.added):
            raise RecurrenceNotSupported(
                violations=[Violation("/added_dates", "must be within ten years from the first start")]
            )
        days = schedule.dates()
        if not days:
            raise RecurrenceEmpty
        if len(days) > MOST_OCCURRENCES:
            raise RecurrenceTooLong
        return schedule

    def dates(self) -> list[date]:
        """Every day of it, rising."""
        return sorted({*self.rule.dates(self.first), *self.added} - {*self.excluded})

    def before(self, day: date) -> "Schedule":
        """What is of it before a day. A rule that is over by then stays: it is not made longer."""
        return replace(
            self,
            rule=self.rule.before(day) if self.rule.dates(self.first)[-1] >= day else self.rule,
            excluded=tuple(each for each in self.excluded if each < day),
            added=tuple(each for each in self.added if each < day),
        )

    def since(self, day: date) -> "Schedule":
        """What is of it from a day on; there must be something. With `before`, all that it was."""
        rest = [each for each in self.rule.dates(self.first) if each >= day]
        excluded = tuple(each for each in self.excluded if each >= day)
        added = tuple(each for each in self.added if each >= day)
        if rest:
            rule = self.rule.rest(len(rest))
            return replace(self, rule=rule, first=rest[0], excluded=excluded, added=added)
        # Only days besides the rule are left: the first of them is a rule of its own.
        left = [each for each in added if each not in excluded]
        once = Recurrence(Frequency.DAILY, count=1)
        return replace(self, rule=once, first=left[0], excluded=excluded, added=tuple(left[1:]))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One of a series: its booking, or why it has none. It is known by its day, whatever becomes of it."""

    date: date
    booking: Booking | None
    reason: str = ""
    """Why it was skipped."""


@dataclass(frozen=True, slots=True)
class Series:
    """What its occurrences have in common, unless they were changed by themselves."""

    id: UUID
    venue_id: UUID
    time_zone: str
    offering_id: UUID
    guest: Guest
    schedule: Schedule
    party_size: int
    notes: str
    created_at: datetime
    origin_id: UUID | None = None
    """The series that this one was split from."""
    ended: bool = False
    """Whether what was left of it was called off."""
    version: int = 1
    area_id: UUID | None = None
    """Where the party wants to be; None for anywhere."""
    attributes: frozenset[str] = frozenset()
    """What everything that seats the party must have."""

    @property
    def zone(self) -> ZoneInfo:
        """The venue's zone."""
        return ZoneInfo(self.time_zone)

    def start(self, day: date, at: time | None = None) -> int:
        """The instant of an occurrence, in epoch seconds, at its time or another one.

        Raises:
            LocalTimeMissing, LocalTimeAmbiguous: the venue's clocks never show it on that day, or twice.
        """
        return calendar.instant_of(self.zone, datetime.combine(day, at or self.schedule.time))

    def refuse_unless_version(self, expected: int) -> None:
        """Raises VersionMismatch when somebody has changed it since; 0 expects nothing."""
        if expected and expected != self.version:
            raise VersionMismatch

    def state(self, occurrence: Occurrence) -> OccurrenceState:
        """What became of an occurrence."""
        booking = occurrence.booking
        if booking is None:
            return OccurrenceState.SKIPPED
        if booking.status in _GONE:
            return OccurrenceState.CANCELLED
        shown = booking.start.astimezone(self.zone).replace(tzinfo=None)
        promised = datetime.combine(occurrence.date, self.schedule.time)
        same = (shown, booking.party_size) == (promised, self.party_size)
        return OccurrenceState.BOOKED if same else OccurrenceState.CHANGED

    def pick(
        self, occurrences: Sequence[Occurrence], scope: Scope, day: date | None, *, now: datetime
    ) -> list[Occurrence]:
        """What a change means, by day: one occurrence, or all from the first one on that has not begun.

        `day` is of an occurrence; with all of them it is not looked at.

        Raises:
            OccurrenceNotFound: the series has none on that day, or, where only that one is meant, no booking.
            SeriesOver: everything meant has begun, or is called off.
        """
        if scope is Scope.ALL:
            day = date.min
        elif day not in {each.date for each in occurrences}:
            raise OccurrenceNotFound
        assert day is not None  # noqa: S101  # one of the occurrences'
        if scope is Scope.THIS:
            (this,) = (each for each in occurrences if each.date == day)
            if this.booking is None:
                raise OccurrenceNotFound
            return [this]
        coming = [each.date for each in occurrences if each.date >= day and not self._begun(each, now)]
        if not coming:
            raise SeriesOver
        picked = [each for each in occurrences if each.date >= min(coming)]
        if not any(each.booking and each.booking.follows(Step.CANCEL, now) for each in picked):
            raise SeriesOver
        return picked

    def changes_with(self, occurrence: Occurrence, *, now: datetime) -> bool:
        """Whether a change of the series changes it: not what went its own way, or has begun."""
        booking = occurrence.booking
        if booking is None or self.state(occurrence) is not OccurrenceState.BOOKED:
            return False
        return booking.follows(Step.MOVE, now)

    def revise(self, *, at: time | None, party_size: int, notes: str | None) -> "Series":
        """With another time, party size or notes; None and 0 leave them as they are."""
        return replace(
            self,
            schedule=replace(self.schedule, time=at or self.schedule.time),
            party_size=party_size or self.party_size,
            notes=self.notes if notes is None else notes,
        )

    def before(self, day: date) -> "Series":
        """What stays of it when it goes on by itself from a day on (RFC 5545 §3.2.13, THISANDFUTURE)."""
        return replace(self, schedule=self.schedule.before(day), version=self.version + 1)

    def since(self, day: date, new_id: UUID, *, now: datetime) -> "Series":
        """What goes on by itself from a day on, as a new series."""
        schedule = self.schedule.since(day)
        return replace(self, id=new_id, schedule=schedule, origin_id=self.id, created_at=now, version=1)

    def end(self, day: date) -> "Series":
        """Called off from a day on. One that is called off altogether keeps its schedule, to be read."""
        schedule = self.schedule.before(day) if day > self.schedule.first else self.schedule
        return replace(self, schedule=schedule, ended=True, version=self.version + 1)

    def _begun(self, occurrence: Occurrence, now: datetime) -> bool:
        if occurrence.booking is not None:
            return occurrence.booking.start <= now
        return datetime.combine(occurrence.date, self.schedule.time) <= now.astimezone(self.zone).replace(
            tzinfo=None
        )


def conflicts(found: Collection[Conflict]) -> SeriesConflicts:
    """The refusal that names all of them."""
    by_day = sorted(found, key=lambda each: each.date)
    named = ",".join(f"{each.date.isoformat()} {each.reason}" for each in by_day)
    return SeriesConflicts(metadata={"conflicts": named})


def _days(days: Iterable[date]) -> tuple[date, ...]:
    return tuple(sorted(set(days)))
