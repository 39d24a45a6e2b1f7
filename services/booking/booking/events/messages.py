"""Domain objects as messages of the contract, for events and answers alike. Decides nothing."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain.bookings import Booking, CancelledBy, DepositPayment, Status
from booking.domain.calendar import offset_minutes
from booking.domain.offerings import (
    Offering,
    Shift,
    clock_time,
)
from booking.domain.venues import (
    Area,
    Combination,
    Resource,
    ResourceKind,
    Venue,
)
from comptoir.booking.v1 import booking_pb2, venue_pb2
from comptoir.common.v1 import values_pb2
from servicekit import ids
from servicekit.money import Money

STATUSES = {
    Status.HELD: booking_pb2.BOOKING_STATUS_HELD,
    Status.CONFIRMED: booking_pb2.BOOKING_STATUS_CONFIRMED,
    Status.CANCELLED: booking_pb2.BOOKING_STATUS_CANCELLED,
    Status.EXPIRED: booking_pb2.BOOKING_STATUS_EXPIRED,
}
CANCELLERS = {
    None: booking_pb2.CANCELLED_BY_UNSPECIFIED,
    CancelledBy.GUEST: booking_pb2.CANCELLED_BY_GUEST,
    CancelledBy.VENUE: booking_pb2.CANCELLED_BY_VENUE,
}
KINDS = {
    ResourceKind.TABLE: venue_pb2.RESOURCE_KIND_TABLE,
    ResourceKind.PERSON: venue_pb2.RESOURCE_KIND_PERSON,
    ResourceKind.ROOM: venue_pb2.RESOURCE_KIND_ROOM,
    ResourceKind.BAY: venue_pb2.RESOURCE_KIND_BAY,
}


def venue_message(venue: Venue) -> venue_pb2.Venue:
    """A venue as guests see it."""
    return venue_pb2.Venue(
        id=ids.show("ven", venue.id),
        name=venue.name,
        slug=venue.slug,
        time_zone=venue.time_zone,
        currency=venue.currency,
        address=venue.address,
    )


def area_message(area: Area) -> venue_pb2.Area:
    """An area."""
    return venue_pb2.Area(id=ids.show("are", area.id), name=area.name)


def resource_message(resource: Resource) -> venue_pb2.Resource:
    """A resource."""
    return venue_pb2.Resource(
        id=ids.show("res", resource.id),
        name=resource.name,
        kind=KINDS[resource.kind],
        min_party=resource.min_party,
        max_party=resource.max_party,
        area_id=ids.show("are", resource.area_id) if resource.area_id else "",
    )


def combination_message(combination: Combination) -> venue_pb2.Combination:
    """A combination."""
    return venue_pb2.Combination(
        id=ids.show("cmb", combination.id),
        name=combination.name,
        resource_ids=[ids.show("res", each) for each in combination.resource_ids],
        min_party=combination.min_party,
        max_party=combination.max_party,
    )


def offering_message(offering: Offering) -> venue_pb2.Offering:
    """An offering."""
    rule = offering.deposit
    return venue_pb2.Offering(
        id=ids.show("off", offering.id),
        name=offering.name,
        turn_times=[
            venue_pb2.TurnTime(max_party=turn.max_party, minutes=turn.minutes) for turn in offering.turn_times
        ],
        deposit=venue_pb2.DepositRule(
            from_party=rule.from_party,
            per_person=money(rule.per_person),
            free_cancellation_hours=rule.free_cancellation_hours,
        )
        if rule
        else None,
        slot_minutes=offering.slot_minutes,
        min_notice_minutes=offering.min_notice_minutes,
        max_advance_days=offering.max_advance_days,
    )


def shift_message(shift: Shift) -> venue_pb2.Shift:
    """A shift, in local times."""
    return venue_pb2.Shift(
        id=ids.show("shi", shift.id),
        offering_id=ids.show("off", shift.offering_id),
        weekdays=shift.weekdays,
        opens=clock_time(shift.opens),
        last_start=clock_time(shift.last_start % (24 * 60)),
        closes=clock_time(shift.closes),
    )


def booking_message(booking: Booking) -> booking_pb2.Booking:
    """A booking with its guest: for answers, never for events."""
    zone = ZoneInfo(booking.time_zone)
    return booking_pb2.Booking(
        id=ids.show("bkg", booking.id),
        venue_id=ids.show("ven", booking.venue_id),
        offering_id=ids.show("off", booking.offering_id),
        status=STATUSES[booking.status],
        party_size=booking.party_size,
        start=moment(zone, booking.start),
        end=moment(zone, booking.end),
        service_date=booking.service_date.isoformat(),
        time_zone=booking.time_zone,
        resource_ids=occupied(booking),
        guest=booking_pb2.Guest(
            name=booking.guest.name,
            email=booking.guest.email,
            phone=booking.guest.phone,
            language=booking.guest.language,
        ),
        notes=booking.notes,
        deposit=money(booking.deposit),
        hold_expires_at=moment(zone, booking.hold_expires_at) if booking.hold_expires_at else None,
        cancelled_by=CANCELLERS[booking.cancelled_by],
        version=booking.version,
    )


def occupied(booking: Booking) -> list[str]:
    """What a booking occupies now: nothing once it is cancelled or expired."""
    return [_resource(each) for each in booking.resource_ids] if booking.live else []


def moment(zone: ZoneInfo, instant: datetime | int) -> values_pb2.OffsetDateTime:
    """An instant with the offset that the zone shows then."""
    seconds = instant if isinstance(instant, int) else int(instant.timestamp())
    return values_pb2.OffsetDateTime(epoch_seconds=seconds, offset_minutes=offset_minutes(zone, seconds))


def money(amount: Money | None) -> values_pb2.Money | None:
    """An amount; None stays away."""
    return values_pb2.Money(amount=amount.amount, currency=amount.currency) if amount else None


def _resource(resource_id: UUID) -> str:
    return ids.show("res", resource_id)


def payment_message(payment: DepositPayment) -> booking_pb2.DepositPayment:
    """How a deposit is paid."""
    return booking_pb2.DepositPayment(
        payment_id=ids.show("pay", payment.payment_id),
        amount=money(payment.amount),
        client_secret=payment.client_secret,
        provider=payment.provider,
    )
