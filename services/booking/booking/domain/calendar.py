"""From a venue's local rules to instants. Wall clocks decide when a start is, elapsed time how long it is."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from booking.domain.offerings import (
    Offering,
    Shift,
)

FIRST_DAY = date(1971, 1, 1)
LAST_DAY = date(8999, 12, 31)
"""Service days outside are refused: their instants could not be shown in every zone."""
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400


def starts_of(
    zone: ZoneInfo, offering: Offering, shifts: Iterable[Shift], service_date: date
) -> Sequence[int]:
    """The starts of an offering on a service day, as rising epoch seconds.

    Every `slot_minutes` of wall clock from opening to last start: a local time that a change of the clocks
    skips is no start, one that comes twice is two.
    """
    weekday = service_date.isoweekday()
    found: set[int] = set()
    for shift in shifts:
        if weekday in shift.weekdays:
            found.update(
                _window(zone.key, service_date, shift.opens, shift.last_start, offering.slot_minutes)
            )
    return sorted(found)


def service_dates_of(zone: ZoneInfo, start: int) -> tuple[date, date]:
    """The service days that an instant may belong to: its local day, and the one before, past midnight."""
    day = local_date(zone, start)
    return day, day - timedelta(days=1)


def local_date(zone: ZoneInfo, instant: int) -> date:
    """The calendar day of an instant (epoch seconds) in the zone."""
    return datetime.fromtimestamp(instant, zone).date()


def offset_minutes(zone: ZoneInfo, instant: int) -> int:
    """Minutes east of UTC that the zone shows at an instant (epoch seconds)."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


@lru_cache(maxsize=4096)
def _window(
    zone_name: str, service_date: date, opens: int, last_start: int, slot_minutes: int
) -> tuple[int, ...]:
    zone = ZoneInfo(zone_name)
    midnight = (service_date.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS
    starts: list[int] = []
    for minute in range(opens, last_start + 1, slot_minutes):
        starts.extend(_instants(zone, midnight + minute * 60))
    return tuple(starts)


def _instants(zone: ZoneInfo, wall_clock: int) -> Iterable[int]:
    """The instants at which the zone's wall clock shows a time, given as if it were UTC: none, one or two.

    PEP 495: fold 0 and 1 give the offsets before and after a change; the ones that lead back to the same wall
    clock are real.
    """
    local = datetime.fromtimestamp(wall_clock, UTC).replace(tzinfo=None)
    found = set()
    for fold in (0, 1):
        offset = local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta()
        instant = wall_clock - int(offset.total_seconds())
        if datetime.fromtimestamp(instant, zone).replace(tzinfo=None) == local:
            found.add(instant)
    return sorted(found)
