"""What an answer depends on, as tags, and which of them an event makes untrue."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from servicekit.events import Event

KEY_OF_TAG = "edge:tag:"
BEAT = "edge:follower"
"""The key that the follower keeps alive while it has followed everything that the logs hold."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

_NEIGHBOURS = timedelta(days=3)
"""The search of a service day depends on bookings of service days so near: a start is at most 48 hours after
midnight, and a stay at most 24 hours long (booking's own caches go by the same number)."""
_LATEST_START = timedelta(days=2)
_UNCHANGED = {"BookingLinkRequested", "BookingDelayed"}
"""Facts about a booking that change nothing of what it occupies."""


class Forgetting:
    """A reaction: what events make untrue is served to nobody any more."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis

    async def __call__(self, events: Sequence[Event]) -> None:
        """Drops the tags. Whoever asks next gives them new names, which no kept answer has."""
        keys = {KEY_OF_TAG + tag for event in events for tag in tags_of(event.message)}
        if keys:
            await self._redis.unlink(*keys)


def tags_of(message: Any) -> Iterator[str]:
    """The tags of everything that an event makes untrue: of a venue, of its days, or of one day."""
    name, fields = message.DESCRIPTOR.name, message.DESCRIPTOR.fields_by_name
    if name == "VenueChanged":
        yield f"venue:{message.venue.id}"
    elif name in {"VenueCapacityChanged", "ResourcesBlocked", "ResourcesUnblocked"}:
        yield f"venue:{message.venue_id}"
    elif name not in _UNCHANGED and "booking" in fields:
        yield from _tags_of_booking(message)


def _tags_of_booking(message: Any) -> Iterator[str]:
    booking = message.booking
    yield f"days:{booking.venue_id}"
    days: set[date] = set()
    if _DAY.fullmatch(booking.service_date):
        day = date.fromisoformat(booking.service_date)
        days |= _around(day, day)
    if "previous_start" in message.DESCRIPTOR.fields_by_name and message.HasField("previous_start"):
        local = _local_day(message.previous_start.epoch_seconds, message.previous_start.offset_minutes)
        days |= _around(local - _LATEST_START, local)
    yield from (f"day:{booking.venue_id}:{day.isoformat()}" for day in days)


def _around(first: date, last: date) -> set[date]:
    """The service days whose searches depend on bookings of the service days from `first` to `last`."""
    begin, end = first - _NEIGHBOURS, last + _NEIGHBOURS
    return {begin + timedelta(days=number) for number in range((end - begin).days + 1)}


def _local_day(epoch_seconds: int, offset_minutes: int) -> date:
    """The day that the venue's clocks showed."""
    return (_EPOCH + timedelta(seconds=epoch_seconds, minutes=offset_minutes)).date()
