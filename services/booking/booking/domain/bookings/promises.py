"""A booking: a promise to a guest, from the request to the end of the visit. Nothing here is undone."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from booking.domain.bookings.guests import Wish
from booking.domain.bookings.history import NO_REASON, ActorKind, CancelledBy, Reason
from booking.domain.bookings.life import (
    BookingNotCancellable,
    BookingNotDue,
    BookingNotMovable,
    Status,
    Step,
    refuse_unless_possible,
)
from booking.domain.bookings.standing import Standing
from booking.domain.bookings.stays import Stay, Visit
from booking.domain.floor import Channel
from booking.domain.offerings import Offering
from booking.domain.overrides import Rule
from booking.domain.terms import RequestRule


@dataclass(frozen=True, slots=True)
class Booking(Standing):
    """A promise to a guest, which changes by steps that may refuse."""

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

        No hold outlives its start. The price and the rule of cancellation are kept as they stand now.
        """
        deposit, terms = offering.deposit_for(wish.party_size), offering.terms
        stay = Stay.of(service_date, wish.start, end)
        status, expires = Status.CONFIRMED, None
        if request:
            status, expires = Status.REQUESTED, request.answer_by(start=stay.start, now=now)
        elif deposit:
            status, expires = Status.HELD, min(now + hold_ttl, stay.start)
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
            price_per_person=terms.price_per_person,
            policy=terms.policy,
            grace_minutes=terms.grace_minutes,
            no_show_percent=terms.no_show_percent,
            overridden=wish.waived,
            channel=channel,
            area_id=wish.area_id,
            attributes=wish.attributes,
        )

    def at_the_door(self, *, now: datetime) -> "Booking":
        """A new one whose party sits down now."""
        return replace(self, status=Status.SEATED, visit=Visit(arrived_at=now, seated_at=now))

    def of_series(self, series_id: UUID, day: date) -> "Booking":
        """A new one that is an occurrence of a series."""
        return replace(self, series_id=series_id, series_date=day)

    def note(self, notes: str, *, now: datetime) -> "Booking":
        """With other notes. Raises BookingNotMovable once it has begun or is over."""
        self.refuse_unless_movable(now)
        return self._next(notes=notes)

    def move(
        self,
        start: datetime,
        end: datetime,
        service_date: date,
        *,
        now: datetime,
        by: ActorKind,
        party_size: int = 0,
        waived: Collection[Rule] = (),
    ) -> "Booking":
        """At another time, for `party_size` people (0: as many as before). Seating comes separately.

        The promise stays: the price of each person and the deposit are what they were, also for a party that
        grew, and so is the deadline to pay. A hold or a request runs out by its new start. What costs its
        guest something to cancel costs that after a move of the guest, too. What staff set aside stays so as
        `exceptions_after_move` says, and `waived` is set aside besides.

        Raises:
            BookingNotMovable: it has begun, or is over.
        """
        self.refuse_unless_movable(now)
        expires, size = self.hold_expires_at, party_size or self.party_size
        kept = self.exceptions_after_move(start, party_size=size, by=by)
        return self._next(
            start=start,
            end=end,
            service_date=service_date,
            party_size=size,
            hold_expires_at=min(expires, start) if expires else None,
            overridden=kept | frozenset(waived),
            kept_free_until=self.free_until_after_move(by, now=now),
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
        status, expires = self._promised(pay_by)
        overridden = self.overridden | frozenset(waived)
        return self._next(status=status, hold_expires_at=expires, overridden=overridden)

    def kept_until(self, expires: datetime) -> "Booking":
        """A new one that is only offered: held for somebody who waits, whether or not anything is due."""
        return replace(self, status=Status.HELD, hold_expires_at=min(expires, self.start))

    def accept(self, *, pay_by: datetime, now: datetime) -> "Booking":
        """An offer that its guest said yes to: held until `pay_by` when a deposit is due, else confirmed.

        Raises:
            BookingStateConflict: it is not held, or ran out.
        """
        self.refuse_unless(Step.ACCEPT, now)
        status, expires = self._promised(pay_by)
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
        self.refuse_unless_near(now)
        return self._next(status=Status.ARRIVED, visit=replace(self.visit, arrived_at=now))

    def seat(self, *, now: datetime) -> "Booking":
        """The party sits down; it need not have arrived before. Raises like `arrive`."""
        self.refuse_unless(Step.SEAT, now)
        self.refuse_unless_near(now)
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

    def _promised(self, pay_by: datetime) -> tuple[Status, datetime | None]:
        """Held until `pay_by`, but never beyond its start, when a deposit is due; else confirmed."""
        return (Status.HELD, min(pay_by, self.start)) if self.deposit else (Status.CONFIRMED, None)

    def _next(self, **changes: Any) -> "Booking":
        return replace(self, version=self.version + 1, **changes)
