"""Domain objects as messages of the contract, for events and answers alike. Decides nothing."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain.bookings import (
    Actor,
    ActorKind,
    Booking,
    CancelledBy,
    Change,
    DepositPayment,
    Guest,
    Status,
    Wants,
)
from booking.domain.calendar import offset_minutes
from booking.domain.clock import Lead, clock_time
from booking.domain.floor import Channel
from booking.domain.offerings import Offering
from booking.domain.operations import Operation
from booking.domain.overrides import Rule
from booking.domain.themes import Theme
from booking.domain.turns import TurnTime, WeekdayTurns
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
    Status.REQUESTED: booking_pb2.BOOKING_STATUS_REQUESTED,
    Status.DECLINED: booking_pb2.BOOKING_STATUS_DECLINED,
    Status.ARRIVED: booking_pb2.BOOKING_STATUS_ARRIVED,
    Status.SEATED: booking_pb2.BOOKING_STATUS_SEATED,
    Status.COMPLETED: booking_pb2.BOOKING_STATUS_COMPLETED,
    Status.NO_SHOW: booking_pb2.BOOKING_STATUS_NO_SHOW,
}
CANCELLERS = {
    None: booking_pb2.CANCELLED_BY_UNSPECIFIED,
    CancelledBy.GUEST: booking_pb2.CANCELLED_BY_GUEST,
    CancelledBy.VENUE: booking_pb2.CANCELLED_BY_VENUE,
}
RULES = {
    Rule.CLOSED: booking_pb2.OVERRIDE_RULE_CLOSED,
    Rule.NOTICE: booking_pb2.OVERRIDE_RULE_NOTICE,
    Rule.ADVANCE: booking_pb2.OVERRIDE_RULE_ADVANCE,
    Rule.PACING: booking_pb2.OVERRIDE_RULE_PACING,
    Rule.PARTY_SIZE: booking_pb2.OVERRIDE_RULE_PARTY_SIZE,
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
        reseating=venue.reseating,
        theme=theme_message(venue.theme),
    )


def theme_message(theme: Theme | None) -> venue_pb2.VenueTheme | None:
    """How an organization looks."""
    return None if theme is None else venue_pb2.VenueTheme(**asdict(theme))


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
        attributes=sorted(resource.attributes),
        priority=resource.priority,
        staff_only=not resource.online,
        out_of_service=not resource.in_service,
    )


def combination_message(combination: Combination) -> venue_pb2.Combination:
    """A combination."""
    rule = combination.adjacency
    return venue_pb2.Combination(
        id=ids.show("cmb", combination.id),
        name=combination.name,
        resource_ids=[ids.show("res", each) for each in combination.resource_ids],
        min_party=0 if rule else combination.min_party,
        max_party=0 if rule else combination.max_party,
        adjacency=venue_pb2.Adjacency(
            max_joined=rule.max_joined,
            seats_lost_per_joint=rule.seats_lost_per_joint,
            min_party=rule.min_party,
        )
        if rule
        else None,
    )


def offering_message(offering: Offering) -> venue_pb2.Offering:
    """An offering."""
    rule, terms, asking = offering.deposit, offering.terms, offering.terms.requests
    return venue_pb2.Offering(
        id=ids.show("off", offering.id),
        name=offering.name,
        turn_times=_turn_times(offering.turn_times),
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
        buffer_before_minutes=offering.buffer_before_minutes,
        buffer_after_minutes=offering.buffer_after_minutes,
        notice_until=_lead(offering.notice_until),
        release=_lead(offering.release),
        weekday_turn_times=_weekday_turns(offering.weekday_turns),
        operations=[_operation(each) for each in offering.operations],
        max_empty_seats=offering.filling.max_empty_seats,
        last_fill_minutes=offering.filling.last_fill_minutes,
        price_per_person=money(terms.price_per_person),
        policy=terms.policy,
        request=venue_pb2.RequestRule(
            from_party=asking.from_party,
            answer_hours=asking.answer_hours,
            hold_capacity=asking.holds_capacity,
            payment_hours=asking.payment_hours,
        )
        if asking
        else None,
        no_show_minutes=terms.grace_minutes or 0,
        no_show_by_staff=terms.grace_minutes is None,
        no_show_percent=terms.no_show_percent,
        version=offering.version,
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
        guest=guest_message(booking.guest),
        notes=booking.notes,
        deposit=money(booking.deposit),
        hold_expires_at=_moment(zone, booking.hold_expires_at),
        cancelled_by=CANCELLERS[booking.cancelled_by],
        version=booking.version,
        price=money(booking.price),
        price_per_person=money(booking.price_per_person),
        policy=booking.policy,
        reason_code=booking.ending.code,
        reason=booking.ending.text,
        overridden=rules(booking.overridden),
        pinned=booking.pinned,
        late_minutes=booking.visit.late_minutes,
        arrived_at=_moment(zone, booking.visit.arrived_at),
        seated_at=_moment(zone, booking.visit.seated_at),
        completed_at=_moment(zone, booking.visit.completed_at),
        by_staff=booking.channel is Channel.STAFF,
        area_id=ids.show("are", booking.area_id) if booking.area_id else "",
        attributes=sorted(booking.attributes),
        series_id=ids.show("ser", booking.series_id) if booking.series_id else "",
        series_date=booking.series_date.isoformat() if booking.series_date else "",
    )


def payment_message(payment: DepositPayment) -> booking_pb2.DepositPayment:
    """How a deposit is paid: for answers, never for events."""
    return booking_pb2.DepositPayment(
        payment_id=ids.show("pay", payment.payment_id),
        amount=money(payment.amount),
        client_secret=payment.client_secret,
        provider=payment.provider,
    )


def change_message(zone: ZoneInfo, change: Change) -> booking_pb2.BookingChange:
    """A line of a booking's history: for answers, never for events."""
    differences = {name: pair for name, pair in change.differences.items() if name != "overridden"}
    return booking_pb2.BookingChange(
        number=change.version,
        kind=change.kind.value,
        actor=change.actor.kind.value,
        user_id=_actor_id(change.actor, "usr", ActorKind.MEMBER),
        key_id=_actor_id(change.actor, "key", ActorKind.KEY, ActorKind.CONNECTOR),
        operator_id=_actor_id(change.actor, "opr", ActorKind.OPERATOR),
        at=moment(zone, change.at),
        reason_code=change.reason.code,
        reason=change.reason.text,
        differences=[
            booking_pb2.BookingDifference(field=name, before=_told(name, then), after=_told(name, now))
            for name, (then, now) in differences.items()
        ],
        overridden=rules(map(Rule, change.differences.get("overridden", ()))),
    )


