"""Which starts a party can have, why not the others, and where it sits. Pure: a plan and allocations in."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from booking.domain import calendar
from booking.domain.offerings import (
    Offering,
    OfferingNotFound,
    Shift,
)
from booking.domain.venues import (
    Combination,
    Resource,
)
from servicekit.errors import AppError, Kind
from servicekit.money import Money


class Refusal(StrEnum):
    """Why a start cannot be booked."""

    CLOSED = "closed"
    NOTICE = "notice"
    TOO_FAR_AHEAD = "too_far_ahead"
    NO_TABLE_FOR_PARTY = "no_table_for_party"
    FULLY_BOOKED = "fully_booked"


class SlotClosed(AppError):
    """The start is none that the offering has: no shift is open then, or it lies between two starts."""

    kind = Kind.REFUSED
    reason = "SLOT_CLOSED"
    detail = "The offering has no start at this time."


class SlotTooSoon(AppError):
    """The start is over, or nearer than the offering's minimum notice."""

    kind = Kind.REFUSED
    reason = "SLOT_TOO_SOON"
    detail = "This start is over, or too soon."


class SlotTooFarAhead(AppError):
    """The start is farther ahead than the offering may be booked."""

    kind = Kind.REFUSED
    reason = "SLOT_TOO_FAR_AHEAD"
    detail = "This start is too far ahead."


class NoTableForParty(AppError):
    """No resource and no combination of the venue takes a party of this size, or the offering does not."""

    kind = Kind.REFUSED
    reason = "NO_TABLE_FOR_PARTY"
    detail = "Nothing here takes a party of this size."


class SlotTaken(AppError):
    """Everything that would take the party is occupied at this start."""

    kind = Kind.CONFLICT
    reason = "SLOT_TAKEN"
    detail = "This start is taken."


_REFUSED_AS: Mapping[Refusal, type[AppError]] = {
    Refusal.CLOSED: SlotClosed,
    Refusal.NOTICE: SlotTooSoon,
    Refusal.TOO_FAR_AHEAD: SlotTooFarAhead,
    Refusal.NO_TABLE_FOR_PARTY: NoTableForParty,
    Refusal.FULLY_BOOKED: SlotTaken,
}


@dataclass(frozen=True, slots=True)
class Seating:
    """Resources that take a party together: one alone, or a combination."""

    resource_ids: tuple[UUID, ...]
    min_party: int
    max_party: int
    name: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """A resource that is occupied from `start` up to, not including, `end` (epoch seconds)."""

    resource_id: UUID
    start: int
    end: int
    booking_id: UUID
    live: bool
    """False for a hold that ran out: it is in nobody's way."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a venue that decides what can be booked, as of one version of it."""

    version: int
    zone: ZoneInfo
    seatings: tuple[Seating, ...]
    """Best fit first."""
    offerings: Mapping[UUID, Offering]
    shifts: Mapping[UUID, tuple[Shift, ...]]
    """By offering."""

    @classmethod
    def of(
        cls,
        version: int,
        *,
        time_zone: str,
        resources: Iterable[Resource],
        combinations: Iterable[Combination],
        offerings: Iterable[Offering],
        shifts: Iterable[Shift],
    ) -> "Plan":
        """Puts the plan of a venue together."""
        seatings = [Seating((each.id,), each.min_party, each.max_party, each.name) for each in resources]
        seatings += [
            Seating(each.resource_ids, each.min_party, each.max_party, each.name) for each in combinations
        ]
        by_offering: dict[UUID, tuple[Shift, ...]] = {}
        for shift in shifts:
            by_offering[shift.offering_id] = (*by_offering.get(shift.offering_id, ()), shift)
        return cls(
            version=version,
            zone=ZoneInfo(time_zone),
            seatings=tuple(sorted(seatings, key=_fit)),
            offerings={offering.id: offering for offering in offerings},
            shifts=by_offering,
        )

    def offering(self, offering_id: UUID) -> Offering:
        """Raises OfferingNotFound for one that the venue does not have."""
        found = self.offerings.get(offering_id)
        if found is None:
            raise OfferingNotFound
        return found

    def starts(self, offering: Offering, service_date: date) -> Sequence[int]:
        """The starts of a service day, rising."""
        return calendar.starts_of(self.zone, offering, self.shifts.get(offering.id, ()), service_date)

    def service_date(self, offering: Offering, start: int) -> date | None:
        """The service day that a start belongs to; None when the offering has no such start."""
        for day in calendar.service_dates_of(self.zone, start):
            if start in self.starts(offering, day):
                return day
        return None

    def seatings_for(self, offering: Offering, party_size: int) -> Sequence[Seating]:
        """What takes a party of this size, best fit first."""
        if offering.turn_minutes(party_size) is None:
            return ()
        return [each for each in self.seatings if each.min_party <= party_size <= each.max_party]


