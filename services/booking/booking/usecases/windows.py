"""Which time around a service day has to be read to plan for it. Reads nothing itself."""

from datetime import UTC, date, datetime, timedelta

from booking.domain.availability import Plan
from booking.store.days import Window

_DAY = 86_400
NEIGHBOURS = 3
"""Days before and after one whose stays can touch its starts: a start is at most 48 hours after midnight, and
a stay at most 24 hours long."""


def window_of_day(plan: Plan | None, service_date: date) -> Window:
    """The time that starts of a day, and the bookings of it, can touch.

    Without a plan: in any zone, with any hours and length. Bookings that staff made outside the hours may lie
    beyond; they are left alone.
    """
    touching = tuple(service_date + timedelta(days=each) for each in range(-NEIGHBOURS, NEIGHBOURS + 1))
    midnight = int(datetime.combine(service_date, datetime.min.time(), UTC).timestamp())
    if plan is None:
        return Window((service_date,), midnight - 2 * _DAY, midnight + 4 * _DAY, touching, placements=True)
    offerings = plan.offerings.values()
    starts = [start for offering in offerings for start in plan.starts(offering, service_date)]
    before = max((each.buffer_before_minutes for each in offerings), default=0) * 60
    after = max((each.occupied_minutes for each in offerings), default=0) * 60
    first, last = min(starts, default=midnight), max(starts, default=midnight)
    return Window((service_date,), first - before, last + after, touching, placements=plan.needs_placements)
