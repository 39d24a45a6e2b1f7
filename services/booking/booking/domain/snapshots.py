"""A venue and some of its service days at one moment, searched day by day. Pure; searches like any search."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from booking.domain import availability
from booking.domain.availability import Found, Plan
from booking.domain.floor import Party
from booking.domain.occupancy import Allocation
from booking.domain.placements import Placement, Taken

_DAY = 86_400


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

    Raises OfferingNotFound.
    """
    asked = inquiry.offering_id
    offerings = [plan.offering(asked)] if asked else list(plan.offerings.values())
    day, party = inquiry.service_date, inquiry.party
    slots = availability.search(plan, offerings, day, party=party, taken=taken, now=now)
    return Found(plan.zone, slots, plan.hours.notes([each.id for each in offerings], day))


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


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Some service days of a venue, read at one moment."""

    plan: Plan
    now: int
    """Epoch seconds."""
    allocations: Sequence[Allocation]
    placements: Sequence[Placement]
    _allocations: dict[int, list[Allocation]] = field(default_factory=dict, init=False, repr=False)
    """By day of UTC; one that lasts into others, in each of them."""
    _placements: dict[date, list[Placement]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        """Sorts everything by day once, so that no search goes through all of it."""
        for each in self.allocations:
            for number in range(each.start // _DAY, (each.end - 1) // _DAY + 1):
                self._allocations.setdefault(number, []).append(each)
        for placement in self.placements:
            self._placements.setdefault(placement.service_date, []).append(placement)

    def taken(self, service_date: date) -> Taken:
        """What others have of the time that a service day can touch."""
        start, end = reach(self.plan, service_date, service_date)
        first = start // _DAY
        return Taken(
            [
                each
                for number in range(first, end // _DAY + 1)
                for each in self._allocations.get(number, ())
                # In the first of the days that it is kept under, and not again in the others.
                if number == max(first, each.start // _DAY) and each.start < end and start < each.end
            ],
            self._placements.get(service_date, ()),
        )

    def find(self, inquiry: Inquiry) -> Found:
        """What becomes of every start of a service day. Raises OfferingNotFound."""
        return find(self.plan, inquiry, taken=self.taken(inquiry.service_date), now=self.now)