def _actor_id(actor: Actor, prefix: str, *kinds: ActorKind) -> str:
    return ids.show(prefix, actor.user) if actor.user and actor.kind in kinds else ""


def guest_view(booking: Booking) -> booking_pb2.Booking:
    """The same for its guest: without what staff wrote to each other."""
    shown = booking_message(booking)
    if booking.cancelled_by is not CancelledBy.GUEST:
        shown.reason = ""
    return shown


def rules(overridden: Iterable[Rule]) -> list[booking_pb2.OverrideRule.ValueType]:
    """Rules that staff set aside, always in the same order."""
    return [RULES[each] for each in sorted(overridden)]


def occupied(booking: Booking) -> list[str]:
    """What a booking occupies now: nothing once it is over."""
    return [_resource(each) for each in booking.resource_ids] if booking.live else []


def moment(zone: ZoneInfo, instant: datetime | int) -> values_pb2.OffsetDateTime:
    """An instant with the offset that the zone shows then."""
    seconds = instant if isinstance(instant, int) else int(instant.timestamp())
    return values_pb2.OffsetDateTime(epoch_seconds=seconds, offset_minutes=offset_minutes(zone, seconds))


def money(amount: Money | None) -> values_pb2.Money | None:
    """An amount; None stays away."""
    return values_pb2.Money(amount=amount.amount, currency=amount.currency) if amount else None


def guest_message(guest: Guest) -> booking_pb2.Guest:
    """A guest: for answers, never for events."""
    told = guest.preferences
    return booking_pb2.Guest(
        name=guest.name,
        email=guest.email,
        phone=guest.phone,
        language=guest.language,
        dietary=_wants(told.dietary),
        accessibility=_wants(told.accessibility),
        occasion=told.occasion,
        marketing_consent=told.marketing_consent,
    )


def _turn_times(turns: Iterable[TurnTime]) -> list[venue_pb2.TurnTime]:
    return [venue_pb2.TurnTime(max_party=turn.max_party, minutes=turn.minutes) for turn in turns]


def _weekday_turns(turns: Iterable[WeekdayTurns]) -> list[venue_pb2.WeekdayTurnTimes]:
    return [
        venue_pb2.WeekdayTurnTimes(weekdays=each.weekdays, turn_times=_turn_times(each.turn_times))
        for each in turns
    ]


def _operation(operation: Operation) -> venue_pb2.Operation:
    return venue_pb2.Operation(
        name=operation.name,
        turn_times=_turn_times(operation.turns.usual if operation.turns else ()),
        weekday_turn_times=_weekday_turns(operation.turns.weekdays if operation.turns else ()),
        needs=[
            venue_pb2.Need(
                kind=KINDS[need.kind] if need.kind else venue_pb2.RESOURCE_KIND_UNSPECIFIED,
                attributes=sorted(need.attributes),
                resource_ids=[_resource(each) for each in sorted(need.resource_ids)],
                quantity=need.quantity,
                seats_party=need.seats_party,
                role=need.role,
            )
            for need in operation.needs
        ],
    )


def _lead(lead: Lead | None) -> venue_pb2.Lead | None:
    return venue_pb2.Lead(days_before=lead.days, time=clock_time(lead.minute)) if lead else None


def _wants(wants: Wants) -> booking_pb2.Wants | None:
    return booking_pb2.Wants(words=wants.words, note=wants.note) if wants != Wants() else None


def _moment(zone: ZoneInfo, instant: datetime | None) -> values_pb2.OffsetDateTime | None:
    return moment(zone, instant) if instant else None


def _told(name: str, value: Any) -> str:
    """A value of the history in words of the contract."""
    match name:
        case "resource_ids":
            return ",".join(_resource(UUID(each)) for each in value)
        case "pinned":
            return "true" if value else "false"
    return str(value)


def _resource(resource_id: UUID) -> str:
    return ids.show("res", resource_id)
