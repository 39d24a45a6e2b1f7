"""Facts about bookings. Each carries the booking as it stands, without its guest."""

from datetime import datetime
from typing import assert_never
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from booking.domain.bookings import Booking, Fact, Status
from booking.events.messages import CANCELLERS, STATUSES, moment, money, occupied
from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from servicekit import contract, ids, outbox
from servicekit.database import Transaction
from servicekit.money import Money


def booking_made(booking: Booking) -> Fact:
    """A new booking, packed for the statement that writes it."""
    message = _made(booking)
    event = contract.events()[message.DESCRIPTOR.full_name]
    return Fact(ids.new(), event.topic, event.name, message.SerializeToString(deterministic=True))


async def booking_confirmed(tx: Transaction, booking: Booking) -> None:
    """A booking is promised."""
    await outbox.add(tx, events_pb2.BookingConfirmed(booking=_snapshot(booking)), key=booking.id)


async def booking_moved(tx: Transaction, booking: Booking, *, previous_start: datetime) -> None:
    """A booking is at another time."""
    previous = moment(ZoneInfo(booking.time_zone), previous_start)
    message = events_pb2.BookingMoved(booking=_snapshot(booking), previous_start=previous)
    await outbox.add(tx, message, key=booking.id)


async def booking_cancelled(tx: Transaction, booking: Booking, *, refund_due: Money | None) -> None:
    """A booking is called off; payment gives back what is due."""
    message = events_pb2.BookingCancelled(booking=_snapshot(booking), refund_due=_due(refund_due))
    await outbox.add(tx, message, key=booking.id)


async def booking_expired(tx: Transaction, booking: Booking, *, refund_due: Money | None) -> None:
    """A hold ran out; payment gives back what came too late."""
    message = events_pb2.BookingExpired(booking=_snapshot(booking), refund_due=_due(refund_due))
    await outbox.add(tx, message, key=booking.id)


def _made(booking: Booking) -> events_pb2.BookingHeld | events_pb2.BookingConfirmed:
    match booking.status:
        case Status.HELD:
            return events_pb2.BookingHeld(booking=_snapshot(booking))
        case Status.CONFIRMED:
            return events_pb2.BookingConfirmed(booking=_snapshot(booking))
        case Status.CANCELLED | Status.EXPIRED:
            raise AssertionError(booking.status)
        case never:
            assert_never(never)


def _due(refund: Money | None) -> values_pb2.Money | None:
    return money(refund) if refund and refund.amount else None


def _snapshot(booking: Booking) -> events_pb2.BookingSnapshot:
    zone = ZoneInfo(booking.time_zone)
    created_at = Timestamp()
    created_at.FromDatetime(booking.created_at)
    return events_pb2.BookingSnapshot(
        booking_id=ids.show("bkg", booking.id),
        venue_id=ids.show("ven", booking.venue_id),
        offering_id=ids.show("off", booking.offering_id),
        status=STATUSES[booking.status],
        party_size=booking.party_size,
        start=moment(zone, booking.start),
        end=moment(zone, booking.end),
        service_date=booking.service_date.isoformat(),
        resource_ids=occupied(booking),
        version=booking.version,
        created_at=created_at,
        deposit=money(booking.deposit),
        cancelled_by=CANCELLERS[booking.cancelled_by],
    )
