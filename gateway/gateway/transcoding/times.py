"""Instants as RFC 3339 text: google.protobuf.Timestamp in UTC, OffsetDateTime with its own offset."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from gateway.transcoding.values import Wrong

WHOLE_SECONDS = (
    "(197[1-9]|19[89][0-9]|[2-8][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.0{1,9})?([Zz]|[+-](0[0-9]|1[0-7]):[0-5][0-9])"
)
"""The offset times that are taken: whole seconds of years that every zone can show. OpenAPI shows it."""

_WHOLE_SECONDS = re.compile(WHOLE_SECONDS)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DAY_SECONDS = 86400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES = tuple(f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
_SECONDS = tuple(f"{second:02d}" for second in range(60))
_END_OF_TIME = 253402300800
_EARLIEST = -62135596800


def _parse(value: Any) -> tuple[int, int, int]:
    """Seconds since 1970, nanoseconds and minutes east of UTC. Raises Wrong."""
    found = _RFC3339.fullmatch(value) if type(value) is str else None
    if found is None:
        raise Wrong("must be a time with an offset, as RFC 3339 writes it")
    offset = int(found[9] or 0) * 60 + int(found[10] or 0)
    if found[8] == "-":
        offset = -offset
    try:
        zone = timezone(timedelta(minutes=offset))
        instant = datetime(*(int(part) for part in found.groups()[:6]), tzinfo=zone)  # type: ignore[misc,arg-type]
    except ValueError:
        raise Wrong("must be a time that exists") from None
    since = instant - _EPOCH
    nanos = int((found[7] or "").ljust(9, "0"))
    return since.days * _DAY_SECONDS + since.seconds, nanos, offset


def fill_timestamp(message: Any, value: Any) -> None:
    """Reads an instant with any offset. Raises Wrong."""
    seconds, nanos, _ = _parse(value)
    if not _EARLIEST <= seconds < _END_OF_TIME:
        raise Wrong("must be between the years 1 and 9999")
    message.seconds, message.nanos = seconds, nanos


def fill_offset_date_time(message: Any, value: Any) -> None:
    """Reads an instant of whole seconds with any offset, and keeps the offset. Raises Wrong."""
    if type(value) is not str or not _WHOLE_SECONDS.fullmatch(value):
        raise Wrong("must be a time with an offset, of whole seconds, of the years 1971 to 8999")
    seconds, _, offset = _parse(value)
    message.epoch_seconds, message.offset_minutes = seconds, offset


def show_timestamp(message: Any) -> str:
    """In UTC, with as many decimals as are needed: none, 3, 6 or 9."""
    nanos = message.nanos
    decimals = "" if not nanos else f".{nanos:09d}"
    while decimals.endswith("000"):
        decimals = decimals[:-3]
    return f"{_local(message.seconds)}{decimals}Z"


def show_offset_date_time(message: Any) -> str:
    """In its own offset."""
    return _with_offset(message.epoch_seconds, message.offset_minutes)


@lru_cache(16384)
def _with_offset(epoch_seconds: int, offset_minutes: int) -> str:
    """Kept, because the starts of the coming weeks are what is asked for again and again."""
    return _local(epoch_seconds + offset_minutes * 60) + _suffix(offset_minutes)


def _local(seconds: int) -> str:
    day, second = divmod(seconds, _DAY_SECONDS)
    minute, second = divmod(second, 60)
    return _day(day) + _MINUTES[minute] + _SECONDS[second]


@lru_cache(4096)
def _day(days: int) -> str:
    return date.fromordinal(_EPOCH_DAY + days).isoformat()


@lru_cache(4096)
def _suffix(minutes: int) -> str:
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"


FILL: dict[str, Callable[[Any, Any], None]] = {
    "google.protobuf.Timestamp": fill_timestamp,
    "comptoir.common.v1.OffsetDateTime": fill_offset_date_time,
}
"""How the messages that are texts in JSON are read."""

SHOW: dict[str, Callable[[Any], str]] = {
    "google.protobuf.Timestamp": show_timestamp,
    "comptoir.common.v1.OffsetDateTime": show_offset_date_time,
}
"""How they are written."""
