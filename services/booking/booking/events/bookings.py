"""Facts about bookings. Each carries the booking as it stands, without its guest."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from booking.domain.bookings import Booking, Fact, Status
from booking.events.messages import CANCELLERS, STATUSES, moment, money, occupied, rules
from comptoir.booking.v1 import events_pb2
from comptoir.common.v1 import values_pb2
from servicekit import contract, ids, outbox
from servicekit.database import Transaction
from servicekit.money import Money


def booking_made(booking: Booking) -> Fact:
    """A new booking, packed for the statement that writes it."""
    return _packed(_made(booking))


def booking_offered(booking: Booking, entry_id: UUID) -> Fact:
    """A new booking that is held for somebody who waits, packed likewise."""
    message = events_pb2.BookingOffered(
        booking=_snapshot(booking),
        expires_at=_timestamp(booking.hold_expires_at),
        entry_id=ids.show("wle", entry_id),
    )
    return _packed(message)


async def booking_requested(tx: Transaction, booking: Booking) -> None:
    """A guest asks for a booking, or for another one than before."""
    await _tell(tx, booking, _requested(booking))


async def booking_declined(tx: Transaction, booking: Booking) -> None:
    """Staff said no to a request."""
    message = events_pb2.BookingDeclined(booking=_snapshot(booking), reason_code=booking.ending.code)
    await _tell(tx, booking, message)


async def booking_held(tx: Transaction, booking: Booking) -> None:
    """Staff said yes to a request that has a deposit to pay."""
    await _tell(tx, booking, _held(booking))


async def booking_confirmed(tx: Transaction, booking: Booking) -> None:
    """A booking is promised."""
    await _tell(tx, booking, events_pb2.BookingConfirmed(booking=_snapshot(booking)))


async def booking_moved(tx: Transaction, booking: Booking, *, before: Booking) -> None:
    """A booking is at another time, or for another number of people."""
    previous = moment(ZoneInfo(booking.time_zone), before.start)
    message = events_pb2.BookingMoved(
        booking=_snapshot(booking), previous_start=previous, previous_party_size=before.party_size
    )
    await _tell(tx, booking, message)


async def booking_reseated(tx: Transaction, booking: Booking, *, before: Booking) -> None:
    """A booking is at other resources."""
    previous = [ids.show("res", each) for each in before.resource_ids]
    message = events_pb2.BookingReseated(booking=_snapshot(booking), previous_resource_ids=previous)
    await _tell(tx, booking, message)


async def booking_delayed(tx: Transaction, booking: Booking) -> None:
    """A guest said to be late."""
    late = booking.visit.late_minutes
    await _tell(tx, booking, events_pb2.BookingDelayed(booking=_snapshot(booking), late_minutes=late))


async def booking_arrived(tx: Transaction, booking: Booking, *, fee_waived: Money | None) -> None:
    """The guest is there; payment gives back what it kept while they seemed not to come."""
    message = events_pb2.BookingArrived(booking=_snapshot(booking), fee_waived=_due(fee_waived))
    await _tell(tx, booking, message)


async def booking_seated(tx: Transaction, booking: Booking, *, fee_waived: Money | None) -> None:
    """The party sits; `fee_waived` as when it arrives."""
    message = events_pb2.BookingSeated(booking=_snapshot(booking), fee_waived=_due(fee_waived))
    await _tell(tx, booking, message)


async def booking_completed(tx: Transaction, booking: Booking) -> None:
    """The party left."""
    await _tell(tx, booking, events_pb2.BookingCompleted(booking=_snapshot(booking)))


async def booking_missed(tx: Transaction, booking: Booking, *, fee: Money | None) -> None:
    """The guest did not come; payment keeps the fee of the deposit, and gives back the rest."""
    await _tell(tx, booking, events_pb2.BookingNoShow(booking=_snapshot(booking), fee=money(fee)))


async def link_requested(tx: Transaction, booking: Booking) -> None:
    """A guest wants the mail about a booking again."""
    await _tell(tx, booking, events_pb2.BookingLinkRequested(booking=_snapshot(booking)))


async def booking_cancelled(tx: Transaction, booking: Booking, *, refund_due: Money | None) -> None:
    """A booking is called off; payment gives back what is due."""
    message = events_pb2.BookingCancelled(
        booking=_snapshot(booking), refund_due=_due(refund_due), reason_code=booking.ending.code
    )
    await _tell(tx, booking, message)


async def booking_expired(tx: Transaction, booking: Booking, *, refund_due: Money | None) -> None:
    """A hold or a request ran out; payment gives back what came too late."""
    message = events_pb2.BookingExpired(booking=_snapshot(booking), refund_due=_due(refund_due))
    await _tell(tx, booking, message)


async def _tell(tx: Transaction, booking: Booking, message: Message) -> None:
    await outbox.add(tx, message, key=booking.id)


def _packed(message: Message) -> Fact:
    event = contract.events()[message.DESCRIPTOR.full_name]
    return Fact(ids.new(), event.topic, event.name, message.SerializeToString(deterministic=True))


def _made(booking: Booking) -> Message:
    match booking.status:
        case Status.REQUESTED:
            return _requested(booking)
        case Status.HELD:
            return _held(booking)
        case Status.CONFIRMED:
            return events_pb2.BookingConfirmed(booking=_snapshot(booking))
        case Status.SEATED:
            return events_pb2.BookingSeated(booking=_snapshot(booking), walk_in=True)
        case _:
            raise AssertionError(booking.status)  # no booking begins like this


def _requested(booking: Booking) -> events_pb2.BookingRequested:
    answer_by = _timestamp(booking.hold_expires_at)
    return events_pb2.BookingRequested(booking=_snapshot(booking), answer_by=answer_by)


def _held(booking: Booking) -> events_pb2.BookingHeld:
    expires_at = _timestamp(booking.hold_expires_at)
    return events_pb2.BookingHeld(booking=_snapshot(booking), expires_at=expires_at)


def _due(refund: Money | None) -> values_pb2.Money | None:
    return money(refund) if refund and refund.amount else None


def _snapshot(booking: Booking) -> events_pb2.BookingSnapshot:
    zone = ZoneInfo(booking.time_zone)
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
        created_at=_timestamp(booking.created_at),
        deposit=money(booking.deposit),
        cancelled_by=CANCELLERS[booking.cancelled_by],
        overridden=rules(booking.overridden),
        price=money(booking.price),
        series_id=ids.show("ser", booking.series_id) if booking.series_id else "",
    )


def _timestamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
