"""Which time around service days has to be read to plan for them. Reads nothing itself."""

from datetime import UTC, date, datetime, timedelta

from booking.domain.availability import Plan
from booking.domain.snapshots import reach
from booking.store.days import Window

_DAY = 86_400
NEIGHBOURS = 3
"""Days before and after one whose stays can touch its starts: a start is at most 48 hours after midnight, and
a stay at most 24 hours long."""


def window_of_day(plan: Plan | None, service_date: date) -> Window:
    """The time that starts of a day, and the bookings of it, can touch."""
    return window_of_days(plan, service_date, service_date)


def window_of_days(plan: Plan | None, first: date, last: date) -> Window:
    """The same of some days in a row, with the versions of all whose bookings may touch them.

    Without a plan: in any zone, with any hours and length.
    """
    days = _between(first, last)
    touching = _between(first - timedelta(days=NEIGHBOURS), last + timedelta(days=NEIGHBOURS))
    if plan is None:
        start, end = (
            int(datetime.combine(day, datetime.min.time(), UTC).timestamp()) for day in (first, last)
        )
        return Window(days, start - 2 * _DAY, end + 4 * _DAY, touching, placements=True)
    start, end = reach(plan, first, last)
    return Window(days, start, end, touching, placements=plan.needs_placements)


def _between(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
