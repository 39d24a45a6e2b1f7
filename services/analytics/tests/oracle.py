"""The figures, computed again from the facts by brute force: minute by minute, date by date, without SQL."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from comptoir.booking.v1 import booking_pb2, events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events
from servicekit import ids

Fact = tuple[Message, datetime]

_BOOKING = (
    events_pb2.BookingHeld,
    events_pb2.BookingConfirmed,
    events_pb2.BookingMoved,
    events_pb2.BookingCancelled,
    events_pb2.BookingExpired,
)
_MINUTES = 6 * 24 * 60


def figures(facts: Sequence[Fact], venue: UUID, zone: str, day: date) -> dict[str, int]:
    """All figures of a day in EUR, from every fact in time."""
    bookings = _bookings(facts, ids.show("ven", venue))
    confirmed, cancelled = _moments(facts)

    def on_day(moments: dict[str, datetime], booking: str) -> bool:
        return booking in moments and _date(moments[booking], zone) == day

    today = [each for each in bookings.values() if each.service_date == day.isoformat()]
    promised = [each for each in today if each.status == booking_pb2.BOOKING_STATUS_CONFIRMED]
    called_off = [
        each
        for each in today
        if each.status == booking_pb2.BOOKING_STATUS_CANCELLED and each.booking_id in confirmed
    ]
    made = [each for each in bookings.values() if on_day(confirmed, each.booking_id)]
    return {
        "bookings": len(promised),
        "covers": sum(each.party_size for each in promised),
        "occupancy": _occupancy(facts, promised, venue, zone, day),
        "cancellations": len(called_off),
        "cancellation_rate": _share(len(called_off), len(called_off) + len(promised)),
        "made": len(made),
        "covers_made": sum(each.party_size for each in made),
        "called_off": sum(on_day(cancelled, each) and each in confirmed for each in bookings),
        "deposits": _deposits(facts, set(bookings), zone, day),
        "refunds": _refunds(facts, set(bookings), zone, day),
    }


def _bookings(facts: Sequence[Fact], venue: str) -> dict[str, Any]:
    newest: dict[str, Any] = {}
    for message, _ in facts:
        if isinstance(message, _BOOKING):
            booking = message.booking
            if booking.version > getattr(newest.get(booking.booking_id), "version", 0):
                newest[booking.booking_id] = booking
    return {booking: each for booking, each in newest.items() if each.venue_id == venue}


def _moments(facts: Sequence[Fact]) -> tuple[dict[str, datetime], dict[str, datetime]]:
    confirmed, cancelled = {}, {}
    for message, moment in facts:
        if isinstance(message, events_pb2.BookingConfirmed):
            confirmed[message.booking.booking_id] = moment
        if isinstance(message, events_pb2.BookingCancelled):
            cancelled[message.booking.booking_id] = moment
    return confirmed, cancelled


def _deposits(facts: Sequence[Fact], bookings: set[str], zone: str, day: date) -> int:
    amounts = {
        message.payment_id: message.amount.amount
        for message, moment in facts
        if isinstance(message, payment_events.PaymentSucceeded)
        and message.booking_id in bookings
        and message.amount.currency == "EUR"
        and _date(moment, zone) == day
    }
    return sum(amounts.values())


def _refunds(facts: Sequence[Fact], bookings: set[str], zone: str, day: date) -> int:
    until: defaultdict[str, int] = defaultdict(int)
    before: defaultdict[str, int] = defaultdict(int)
    for message, moment in facts:
        if not isinstance(message, payment_events.PaymentRefunded) or message.refunded.currency != "EUR":
            continue
        if message.booking_id in bookings:
            for heights, latest in ((until, day), (before, day - timedelta(days=1))):
                if _date(moment, zone) <= latest:
                    heights[message.payment_id] = max(heights[message.payment_id], message.refunded.amount)
    return sum(until.values()) - sum(before.values())


def _occupancy(facts: Sequence[Fact], promised: Sequence[Any], venue: UUID, zone: str, day: date) -> int:
    in_force = None
    for message, moment in facts:
        if isinstance(message, events_pb2.VenueCapacityChanged) and _date(moment, zone) <= day:
            assert message.venue_id == ids.show("ven", venue)
            if in_force is None or message.version > in_force.version:
                in_force = message
    if in_force is None:
        return 0
    seats = {resource.id: resource.max_party for resource in in_force.resources}
    is_open: set[int] = set()
    for shift in in_force.shifts:
        if day.isoweekday() in shift.weekdays:
            is_open |= _open_minutes(zone, day, shift.opens, shift.closes)
    first = int(_first_minute(day).timestamp()) // 60
    occupied = 0
    for booking in promised:
        minutes = set(
            range(booking.start.epoch_seconds // 60 - first, booking.end.epoch_seconds // 60 - first)
        )
        occupied += len(minutes & is_open) * sum(seats.get(each, 0) for each in set(booking.resource_ids))
    return _share(occupied, sum(seats.values()) * len(is_open))


@cache
def _open_minutes(zone: str, day: date, opens: str, closes: str) -> set[int]:
    """The open minutes, counted from `_first_minute`."""
    midnight = datetime.combine(day, time())
    next_day = timedelta(days=1 if closes <= opens else 0)
    start = _reached(zone, day, midnight + _clock(opens))
    end = _reached(zone, day, midnight + _clock(closes) + next_day)
    return set(range(start, end))


def _reached(zone: str, day: date, wall: datetime) -> int:
    """The first minute at which the clock on the wall shows `wall`; at a gap, as if it were not set."""
    walls = _walls(zone, day)
    if wall in walls:
        return walls.index(wall)
    after = next(number for number, shown in enumerate(walls) if shown > wall)
    return after - 1 + int((wall - walls[after - 1]).total_seconds()) // 60


@cache
def _walls(zone: str, day: date) -> list[datetime]:
    """What the clock on the wall shows, minute by minute."""
    first, clock = _first_minute(day), ZoneInfo(zone)
    return [
        (first + timedelta(minutes=number)).astimezone(clock).replace(tzinfo=None, fold=0)
        for number in range(_MINUTES)
    ]


def _first_minute(day: date) -> datetime:
    return datetime.combine(day - timedelta(days=2), time(), UTC)


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()


def _share(part: int, whole: int) -> int:
    return min(10_000, int(Fraction(part, whole) * 10_000 + Fraction(1, 2))) if whole else 0
