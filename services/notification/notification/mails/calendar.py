"""A booking as an iCalendar object (RFC 5545, RFC 5546): calendars add, move and remove it themselves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import icalendar

from notification.domain.bookings import Booking, BookingStatus

_AROUND = timedelta(days=400)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_UNDECIDED = (BookingStatus.REQUESTED, BookingStatus.HELD)
_CALLED_OFF = (BookingStatus.CANCELLED, BookingStatus.DECLINED, BookingStatus.EXPIRED)


class Method(StrEnum):
    """What a calendar does with it. The guest is an attendee who has accepted: no answer is asked for."""

    REQUEST = "REQUEST"
    """Adds the event, or replaces the one with this UID and a lower sequence."""
    CANCEL = "CANCEL"
    """Removes it."""


def render(booking: Booking, method: Method, *, organizer: str, now: datetime) -> bytes:
    """The calendar object. UID is the booking, SEQUENCE its version; `organizer` is the mail's own sender."""
    event = icalendar.Event()
    event.add("uid", booking.reference)
    event.add("sequence", booking.version)
    event.add("dtstamp", now)
    start, end = _local(booking.starts_at, booking.time_zone), _local(booking.ends_at, booking.time_zone)
    event.add("dtstart", start)
    event.add("dtend", end)
    event.add("summary", f"{booking.venue}: {booking.offering}" if booking.offering else booking.venue)
    event.add("location", ", ".join(part for part in (booking.venue, booking.venue_address) if part))
    event.add("status", "CANCELLED" if method is Method.CANCEL else _standing(booking))
    event.add("transp", "TRANSPARENT" if method is Method.CANCEL else "OPAQUE")
    event.add("organizer", _person(organizer, booking.venue))
    if booking.guest_email:  # who was booked in by telephone may have none
        guest = _person(booking.guest_email, booking.guest_name)
        guest.params.update({"ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"})
        event.add("attendee", guest)
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Comptoir//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method.value)
    if start.tzinfo is not UTC or end.tzinfo is not UTC:
        calendar.add_component(_zone(booking.time_zone, booking.starts_at))
    calendar.add_component(event)
    content: bytes = calendar.to_ical()
    return content


def method_for(booking: Booking) -> Method:
    """What a calendar does with a booking as it stands."""
    return Method.CANCEL if booking.status in _CALLED_OFF else Method.REQUEST


def _standing(booking: Booking) -> str:
    return "TENTATIVE" if booking.status in _UNDECIDED else "CONFIRMED"


def _local(moment: datetime, zone: str) -> datetime:
    """The venue's time; UTC in the second passing of an hour that occurs twice: local time cannot name it."""
    local = moment.astimezone(ZoneInfo(zone))
    return moment.astimezone(UTC) if local.fold else local


def _person(email: str, name: str) -> icalendar.vCalAddress:
    person = icalendar.vCalAddress(f"mailto:{email}")
    person.params["CN"] = " ".join(name.split()).replace('"', "'")
    return person


def _zone(name: str, around: datetime) -> icalendar.Timezone:
    """The rules of a zone for a year around a moment, each from its local time before the change."""
    zone = ZoneInfo(name)
    first = around - _AROUND
    timezone = icalendar.Timezone()
    timezone.add("tzid", name)
    timezone.add_component(_rule(first, first, zone))
    for change in _changes(zone, first, around + _AROUND):
        timezone.add_component(_rule(change - _SECOND, change, zone))
    return timezone


def _rule(before: datetime, change: datetime, zone: ZoneInfo) -> icalendar.Component:
    was, becomes = before.astimezone(zone), change.astimezone(zone)
    rule = icalendar.TimezoneDaylight() if becomes.dst() else icalendar.TimezoneStandard()
    offset = was.utcoffset() or timedelta()
    rule.add("dtstart", (change + offset).replace(tzinfo=None, microsecond=0))
    rule.add("tzoffsetfrom", offset)
    rule.add("tzoffsetto", becomes.utcoffset())
    rule.add("tzname", becomes.tzname())
    return rule


def _changes(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """The first second of each new offset."""
    day = first
    while day < last:
        if day.astimezone(zone).utcoffset() != (day + _DAY).astimezone(zone).utcoffset():
            low, high = day, day + _DAY
            while high - low > _SECOND:
                middle = low + (high - low) // 2
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            yield high.replace(microsecond=0)
        day += _DAY
