"""Hours as messages: for answers and, without what is for staff only, for events."""

from booking.domain.clock import DAY_MINUTES, clock_time
from booking.domain.closures import Closure
from booking.domain.shifts import Shift
from booking.domain.windows import DateException, Window
from comptoir.booking.v1 import hours_pb2, venue_pb2
from servicekit import ids


def shift_message(shift: Shift) -> venue_pb2.Shift:
    """A shift, in local times."""
    return venue_pb2.Shift(
        id=ids.show("shi", shift.id),
        offering_id=ids.show("off", shift.offering_id),
        weekdays=shift.weekdays,
        opens=clock_time(shift.opens),
        last_start=_start_time(shift.last_start),
        closes=clock_time(shift.closes),
        must_finish=shift.must_finish,
    )


def exception_message(exception: DateException) -> hours_pb2.DateException:
    """A date with hours of its own, in local times."""
    return hours_pb2.DateException(
        id=ids.show("dex", exception.id),
        offering_id=ids.show("off", exception.offering_id),
        service_date=exception.service_date.isoformat(),
        windows=map(_window, exception.windows),
        reason=exception.reason,
        note=exception.note,
    )


def closure_message(closure: Closure) -> hours_pb2.Closure:
    """A closure, in local times."""
    return hours_pb2.Closure(
        id=ids.show("clo", closure.id),
        offering_ids=[ids.show("off", each) for each in closure.offering_ids],
        first_date=closure.first.isoformat(),
        last_date=closure.last.isoformat(),
        begins="" if closure.begins is None else _start_time(closure.begins),
        ends="" if closure.ends is None else clock_time(closure.ends),
        cuts_tail=closure.cuts_tail,
        reason=closure.reason,
        note=closure.note,
    )


def _window(window: Window) -> hours_pb2.Window:
    return hours_pb2.Window(
        opens=clock_time(window.opens),
        last_start=_start_time(window.last_start),
        closes=clock_time(window.closes),
        must_finish=window.must_finish,
    )


def _start_time(minutes: int) -> str:
    """As requests say it: a start at midnight is "00:00"."""
    return clock_time(minutes % DAY_MINUTES)
