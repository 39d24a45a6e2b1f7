"""Events of other services in our words: what happened to a booking, and what partners are told of it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from comptoir.booking.v1 import booking_pb2, events_pb2, waitlist_pb2
from comptoir.common.v1 import values_pb2
from comptoir.notification.v1 import events_pb2 as own_events_pb2
from comptoir.payment.v1 import events_pb2 as payment_events_pb2
from comptoir.support.v1 import events_pb2 as support_events_pb2
from notification.domain.bookings import BookingChange, BookingStatus, ChangeKind, WaitlistOffer
from notification.domain.errors import UnreadableEvent
from notification.domain.webhooks import PartnerEvent
from servicekit import contract, ids, outbox, privacy
from servicekit.database import Transaction
from servicekit.events import Event

_CHANGES: Mapping[str, ChangeKind] = {
    events_pb2.BookingRequested.DESCRIPTOR.full_name: ChangeKind.REQUESTED,
    events_pb2.BookingDeclined.DESCRIPTOR.full_name: ChangeKind.DECLINED,
    events_pb2.BookingHeld.DESCRIPTOR.full_name: ChangeKind.HELD,
    events_pb2.BookingConfirmed.DESCRIPTOR.full_name: ChangeKind.CONFIRMED,
    events_pb2.BookingMoved.DESCRIPTOR.full_name: ChangeKind.MOVED,
    events_pb2.BookingCancelled.DESCRIPTOR.full_name: ChangeKind.CANCELLED,
    events_pb2.BookingExpired.DESCRIPTOR.full_name: ChangeKind.EXPIRED,
    events_pb2.BookingArrived.DESCRIPTOR.full_name: ChangeKind.ENDED,
    events_pb2.BookingSeated.DESCRIPTOR.full_name: ChangeKind.ENDED,
    events_pb2.BookingCompleted.DESCRIPTOR.full_name: ChangeKind.ENDED,
    events_pb2.BookingNoShow.DESCRIPTOR.full_name: ChangeKind.ENDED,
}
_CAME_TO_STAND = {
    BookingStatus.REQUESTED: ChangeKind.REQUESTED,
    BookingStatus.HELD: ChangeKind.HELD,
    BookingStatus.CONFIRMED: ChangeKind.CONFIRMED,
}
_MAY_GIVE_BACK = (events_pb2.BookingCancelled, events_pb2.BookingExpired)


def booking_change(event: Event) -> BookingChange:
    """What an event says of a booking."""
    message = event.message
    snapshot = message.booking
    return BookingChange(
        kind=_CHANGES[event.type],
        booking=ids.parse("bkg", snapshot.booking_id, UnreadableEvent),
        version=snapshot.version,
        status=BookingStatus(_word(snapshot.status)),
        starts_at=datetime.fromtimestamp(snapshot.start.epoch_seconds, UTC),
        money_back=isinstance(message, _MAY_GIVE_BACK) and message.refund_due.amount > 0,
    )


def waitlist_offer(event: Event) -> WaitlistOffer:
    """What is offered to whom."""
    offered = event.message
    return WaitlistOffer(
        entry=ids.parse("wle", offered.entry.entry_id, UnreadableEvent),
        version=offered.entry.version,
        booking=ids.parse("bkg", offered.booking_id, UnreadableEvent),
        starts_at=datetime.fromtimestamp(offered.start.epoch_seconds, UTC),
    )


def waiting_entry(event: Event) -> tuple[UUID, bool]:
    """Which entry joined, and whether it did so for the first time."""
    entry = event.message.entry
    return ids.parse("wle", entry.entry_id, UnreadableEvent), entry.version == 1


def waitlist_link_request(event: Event) -> UUID:
    """The entry whose link is to be mailed again."""
    return ids.parse("wle", event.message.entry_id, UnreadableEvent)


def link_request(event: Event) -> BookingChange:
    """A booking whose mail is to be sent again, as if it had just come to stand as it does."""
    snapshot = event.message.booking
    status = BookingStatus(_word(snapshot.status))
    return BookingChange(
        kind=_CAME_TO_STAND[status],
        booking=ids.parse("bkg", snapshot.booking_id, UnreadableEvent),
        version=snapshot.version,
        status=status,
        starts_at=datetime.fromtimestamp(snapshot.start.epoch_seconds, UTC),
    )


def partner_event(event: Event) -> PartnerEvent:
    """What partners are told: thin, and nothing about the guest."""
    data: dict[str, Any]
    match event.message:
        case payment_events_pb2.PaymentSucceeded() as paid:
            data = {
                "payment_id": paid.payment_id,
                "booking_id": paid.booking_id,
                "amount": _money(paid.amount),
            }
        case payment_events_pb2.PaymentRefunded() as refunded:
            data = {
                "payment_id": refunded.payment_id,
                "booking_id": refunded.booking_id,
                "refunded": _money(refunded.refunded),
            }
        case support_events_pb2.TicketOpened() as opened:
            data = {"ticket_id": opened.ticket_id, "booking_id": opened.booking_id}
        case support_events_pb2.TicketAnswered() as answered:
            data = {
                "ticket_id": answered.ticket_id,
                "booking_id": answered.booking_id,
                "message_id": answered.message_id,
            }
        case events_pb2.WaitlistJoined() | events_pb2.WaitlistClosed() as changed:
            data = _entry(changed.entry)
        case events_pb2.WaitlistOffered() as offered:
            data = _entry(offered.entry) | {
                "booking_id": offered.booking_id,
                "start": _rfc3339(offered.start),
                "expires_at": offered.expires_at.ToJsonString(),
            }
        case about_booking:
            data = _booking(about_booking.booking)
    data["organization_id"] = ids.show("org", event.tenant)
    return PartnerEvent(contract.events()[event.type].rules.webhook, event.time, data)


def body(event: PartnerEvent) -> bytes:
    """The bytes that are signed and posted (Standard Webhooks 1.0.0: type, timestamp, data)."""
    content = {
        "type": event.type,
        "timestamp": event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": event.data,
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def person(event: Event) -> UUID:
    """Who must be sent a verification link."""
    return ids.parse("usr", event.message.user_id, UnreadableEvent)


def account_mail(event: Event) -> UUID:
    """Which mail about an account must be sent."""
    return ids.parse("aml", event.message.mail_id, UnreadableEvent)


def invitation(event: Event) -> UUID:
    """Which invitation must be mailed."""
    return ids.parse("inv", event.message.invitation_id, UnreadableEvent)


def answer(event: Event) -> tuple[UUID, UUID]:
    """The message that staff wrote, and the booking it is about."""
    message = ids.parse("tms", event.message.message_id, UnreadableEvent)
    return message, ids.parse("bkg", event.message.booking_id, UnreadableEvent)


async def personal_data_erased(tx: Transaction, request_id: UUID, rows: Mapping[str, int]) -> None:
    """A person is forgotten here: the one fact that notification tells others."""
    message = own_events_pb2.PersonalDataErased(
        request_id=ids.show("prq", request_id), erased=privacy.erased(rows)
    )
    await outbox.add(tx, message, key=request_id)


def _booking(snapshot: events_pb2.BookingSnapshot) -> dict[str, Any]:
    return {
        "booking_id": snapshot.booking_id,
        "venue_id": snapshot.venue_id,
        "status": _word(snapshot.status),
        "party_size": snapshot.party_size,
        "start": _rfc3339(snapshot.start),
        "end": _rfc3339(snapshot.end),
        "service_date": snapshot.service_date,
        "version": snapshot.version,
    }


def _entry(snapshot: events_pb2.WaitlistSnapshot) -> dict[str, Any]:
    return {
        "entry_id": snapshot.entry_id,
        "venue_id": snapshot.venue_id,
        "offering_id": snapshot.offering_id,
        "status": waitlist_pb2.WaitlistStatus.Name(snapshot.status).removeprefix("WAITLIST_STATUS_").lower(),
        "party_size": snapshot.party_size,
        "first_date": snapshot.first_date,
        "last_date": snapshot.last_date,
        "version": snapshot.version,
    }


def _word(status: booking_pb2.BookingStatus.ValueType) -> str:
    return booking_pb2.BookingStatus.Name(status).removeprefix("BOOKING_STATUS_").lower()


def _money(money: values_pb2.Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _rfc3339(moment: values_pb2.OffsetDateTime) -> str:
    offset = timezone(timedelta(minutes=moment.offset_minutes))
    return datetime.fromtimestamp(moment.epoch_seconds, offset).isoformat()
