"""What can be booked once staff set rules aside. With nothing set aside, exactly what everybody can book."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from booking.domain import availability, calendar, solver
from booking.domain.availability import Plan
from booking.domain.demands import Demand, lasting
from booking.domain.floor import Channel, Party, Seating
from booking.domain.offerings import Offering
from booking.domain.overrides import Rule
from booking.domain.refusals import REFUSED_AS, NoTableForParty, Refusal, SlotClosed, SlotTooSoon
from booking.domain.venues import ResourceNotFound

_NOTHING: frozenset[Rule] = frozenset()
_SET_ASIDE_BY = {
    Refusal.CLOSED: Rule.CLOSED,
    Refusal.MUST_FINISH: Rule.CLOSED,
    Refusal.NOTICE: Rule.NOTICE,
    Refusal.NOT_RELEASED: Rule.ADVANCE,
    Refusal.TOO_FAR_AHEAD: Rule.ADVANCE,
}
"""Which waived rule lets a refusal of time pass."""


def bookable_stay(
    plan: Plan,
    offering: Offering,
    *,
    start: int,
    party: Party,
    now: int,
    waived: Collection[Rule] = _NOTHING,
) -> tuple[date, int]:
    """The service day of a start that the rules, without those waived, allow, and the end of the stay.

    Epoch seconds. A party larger than every turn time stays the longest one. What is over is never bookable.

    Raises:
        SlotClosed, SlotEndsTooLate, SlotTooSoon, SlotNotReleased, SlotTooFarAhead, NoTableForParty,
            NoTableAsAsked: the first that holds.
    """
    party = replace(party, any_size=party.any_size or Rule.PARTY_SIZE in waived)
    if not waived:
        return availability.bookable_service_date(plan, offering, start=start, party=party, now=now)
    service_date = service_date_of(plan, offering, start, waived=waived)
    if start < now or service_date is None:
        raise SlotTooSoon if start < now else SlotClosed
    end = start + availability.stay_seconds(offering, party.size, service_date)
    day = plan.hours.day(offering, service_date)
    for refusal in day.refusals(plan.zone, start=start, end=end, now=now):
        if _SET_ASIDE_BY[refusal] not in waived:
            raise REFUSED_AS[refusal]
    plan.refuse_unless_taken(offering, party, service_date)
    return service_date, end


def service_date_of(
    plan: Plan, offering: Offering, start: int, *, waived: Collection[Rule] = _NOTHING
) -> date | None:
    """The service day of a start; beside all shifts, the one that is still running, or the local day."""
    found = plan.service_date(offering, start)
    if found is not None or Rule.CLOSED not in waived:
        return found
    today, yesterday = calendar.service_dates_of(plan.zone, start)
    longest = offering.longest_minutes * 60
    late = plan.starts(offering, yesterday)
    return yesterday if late and late[0] <= start <= late[-1] + longest else today


def refusal_of_stay(
    plan: Plan, offering: Offering, service_date: date, *, start: int, end: int
) -> Refusal | None:
    """Why the hours do not allow a stay (epoch seconds), CLOSED or MUST_FINISH; None when they do.

    Closed, unless on one of the service days that the start can belong to it may be. Neither notice nor the
    grid of starts counts: for bookings that were made when these allowed it.
    """
    found = Refusal.CLOSED
    for day in {service_date, *calendar.service_dates_of(plan.zone, start)}:
        hours = plan.hours.day(offering, day)
        if hours.admits(plan.zone, start):
            refusals = hours.refusals(plan.zone, start=start, end=end, now=start)
            against = next((each for each in refusals if _SET_ASIDE_BY[each] is Rule.CLOSED), None)
            if against is None:
                return None
            if against is Refusal.MUST_FINISH:
                found = against
    return found


def refuse_unless_open(
    plan: Plan,
    offering: Offering,
    service_date: date,
    *,
    start: int,
    end: int,
    waived: Collection[Rule] = _NOTHING,
) -> None:
    """Lets a stay of a booking pass that the hours allow, or that staff set them aside for.

    Raises SlotClosed, SlotEndsTooLate.
    """
    if Rule.CLOSED not in waived:
        refusal = refusal_of_stay(plan, offering, service_date, start=start, end=end)
        if refusal is not None:
            raise REFUSED_AS[refusal]


def chosen_demands(
    plan: Plan, offering: Offering, resource_ids: Collection[UUID], party: Party, service_date: date
) -> tuple[Demand, ...]:
    """What a visit needs, to be had at the resources that staff chose: all of them, and no others.

    Resources that only seat the party need not be a combination, nor of the kind that guests are given.

    Raises:
        ResourceNotFound: the venue does not have one of them, or it is out of service.
        NoTableForParty: their seats are too few, and that was not set aside; or an operation cannot be done
            there.
    """
    seating = seating_of(plan, resource_ids, party.size, any_size=True)
    by_staff = replace(party, channel=Channel.STAFF, area_id=None, attributes=frozenset(), any_size=True)
    demands = plan.demands(offering, by_staff, service_date)
    needs = [need for operation in offering.visit for need in operation.needs]
    if all(need.seats_party for need in needs) and len(demands) == 1:
        if seating.max_party < party.size and not party.any_size:
            raise NoTableForParty
        return (Demand(demands[0].spans, (seating,)),)
    if not party.any_size:
        demands = plan.demands(offering, replace(by_staff, any_size=False), service_date)
    there = tuple(
        Demand(
            demand.spans,
            tuple(each for each in demand.candidates if set(each.resource_ids) <= set(resource_ids)),
        )
        for demand in demands
    )
    chosen = solver.assign(there, [each.candidates for each in there]) if there else None
    if chosen is None or set(solver.resources_of(chosen)) != set(resource_ids):
        raise NoTableForParty
    return there


def seating_of(
    plan: Plan, resource_ids: Collection[UUID], party_size: int, *, any_size: bool = False
) -> Seating:
    """The resources that staff chose, together; they need not be a combination.

    Raises:
        ResourceNotFound: the venue does not have one of them, or it is out of service.
        NoTableForParty: their seats are too few, and that was not set aside.
    """
    wanted = set(resource_ids)
    # Lengths first: ids are dear to compare, and a change of a venue asks this for every booking to come.
    alone = [each for each in plan.seatings if len(each.resource_ids) == 1 and each.resource_ids[0] in wanted]
    if len(alone) < len(wanted):
        raise ResourceNotFound
    together = [
        each.max_party
        for each in plan.seatings
        if len(each.resource_ids) == len(wanted) and wanted.issuperset(each.resource_ids)
    ]
    seats = max([*together, sum(each.max_party for each in alone)])
    if seats < party_size and not any_size:
        raise NoTableForParty
    return Seating(tuple(sorted(wanted)), 1, seats, "")


def lasting_until(
    offering: Offering, demands: Sequence[Demand], party: Party, service_date: date, *, start: int, end: int
) -> tuple[Demand, ...]:
    """The same demands for a visit whose end (epoch seconds) may be another than its offering says."""
    planned = availability.stay_seconds(offering, party.size, service_date)
    if end - start == planned:
        return tuple(demands)
    return lasting(offering, demands, planned=planned, seconds=end - start)
