"""A booking: a promise to a guest, from the request to the end of the visit. Nothing here is undone."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from booking.domain.bookings.guests import Guest, Wish
from booking.domain.bookings.history import NO_REASON, CancelledBy, Reason
from booking.domain.bookings.life import (
    OCCUPYING,
    BookingNotCancellable,
    BookingNotDue,
    BookingNotMovable,
    Status,
    Step,
    destinations,
    refuse_unless_possible,
)
from booking.domain.bookings.stays import Stay, Visit
from booking.domain.floor import Channel, Party
from booking.domain.offerings import Offering
from booking.domain.overrides import Rule
from booking.domain.terms import RequestRule
from servicekit.errors import VersionMismatch
from servicekit.money import Money

_TOKEN_AFTERLIFE = timedelta(days=30)
_EARLIEST_ARRIVAL = timedelta(hours=6)
_AT_THE_VENUE = frozenset({Status.ARRIVED, Status.SEATED})
_RUNNING_OUT = frozenset({Status.REQUESTED, Status.HELD})


@dataclass(frozen=True, slots=True)
class Booking:
    """A promise to a guest. `version` rises with every change."""

    id: UUID
    venue_id: UUID
    time_zone: str
    offering_id: UUID
    guest: Guest
    status: Status
    party_size: int
    start: datetime
    end: datetime
    service_date: date
    resource_ids: tuple[UUID, ...]
    """What it occupies; after its end, what it occupied last. A request may occupy nothing."""
    notes: str
    deposit: Money | None
    free_cancellation_hours: int | None
    """The rule that stood when it was booked; None without a deposit."""
    created_at: datetime
    hold_expires_at: datetime | None = None
    """When a hold's room, or a request, runs out."""
    deposit_paid_at: datetime | None = None
    cancelled_by: CancelledBy | None = None
    version: int = 1
    price: Money | None = None
    """Of the whole party, as it stood when it was booked."""
    policy: str = ""
    grace_minutes: int | None = None
    """After the start, before it counts as missed; None leaves that to staff."""
    overridden: frozenset[Rule] = frozenset()
    """The rules that staff set aside for it."""
    pinned: bool = False
    """Whether the engine leaves it where it is."""
    ending: Reason = NO_REASON
    """Why it was cancelled or declined."""
    visit: Visit = field(default_factory=Visit)
    channel: Channel = Channel.ONLINE
    """How it came in."""
    area_id: UUID | None = None
    """Where the guest wants to be; None for anywhere."""
    attributes: frozenset[str] = frozenset()
    """What the guest asks of everything that seats the party."""

    @classmethod
    def promise(
        cls,
        id: UUID,  # noqa: A002
        wish: Wish,
        *,
        venue_id: UUID,
        time_zone: str,
        offering: Offering,
        service_date: date,
        end: int,
        resource_ids: tuple[UUID, ...],
        hold_ttl: timedelta,
        now: datetime,
        request: RequestRule | None = None,
        channel: Channel = Channel.ONLINE,
    ) -> "Booking":
        """A new booking: requested by `request`, held for `hold_ttl` when a deposit is due, else confirmed.

        The price and the rule of cancellation are kept as they stand now.
        """
        deposit, terms = offering.deposit_for(wish.party_size), offering.terms
        stay = Stay.of(service_date, wish.start, end)
        status, expires = Status.CONFIRMED, None
        if request:
            status, expires = Status.REQUESTED, request.answer_by(start=stay.start, now=now)
        elif deposit:
            status, expires = Status.HELD, now + hold_ttl
        return cls(
            id=id,
            venue_id=venue_id,
            time_zone=time_zone,
            offering_id=offering.id,
            guest=wish.guest,
            status=status,
            party_size=wish.party_size,
            start=stay.start,
            end=stay.end,
            service_date=service_date,
            resource_ids=resource_ids,
            notes=wish.notes,
            deposit=deposit,
            free_cancellation_hours=offering.deposit.free_cancellation_hours
            if deposit and offering.deposit
            else None,
            created_at=now,
            hold_expires_at=expires,
            price=terms.price_for(wish.party_size),
            policy=terms.policy,
            grace_minutes=terms.grace_minutes,
            overridden=wish.waived,
            channel=channel,
            area_id=wish.area_id,
            attributes=wish.attributes,
        )

    @classmethod
    def walk_in(
        cls,
        id: UUID,  # noqa: A002
        wish: Wish,
        *,
        venue_id: UUID,
        time_zone: str,
        offering: Offering,
        service_date: date,
        start: int,
        end: int,
        resource_ids: tuple[UUID, ...],
        now: datetime,
    ) -> "Booking":
        """A party at the door that sits down now. It pays no deposit."""
        booking = cls.promise(
            id,
            replace(wish, start=start),
            venue_id=venue_id,
            time_zone=time_zone,
            offering=replace(offering, deposit=None),
            service_date=service_date,
            end=end,
            resource_ids=resource_ids,
            hold_ttl=timedelta(),
            now=now,
            channel=Channel.STAFF,
        )
        return replace(booking, status=Status.SEATED, visit=Visit(arrived_at=now, seated_at=now))

    @property
    def party(self) -> Party:
        """Who is to be seated, and what they ask of the place."""
        any_size = Rule.PARTY_SIZE in self.overridden
        return Party(self.party_size, self.channel, self.area_id, self.attributes, any_size)

    @property
    def live(self) -> bool:
        """Whether it occupies anything."""
        return self.status in OCCUPYING or (self.status is Status.REQUESTED and bool(self.resource_ids))

    @property
    def missed_at(self) -> datetime | None:
        """When it counts as missed unless the guest arrives; None when only staff decide that."""
        if self.grace_minutes is None:
            return None
        return self.start + timedelta(minutes=self.grace_minutes + self.visit.late_minutes)

    def room_from(self, now: datetime) -> datetime:
        """From when on it needs room: a party that is there from now on, all others from their start."""
        return max(self.start, now) if self.status in _AT_THE_VENUE else self.start

    def as_of(self, now: datetime) -> "Booking":
        """How it stands at `now`: what ran out is expired, whether or not anybody wrote it down."""
        return replace(self, status=Status.EXPIRED, hold_expires_at=None) if self.ran_out(now) else self

    def ran_out(self, now: datetime) -> bool:
        """Whether it is a hold or a request whose time is over."""
        expires = self.hold_expires_at
        return self.status in _RUNNING_OUT and expires is not None and expires <= now

    def refuse_unless_version(self, expected: int) -> None:
        """Raises VersionMismatch when somebody has changed it since; 0 expects nothing."""
        if expected and expected != self.version:
            raise VersionMismatch

    def refuse_unless(self, step: Step, now: datetime) -> None:
        """Raises BookingStateConflict, or the refusal of the step, when it does not follow at `now`."""
        refuse_unless_possible(step, self.as_of(now).status)

    def follows(self, step: Step, now: datetime) -> bool:
        """Whether a step of the guest, moving or cancelling, is still possible at `now`."""
        return bool(destinations(step, self.as_of(now).status)) and now < self.start

    def refuse_unless_movable(self, now: datetime) -> None:
        """Raises BookingNotMovable once it has begun or is over."""
        self.refuse_unless(Step.MOVE, now)
        if now >= self.start:
            raise BookingNotMovable

    def move(
        self,
        start: datetime,
        end: datetime,
        service_date: date,
        *,
        now: datetime,
        party_size: int = 0,
        waived: Collection[Rule] = (),
    ) -> "Booking":
        """At another time, for `party_size` people (0: as many as before). Seating comes separately.

        The promise stays: price and deposit are what they were, also for a party that grew, and so is the
        deadline to pay. A request runs out by its new start.

        Raises:
            BookingNotMovable: it has begun, or is over.
        """
        self.refuse_unless_movable(now)
        expires = self.hold_expires_at
        return self._next(
            start=start,
            end=end,
            service_date=service_date,
            party_size=party_size or self.party_size,
            hold_expires_at=min(expires, start) if expires and self.status is Status.REQUESTED else expires,
            overridden=self.overridden | frozenset(waived),
        )

    def seated_at(self, resource_ids: tuple[UUID, ...]) -> "Booking":
        """At other resources; part of the change that is under way."""
        return replace(self, resource_ids=resource_ids)

    def reseat(self, resource_ids: tuple[UUID, ...], *, now: datetime) -> "Booking":
        """At other resources, to make room for somebody else.

        Raises:
            BookingNotMovable: it has begun or is over, or staff have pinned it.
        """
        self.refuse_unless_movable(now)
        if self.pinned or not self.live:
            raise BookingNotMovable
        return self._next(resource_ids=resource_ids)

    def assign(
        self,
        resource_ids: tuple[UUID, ...],
        *,
        pinned: bool,
        now: datetime,
        waived: Collection[Rule] = (),
    ) -> "Booking":
        """At resources that staff chose. Raises BookingStateConflict when it occupies nothing."""
        self.refuse_unless(Step.ASSIGN, now)
        overridden = self.overridden | frozenset(waived)
        return self._next(resource_ids=resource_ids, pinned=pinned, overridden=overridden)

    def confirm(self, *, pay_by: datetime, now: datetime, waived: Collection[Rule] = ()) -> "Booking":
        """A request that staff said yes to: held until `pay_by` when a deposit is due, else confirmed.

        Seating comes separately.

        Raises:
            BookingStateConflict: it is no request, or ran out.
        """
        self.refuse_unless(Step.CONFIRM, now)
        status, expires = (Status.HELD, pay_by) if self.deposit else (Status.CONFIRMED, None)
        overridden = self.overridden | frozenset(waived)
        return self._next(status=status, hold_expires_at=expires, overridden=overridden)

    def kept_until(self, expires: datetime) -> "Booking":
        """A new one that is only offered: held for somebody who waits, whether or not anything is due."""
        return replace(self, status=Status.HELD, hold_expires_at=expires)

    def accept(self, *, pay_by: datetime, now: datetime) -> "Booking":
        """An offer that its guest said yes to: held until `pay_by` when a deposit is due, else confirmed.

        Raises:
            BookingStateConflict: it is not held, or ran out.
        """
        self.refuse_unless(Step.ACCEPT, now)
        status, expires = (Status.HELD, pay_by) if self.deposit else (Status.CONFIRMED, None)
        return self._next(status=status, hold_expires_at=expires)

    def decline(self, reason: Reason, *, now: datetime) -> "Booking":
        """A request that staff said no to. Raises BookingStateConflict when it is none, or ran out."""
        self.refuse_unless(Step.DECLINE, now)
        return self._next(status=Status.DECLINED, hold_expires_at=None, ending=reason)

    def delay(self, minutes: int, *, now: datetime) -> "Booking":
        """The guest said to be late: it counts as missed later. Raises BookingStateConflict."""
        self.refuse_unless(Step.DELAY, now)
        return self._next(visit=replace(self.visit, late_minutes=minutes))

    def arrive(self, *, now: datetime) -> "Booking":
        """The guest is there, even one who counted as missed before the end.

        Raises:
            BookingStateConflict, BookingNotDue: it cannot be, or hours ahead, or after its end.
        """
        self.refuse_unless(Step.ARRIVE, now)
        self._refuse_unless_near(now)
        return self._next(status=Status.ARRIVED, visit=replace(self.visit, arrived_at=now))

    def seat(self, *, now: datetime) -> "Booking":
        """The party sits down; it need not have arrived before. Raises like `arrive`."""
        self.refuse_unless(Step.SEAT, now)
        self._refuse_unless_near(now)
        arrived = self.visit.arrived_at or now
        return self._next(status=Status.SEATED, visit=replace(self.visit, arrived_at=arrived, seated_at=now))

    def complete(self, *, now: datetime) -> "Booking":
        """The party left; what is left of its time is free. Raises BookingStateConflict."""
        self.refuse_unless(Step.COMPLETE, now)
        return self._next(status=Status.COMPLETED, visit=replace(self.visit, completed_at=now))

    def miss(self, *, now: datetime) -> "Booking":
        """The guest did not come, or was marked as arrived by mistake; its resources are free.

        Raises:
            BookingStateConflict, BookingNotDue: it cannot be, or has not begun.
        """
        self.refuse_unless(Step.MISS, now)
        if now < self.start:
            raise BookingNotDue
        return self._next(status=Status.NO_SHOW, visit=replace(self.visit, arrived_at=None))

    def cancel(self, by: CancelledBy, *, now: datetime, reason: Reason = NO_REASON) -> "Booking":
        """Called off.

        Raises:
            BookingNotCancellable: it has begun, or is over.
        """
        self.refuse_unless(Step.CANCEL, now)
        if now >= self.start:
            raise BookingNotCancellable
        return self._next(status=Status.CANCELLED, cancelled_by=by, hold_expires_at=None, ending=reason)

    def refund_if_cancelled(self, by: CancelledBy, *, now: datetime) -> Money | None:
        """What a cancellation at `now` gives back; None when nothing was paid.

        The venue gives back everything. A guest gets everything until `free_cancellation_hours` before the
        start, by the rule that stood when it was booked, and an amount of 0 afterwards.
        """
        if self.deposit is None or self.deposit_paid_at is None or not self.live:
            return None
        if by is CancelledBy.VENUE or now <= self.free_until:
            return self.deposit
        return Money(0, self.deposit.currency)

    def fee_if_cancelled(self, *, now: datetime) -> Money | None:
        """What a guest's cancellation at `now` costs; None when there is nothing to lose."""
        refund = self.refund_if_cancelled(CancelledBy.GUEST, now=now)
        if refund is None or self.deposit is None:
            return None
        return Money(self.deposit.amount - refund.amount, self.deposit.currency)

    @property
    def free_until(self) -> datetime:
        """Until when a guest's cancellation costs nothing."""
        return self.start - timedelta(hours=self.free_cancellation_hours or 0)

    def pay(self, *, now: datetime) -> "Booking":
        """The deposit came. A held booking is confirmed by it; the others stay what they are."""
        held = self.status is Status.HELD
        return self._next(
            status=Status.CONFIRMED if held else self.status,
            deposit_paid_at=now,
            hold_expires_at=None if held else self.hold_expires_at,
        )

    def rescue(self, resource_ids: tuple[UUID, ...]) -> "Booking":
        """Expired and then paid, and there is room after all: confirmed. Part of the change under way."""
        refuse_unless_possible(Step.RESCUE, self.status)
        return replace(self, status=Status.CONFIRMED, resource_ids=resource_ids)

    def expire(self) -> "Booking":
        """Gives up what ran out. The caller has looked at the database's clock."""
        refuse_unless_possible(Step.EXPIRE, self.status)
        return self._next(status=Status.EXPIRED, hold_expires_at=None)

    def token_holds(self, now: datetime) -> bool:
        """Whether the links of this booking still open it: until 30 days after its end."""
        return now < self.end + _TOKEN_AFTERLIFE

    def _refuse_unless_near(self, now: datetime) -> None:
        if not self.start - _EARLIEST_ARRIVAL <= now < self.end:
            raise BookingNotDue

    def _next(self, **changes: Any) -> "Booking":
        return replace(self, version=self.version + 1, **changes)
