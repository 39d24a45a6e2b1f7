"""What can be booked near a start that cannot: nearer comes first, of two equally near the earlier. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from booking.domain import calendar
from booking.domain.availability import Slot

MOST_TIMES = 6
"""How many starts of the same service day are told."""
MOST_DATES = 6
DATES_AWAY = 14
"""How many days before and after the wish are looked at."""
MOST_VENUES = 5
VENUES_SEEN = 10
"""How many other venues are looked at."""
TOLERANCE_MINUTES = 60
"""How far from the wished time a start on another date, or in another venue, may be, unless it is said."""


def nearest_times(slots: Iterable[Slot], start: int) -> list[Slot]:
    """The bookable starts of a service day that are nearest to one (epoch seconds), without that one."""
    others = [each for each in slots if each.refusal is None and each.start != start]
    return sorted(others, key=lambda each: (abs(each.start - start), each.start))[:MOST_TIMES]


def dates_around(service_date: date, *, earliest: date) -> Iterator[date]:
    """The service days around one, nearest first, of two the earlier; none before `earliest`."""
    for away in range(1, DATES_AWAY + 1):
        for day in (service_date - timedelta(days=away), service_date + timedelta(days=away)):
            if day >= earliest:
                yield day


def at_wall_clock(
    zone: ZoneInfo, slots: Iterable[Slot], service_date: date, *, minute: int, tolerance_minutes: int
) -> Slot | None:
    """The bookable start of a service day nearest to a wall clock: minutes after the day's midnight."""
    near = [
        (away, each.start, each)
        for each in slots
        if each.refusal is None
        and (away := abs(calendar.minute_of(zone, service_date, each.start) - minute)) <= tolerance_minutes
    ]
    return min(near, key=lambda each: each[:2])[2] if near else None


def at_instant(slots: Iterable[Slot], start: int, *, tolerance_minutes: int) -> Slot | None:
    """The bookable start of any offering nearest to an instant (epoch seconds); of equal ones by name."""
    near = [
        each for each in slots if each.refusal is None and abs(each.start - start) <= tolerance_minutes * 60
    ]
    return min(near, key=lambda each: (abs(each.start - start), each.start, each.offering.name), default=None)


def service_dates_about(zone: ZoneInfo, start: int, *, tolerance_minutes: int) -> list[date]:
    """The service days that starts around an instant may belong to, in order."""
    ends = (start - tolerance_minutes * 60, start + tolerance_minutes * 60)
    return sorted({day for each in ends for day in calendar.service_dates_of(zone, each)})