@dataclass(frozen=True, slots=True)
class Slot:
    """A start of an offering and what becomes of it for a party."""

    start: int
    end: int
    offering: Offering
    refusal: Refusal | None
    """None when it can be booked."""
    deposit: Money | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a search found. Equal to nothing but itself, so that what is made of it can be kept with it."""

    zone: ZoneInfo
    slots: list[Slot]


def search(
    plan: Plan,
    offerings: Iterable[Offering],
    service_date: date,
    *,
    party_size: int,
    allocations: Iterable[Allocation],
    now: int,
) -> list[Slot]:
    """The starts of a service day by time.

    One pass over the allocations for each offering, none for each start.
    """
    taken = list(allocations)
    slots: list[Slot] = []
    for offering in offerings:
        starts = plan.starts(offering, service_date)
        turn = _turn_seconds(offering, party_size)
        seatings = plan.seatings_for(offering, party_size)
        free = _free_starts(starts, turn, seatings, taken)
        deposit = offering.deposit_for(party_size)
        for number, start in enumerate(starts):
            refusal = rule_against(plan, offering, service_date, start=start, now=now)
            if refusal is None and not seatings:
                refusal = Refusal.NO_TABLE_FOR_PARTY
            if refusal is None and not free >> number & 1:
                refusal = Refusal.FULLY_BOOKED
            slots.append(Slot(start, start + turn, offering, refusal, deposit))
    slots.sort(key=lambda slot: (slot.start, slot.offering.name))
    return slots


def rule_against(
    plan: Plan, offering: Offering, service_date: date, *, start: int, now: int
) -> Refusal | None:
    """The rule of time that forbids a start, whatever is free. `now` and `start` are epoch seconds."""
    if start < now + offering.min_notice_minutes * 60:
        return Refusal.NOTICE
    if (service_date - calendar.local_date(plan.zone, now)).days > offering.max_advance_days:
        return Refusal.TOO_FAR_AHEAD
    return None


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a party is seated, and the expired holds that have to make room first."""

    seating: Seating
    evicted: frozenset[UUID]
    """Bookings."""


def bookable_service_date(
    plan: Plan, offering: Offering, *, start: int, party_size: int, now: int
) -> tuple[date, int]:
    """The service day of a start that the rules allow, and the end of the stay (epoch seconds).

    Raises:
        SlotClosed, SlotTooSoon, SlotTooFarAhead, NoTableForParty: the first that holds, in the order of
            `search`.
    """
    service_date = plan.service_date(offering, start)
    if service_date is None:
        raise SlotTooSoon if start < now else SlotClosed
    refusal = rule_against(plan, offering, service_date, start=start, now=now)
    if refusal is not None:
        raise _REFUSED_AS[refusal]
    if not plan.seatings_for(offering, party_size):
        raise NoTableForParty
    return service_date, start + _turn_seconds(offering, party_size)


def choose(
    seatings: Iterable[Seating], *, start: int, end: int, allocations: Iterable[Allocation]
) -> Choice | None:
    """The first of `seatings` that is free from `start` up to `end`; None when all are occupied."""
    occupied: set[UUID] = set()
    expired: dict[UUID, set[UUID]] = {}
    for each in allocations:
        if each.start < end and start < each.end:
            if each.live:
                occupied.add(each.resource_id)
            else:
                expired.setdefault(each.resource_id, set()).add(each.booking_id)
    for seating in seatings:
        if occupied.isdisjoint(seating.resource_ids):
            evicted = set().union(*(expired.get(each, ()) for each in seating.resource_ids))
            return Choice(seating, frozenset(evicted))
    return None


def _fit(seating: Seating) -> tuple[int, int, str]:
    """Waste: as few resources as possible, then as few seats, then by name so that it is always the same."""
    return len(seating.resource_ids), seating.max_party, seating.name


def _turn_seconds(offering: Offering, party_size: int) -> int:
    """A party larger than every turn time is shown with the longest one; it cannot book."""
    return (offering.turn_minutes(party_size) or offering.turn_times[-1].minutes) * 60


def _free_starts(
    starts: Sequence[int], turn: int, seatings: Sequence[Seating], allocations: Sequence[Allocation]
) -> int:
    """A bit for each start that some seating is free for.

    An allocation [a, b) blocks the starts s with s < b and s + turn > a: one run of bits for each allocation.
    """
    if not seatings or not starts:
        return 0
    blocked: dict[UUID, int] = {}
    for each in allocations:
        if each.live:
            first = bisect_right(starts, each.start - turn)
            after = bisect_left(starts, each.end)
            if first < after:
                run = (1 << after) - (1 << first)
                blocked[each.resource_id] = blocked.get(each.resource_id, 0) | run
    everything = (1 << len(starts)) - 1
    free = 0
    for seating in seatings:
        occupied = 0
        for resource_id in seating.resource_ids:
            occupied |= blocked.get(resource_id, 0)
        free |= everything & ~occupied
        if free == everything:
            break
    return free
