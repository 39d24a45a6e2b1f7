"""Facts about series, by their ids alone: what each booking is, its own facts tell."""

from collections.abc import Iterable
from datetime import date

from google.protobuf.message import Message

from booking.domain.bookings import Booking
from booking.domain.series import Series
from comptoir.booking.v1 import events_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction


async def series_created(tx: Transaction, series: Series, bookings: Iterable[Booking]) -> None:
    """Bookings repeat from now on, or a part of a series goes on by itself."""
    message = events_pb2.SeriesCreated(
        series_id=ids.show("ser", series.id),
        venue_id=ids.show("ven", series.venue_id),
        offering_id=ids.show("off", series.offering_id),
        booking_ids=_ids(bookings),
        origin_id=ids.show("ser", series.origin_id) if series.origin_id else "",
    )
    await _tell(tx, series, message)


async def series_changed(tx: Transaction, series: Series, bookings: Iterable[Booking]) -> None:
    """A series says something else now; `bookings` were changed with it."""
    message = events_pb2.SeriesChanged(
        series_id=ids.show("ser", series.id),
        venue_id=ids.show("ven", series.venue_id),
        booking_ids=_ids(bookings),
        version=series.version,
    )
    await _tell(tx, series, message)


async def series_ended(tx: Transaction, series: Series, day: date, bookings: Iterable[Booking]) -> None:
    """A series is called off from a day on, and `bookings` with it."""
    message = events_pb2.SeriesEnded(
        series_id=ids.show("ser", series.id),
        venue_id=ids.show("ven", series.venue_id),
        booking_ids=_ids(bookings),
        from_date=day.isoformat(),
        version=series.version,
    )
    await _tell(tx, series, message)


def _ids(bookings: Iterable[Booking]) -> list[str]:
    return [ids.show("bkg", each.id) for each in bookings]


async def _tell(tx: Transaction, series: Series, message: Message) -> None:
    await outbox.add(tx, message, key=series.id)
