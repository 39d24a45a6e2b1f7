"""From a venue's local rules to instants. Wall clocks decide when a start is, elapsed time how long it is."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

from servicekit.errors import AppError, Kind

FIRST_DAY = date(1971, 1, 1)
LAST_DAY = date(8999, 12, 31)
"""Service days outside are refused: their instants could not be shown in every zone."""
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86_400
_MOMENTS = 16_384
"""The starts of a venue are the same ones all the time."""


Start: TypeAlias = int | datetime
"""A start as somebody asks for it: an instant in epoch seconds, or naive, what a zone's clocks show."""


class LocalTimeMissing(AppError):
    """The venue's clocks skip this local time: they are put forward over it."""

    kind = Kind.REFUSED
    reason = "LOCAL_TIME_MISSING"
    detail = "The venue's clocks never show this local time."


class LocalTimeAmbiguous(AppError):
    """The venue's clocks show this local time twice: they are put back over it.

    Metadata: `offsets`, the two, in order of time.
    """

    kind = Kind.REFUSED
    reason = "LOCAL_TIME_AMBIGUOUS"
    detail = "The venue's clocks show this local time twice: say which offset is meant."


def starts_between(
    zone: ZoneInfo, service_date: date, *, opens: int, last_start: int, step: int
) -> tuple[int, ...]:
    """The instants at which the wall clock shows a time of the grid, rising.

    Minutes after the local midnight of the service day. A local time that a change of the clocks skips is no
    start, one that comes twice is two.
    """
    midnight = _midnight(service_date)
    found: set[int] = set()
    for minute in range(opens, last_start + 1, step):
        found.update(_instants(zone, midnight + minute * 60))
    return tuple(sorted(found))


@lru_cache(maxsize=4096)
def moment_of(zone: ZoneInfo, day: date, minute: int) -> int:
    """The instant at which a local time is reached, in minutes after the day's local midnight.

    PEP 495 told simply: the first of two that the clocks show; of none, the instant of the change.
    """
    wall_clock = _midnight(day) + minute * 60
    before, after = _offsets(zone, wall_clock)
    return _change(zone, wall_clock - after, wall_clock - before) if before < after else wall_clock - before


@lru_cache(maxsize=4096)
def end_of(zone: ZoneInfo, day: date, minute: int) -> int:
    """The instant until which the clocks show less than a local time: as `moment_of`, but the second of two.

    A window until a time holds everything at which the clocks show less.
    """
    wall_clock = _midnight(day) + minute * 60
    before, after = _offsets(zone, wall_clock)
    if before > after:
        second = wall_clock - after
        local = datetime.fromtimestamp(wall_clock, UTC).replace(tzinfo=None)
        if datetime.fromtimestamp(second - 1, zone).replace(tzinfo=None) < local:
            return second
    return moment_of(zone, day, minute)


def resolve(zone: ZoneInfo, start: Start) -> int:
    """The instant of a start, in epoch seconds. Raises LocalTimeMissing, LocalTimeAmbiguous."""
    return start if isinstance(start, int) else instant_of(zone, start)


def instant_of(zone: ZoneInfo, local: datetime) -> int:
    """The one instant at which the zone's clocks show a naive local time, as epoch seconds.

    Raises:
        LocalTimeMissing, LocalTimeAmbiguous: there is none, or there are two.
    """
    wall_clock = int(local.replace(tzinfo=UTC).timestamp())
    found = _instants(zone, wall_clock)
    if not found:
        raise LocalTimeMissing
    if len(found) > 1:
        shown = ",".join(
            datetime.fromtimestamp(each, zone).isoformat()[len("2027-10-31T02:30:00") :] for each in found
        )
        raise LocalTimeAmbiguous(metadata={"offsets": shown})
    return found[0]


def service_dates_of(zone: ZoneInfo, start: int) -> tuple[date, date]:
    """The service days that an instant may belong to: its local day, and the one before, past midnight."""
    day = local_date(zone, start)
    return day, day - timedelta(days=1)


def minute_of(zone: ZoneInfo, day: date, instant: int) -> int:
    """What the clocks show at an instant, in minutes after the day's local midnight."""
    local = datetime.fromtimestamp(instant, zone)
    return (local.toordinal() - day.toordinal()) * 1440 + local.hour * 60 + local.minute


@lru_cache(maxsize=_MOMENTS)
def local_date(zone: ZoneInfo, instant: int) -> date:
    """The calendar day of an instant (epoch seconds) in the zone."""
    return datetime.fromtimestamp(instant, zone).date()


@lru_cache(maxsize=_MOMENTS)
def offset_minutes(zone: ZoneInfo, instant: int) -> int:
    """Minutes east of UTC that the zone shows at an instant (epoch seconds)."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _midnight(day: date) -> int:
    """The wall clock of a day's midnight, as if it were UTC."""
    return (day.toordinal() - _EPOCH_ORDINAL) * _DAY_SECONDS


def _offsets(zone: ZoneInfo, wall_clock: int) -> tuple[int, int]:
    """Seconds east of UTC, as of before and after a change of the clocks if the wall clock is in one.

    PEP 495: rising over a time that is skipped, falling over one that is shown twice.
    """
    local = datetime.fromtimestamp(wall_clock, UTC).replace(tzinfo=zone)
    before, after = (local.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return int(before.total_seconds()), int(after.total_seconds())


def _instants(zone: ZoneInfo, wall_clock: int) -> Sequence[int]:
    """The instants at which the zone's wall clock shows a time, given as if it were UTC: none, one or two."""
    before, after = _offsets(zone, wall_clock)
    if before < after:
        return ()
    return (wall_clock - before,) if before == after else (wall_clock - before, wall_clock - after)


def _change(zone: ZoneInfo, early: int, late: int) -> int:
    """The instant between two at which the clocks are put forward."""
    offset = datetime.fromtimestamp(early, zone).utcoffset()
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return late
