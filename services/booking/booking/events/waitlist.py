"""Facts about waitlists, and entries as answers show them. No fact holds a guest's data."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from booking.domain.bookings import Booking
from booking.domain.clock import DAY_MINUTES, clock_time
from booking.domain.waitlist import ANY_LATEST, Entry, EntryStatus, Offer
from booking.events.messages import guest_message, moment, money
from comptoir.booking.v1 import events_pb2, waitlist_pb2
from servicekit import ids, outbox
from servicekit.database import Transaction
from servicekit.money import Money

_STATUSES = {
    EntryStatus.WAITING: waitlist_pb2.WAITLIST_STATUS_WAITING,
    EntryStatus.OFFERED: waitlist_pb2.WAITLIST_STATUS_OFFERED,
    EntryStatus.ACCEPTED: waitlist_pb2.WAITLIST_STATUS_ACCEPTED,
    EntryStatus.DECLINED: waitlist_pb2.WAITLIST_STATUS_DECLINED,
    EntryStatus.EXPIRED: waitlist_pb2.WAITLIST_STATUS_EXPIRED,
    EntryStatus.WITHDRAWN: waitlist_pb2.WAITLIST_STATUS_WITHDRAWN,
    EntryStatus.REMOVED: waitlist_pb2.WAITLIST_STATUS_REMOVED,
    EntryStatus.CLOSED: waitlist_pb2.WAITLIST_STATUS_CLOSED,
}


async def waitlist_joined(tx: Transaction, entry: Entry) -> None:
    """A party waits, for something else than before when it waited already."""
    await _tell(tx, entry, events_pb2.WaitlistJoined(entry=_snapshot(entry)))


async def waitlist_offered(tx: Transaction, entry: Entry, offer: Offer) -> None:
    """Room is kept for a party that waits."""
    message = events_pb2.WaitlistOffered(
        entry=_snapshot(entry),
        booking_id=ids.show("bkg", offer.booking_id),
        start=moment(ZoneInfo(entry.time_zone), offer.start),
        expires_at=_timestamp(offer.expires_at),
    )
    await _tell(tx, entry, message)


async def waitlist_offer_declined(tx: Transaction, entry: Entry, booking_id: UUID) -> None:
    """A party declined an offer and goes on waiting."""
    booking = ids.show("bkg", booking_id)
    await _tell(tx, entry, events_pb2.WaitlistOfferDeclined(entry=_snapshot(entry), booking_id=booking))


async def waitlist_link_requested(tx: Transaction, entry: Entry) -> None:
    """A party that waits is to be sent its link again."""
    await _tell(tx, entry, events_pb2.WaitlistLinkRequested(entry_id=ids.show("wle", entry.id)))


async def waitlist_closed(tx: Transaction, entry: Entry, booking_id: UUID | None = None) -> None:
    """A party waits no more; `booking_id` is what it has instead, if anything."""
    booking = ids.show("bkg", booking_id) if booking_id else ""
    await _tell(tx, entry, events_pb2.WaitlistClosed(entry=_snapshot(entry), booking_id=booking))


def entry_message(
    entry: Entry,
    *,
    position: int,
    offered: Booking | None,
    fee_if_accepted: Money | None,
    booking_id: UUID | None,
) -> waitlist_pb2.WaitlistEntry:
    """An entry with its guest: for answers, never for events."""
    ask, zone = entry.ask, ZoneInfo(entry.time_zone)
    return waitlist_pb2.WaitlistEntry(
        id=ids.show("wle", entry.id),
        venue_id=ids.show("ven", entry.venue_id),
        offering_id=ids.show("off", ask.offering_id),
        status=_STATUSES[entry.status],
        party_size=ask.party_size,
        date=ask.best_date.isoformat(),
        flexible_days=ask.flexible_days,
        earliest=clock_time(ask.earliest) if ask.earliest else "",
        latest=clock_time(ask.latest % DAY_MINUTES) if ask.latest < ANY_LATEST else "",
        time_zone=entry.time_zone,
        guest=guest_message(ask.guest),
        notes=ask.notes,
        position=position,
        offer=_offer(zone, offered, fee_if_accepted) if offered else None,
        booking_id=ids.show("bkg", booking_id) if booking_id else "",
        created_at=moment(zone, entry.created_at),
        version=entry.version,
        joined_by_booking_id=ids.show("bkg", ask.booking_id) if ask.booking_id else "",
        instead_of_booking=ask.instead,
        area_id=ids.show("are", ask.area_id) if ask.area_id else "",
        attributes=sorted(ask.attributes),
    )


def _offer(zone: ZoneInfo, booking: Booking, fee: Money | None) -> waitlist_pb2.WaitlistOffer:
    assert booking.hold_expires_at is not None  # noqa: S101  # what is offered is held
    return waitlist_pb2.WaitlistOffer(
        booking_id=ids.show("bkg", booking.id),
        start=moment(zone, booking.start),
        end=moment(zone, booking.end),
        expires_at=moment(zone, booking.hold_expires_at),
        deposit=money(booking.deposit),
        fee_if_accepted=money(fee),
    )


async def _tell(tx: Transaction, entry: Entry, message: Message) -> None:
    if not entry.unproven:  # nobody but whoever made it is to know of it
        await outbox.add(tx, message, key=entry.id)


def _snapshot(entry: Entry) -> events_pb2.WaitlistSnapshot:
    return events_pb2.WaitlistSnapshot(
        entry_id=ids.show("wle", entry.id),
        venue_id=ids.show("ven", entry.venue_id),
        offering_id=ids.show("off", entry.ask.offering_id),
        status=_STATUSES[entry.status],
        party_size=entry.ask.party_size,
        first_date=entry.ask.first_date.isoformat(),
        last_date=entry.ask.last_date.isoformat(),
        version=entry.version,
        created_at=_timestamp(entry.created_at),
    )


def _timestamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
