"""A venue and some of its service days at one moment, searched day by day. Pure; searches like any search."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from operator import attrgetter
from uuid import UUID

from booking.domain import availability
from booking.domain.availability import Found, Plan
from booking.domain.floor import Party
from booking.domain.occupancy import Allocation
from booking.domain.offerings import Offering
from booking.domain.placements import Placement, Taken

_START = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked of one service day."""

    service_date: date
    party: Party
    offering_id: UUID | None
    """None for all that the venue offers."""


def find(plan: Plan, inquiry: Inquiry, *, taken: Taken, now: int) -> Found:
    """What becomes of every start of a service day.

    `taken` has to hold what touches `reach` of the day; what lies beyond changes nothing.

    Raises OfferingNotFound, PlacementsUnread.
    """
    offerings = _asked_for(plan, inquiry)
    day, party = inquiry.service_date, inquiry.party
    slots = availability.search(plan, offerings, day, party=party, taken=taken, now=now)
    return Found(plan.zone, slots, plan.hours.notes([each.id for each in offerings], day))


def time_matters(plan: Plan, inquiry: Inquiry, *, since: int, now: int) -> bool:
    """Whether a search may find something else `now` than `since` (epoch seconds) with all else alike.

    True for a day that has begun with any offering: from then on who is to come may become somebody who is
    there, and is not moved any more. Says nothing of holds that run out. Raises OfferingNotFound.
    """
    if any(
        now >= starts[0]
        for each in plan.offerings.values()
        if (starts := plan.starts(each, inquiry.service_date))
    ):
        return True
    for offering in _asked_for(plan, inquiry):
        day = plan.hours.day(offering, inquiry.service_date)
        if day.changes_between(plan.zone, since, now):
            return True
        ahead = offering.filling.last_fill_minutes * 60
        if availability.fills(offering, inquiry.party) and day.has_between(since + ahead, now + ahead):
            return True
    return False


def _asked_for(plan: Plan, inquiry: Inquiry) -> list[Offering]:
    asked = inquiry.offering_id
    return [plan.offering(asked)] if asked else list(plan.offerings.values())


def reach(plan: Plan, first: date, last: date) -> tuple[int, int]:
    """What the starts of some service days, and their bookings, can touch: [from, to) in epoch seconds.

    Bookings that staff made outside the hours may lie beyond; they are left alone.
    """
    offerings = plan.offerings.values()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    # Rising, so only the ends of each day count.
    shown = [starts for each in offerings for day in days if (starts := plan.starts(each, day))]
    before = max((each.buffer_before_minutes for each in offerings), default=0) * 60
    after = max((each.occupied_minutes for each in offerings), default=0) * 60
    midnight = int(datetime.combine(first, datetime.min.time(), UTC).timestamp())
    return (
        min((starts[0] for starts in shown), default=midnight) - before,
        max((starts[-1] for starts in shown), default=midnight) + after,
    )


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Some service days of a venue, read at one moment."""

    plan: Plan
    now: int
    """Epoch seconds."""
    allocations: Sequence[Allocation]
    placements: Sequence[Placement] | None
    """None when they were not read."""
    _ordered: list[Allocation] = field(default_factory=list, init=False, repr=False)
    """The allocations by start; and their starts."""
    _starts: list[int] = field(default_factory=list, init=False, repr=False)
    _placements: dict[date, list[Placement]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Sorts everything once, so that no search goes through all of it."""
        self._ordered.extend(sorted(self.allocations, key=_START))
        self._starts.extend(map(_START, self._ordered))
        for placement in self.placements or ():
            self._placements.setdefault(placement.service_date, []).append(placement)

    def taken(self, service_date: date) -> Taken:
        """What others have of the time that a service day can touch."""
        start, end = reach(self.plan, service_date, service_date)
        first = bisect_right(self._starts, start - self._longest)
        after = bisect_left(self._starts, end)
        return Taken(
            [each for each in self._ordered[first:after] if start < each.end],
            None if self.placements is None else self._placements.get(service_date, ()),
        )

    @cached_property
    def _longest(self) -> int:
        """How long an allocation lasts at most, in seconds."""
        return max((each.end - each.start for each in self._ordered), default=0)

    def find(self, inquiry: Inquiry) -> Found:
        """What becomes of every start of a service day. Raises OfferingNotFound, PlacementsUnread."""
        return find(self.plan, inquiry, taken=self.taken(inquiry.service_date), now=self.now)
