"""How a booking stands: what was promised, and what follows from it at a time. Changes nothing."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Self
from uuid import UUID

from booking.domain.bookings.guests import Guest
from booking.domain.bookings.history import NO_REASON, ActorKind, CancelledBy, Reason
from booking.domain.bookings.life import (
    OCCUPYING,
    BookingNotDue,
    BookingNotMovable,
    Status,
    Step,
    destinations,
    refuse_unless_possible,
)
from booking.domain.bookings.stays import Visit
from booking.domain.floor import Channel, Party
from booking.domain.overrides import Rule
from servicekit.errors import VersionMismatch
from servicekit.money import Money

_TOKEN_AFTERLIFE = timedelta(days=30)
_EARLIEST_ARRIVAL = timedelta(hours=6)
_AT_THE_VENUE = frozenset({Status.ARRIVED, Status.SEATED})
_RUNNING_OUT = frozenset({Status.REQUESTED, Status.HELD})


@dataclass(frozen=True, slots=True)
class Standing:
    """What was promised to whom, and how it stands. `version` rises with every change."""

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
    price_per_person: Money | None = None
    """As it stood when it was booked."""
    policy: str = ""
    grace_minutes: int | None = None
    """After the start, before it counts as missed; None leaves that to staff."""
    no_show_percent: int | None = None
    """How much of its paid deposit is kept if the guest does not come; None for all of it."""
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
    series_id: UUID | None = None
    """The series that it is of."""
    series_date: date | None = None
    """By which day its series knows it, wherever it was moved to."""
    kept_free_until: datetime | None = None
    """Until when cancelling cost nothing before its guest moved it too late; None when its start says so."""

    @property
    def price(self) -> Money | None:
        """What the whole party pays at the price that stood when it was booked; None when nothing is said."""
        return self.price_per_person and self.price_per_person * self.party_size

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

    def as_of(self, now: datetime) -> Self:
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

    def refund_if_cancelled(self, by: CancelledBy, *, now: datetime) -> Money | None:
        """What a cancellation at `now` gives back; None when nothing was paid.

        The venue gives back everything. A guest gets everything until `free_until`, by the rule that stood
        when it was booked, and an amount of 0 afterwards.
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
    def no_show_fee(self) -> Money | None:
        """What the venue keeps of a guest who does not come, rounded up; None when nothing was paid."""
        return None if self.deposit_paid_at is None else self._part_kept()

    def fee_if_missed(self, *, now: datetime) -> Money | None:
        """What a guest who is to come loses by not coming; None when there is nothing to lose.

        Who has not paid yet sees what it will be: a hold ends with its payment, or without a booking.
        """
        match self.as_of(now).status:
            case Status.CONFIRMED:
                return self.no_show_fee
            case Status.REQUESTED | Status.HELD:
                return self._part_kept()
        return None

    @property
    def free_until(self) -> datetime:
        """Until when a guest's cancellation costs nothing. A guest who moves it later than that keeps it."""
        by_start = self.start - timedelta(hours=self.free_cancellation_hours or 0)
        return min(by_start, self.kept_free_until) if self.kept_free_until else by_start

    def free_until_after_move(self, by: ActorKind, *, now: datetime) -> datetime | None:
        """What a move at `now` keeps of the deadline: a guest whom cancelling would cost something keeps it.

        What staff move is free anew, by its new start.
        """
        fee = self.fee_if_cancelled(now=now)
        return self.free_until if by is ActorKind.GUEST and fee is not None and fee.amount else None

    def exceptions_after_move(self, start: datetime, *, party_size: int, by: ActorKind) -> frozenset[Rule]:
        """The rules that stay set aside once it is at `start` with so many people.

        At the start that it has, all of them; elsewhere only its size, for hours, notice and pacing were set
        aside for that start. A guest who makes the party larger outgrows what staff saw: its size counts.
        """
        kept = self.overridden if start == self.start else self.overridden & {Rule.PARTY_SIZE}
        grown = by is ActorKind.GUEST and party_size > self.party_size
        return kept - {Rule.PARTY_SIZE} if grown else kept

    def token_holds(self, now: datetime) -> bool:
        """Whether the links of this booking still open it: until 30 days after its end."""
        return now < self.end + _TOKEN_AFTERLIFE

    def refuse_unless_near(self, now: datetime) -> None:
        """Raises BookingNotDue hours before the start, and after its end."""
        if not self.start - _EARLIEST_ARRIVAL <= now < self.end:
            raise BookingNotDue

    def _part_kept(self) -> Money | None:
        if self.deposit is None:
            return None
        percent = 100 if self.no_show_percent is None else self.no_show_percent
        return Money(-(-self.deposit.amount * percent // 100), self.deposit.currency)
