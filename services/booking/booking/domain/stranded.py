"""Bookings that hours or capacity do not allow any more. They stay; people decide what becomes of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from booking.domain import calendar, exceptions
from booking.domain.availability import Plan
from booking.domain.blocks import Block
from booking.domain.floor import Channel, Party
from booking.domain.occupancy import Occupation
from booking.domain.overrides import Rule
from booking.domain.refusals import NoTableForParty, Refusal
from booking.domain.venues import ResourceNotFound


class Stranding(StrEnum):
    """Why a booking is stranded, in the order in which it is told."""

    CLOSED = "closed"
    MUST_FINISH = "must_finish"
    RESOURCE_OUT_OF_SERVICE = "resource_out_of_service"
    NO_TABLE_FOR_PARTY = "no_table_for_party"


_OF_TIME = {Refusal.CLOSED: Stranding.CLOSED, Refusal.MUST_FINISH: Stranding.MUST_FINISH}


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a live booking counts on. Epoch seconds."""

    booking_id: UUID
    offering_id: UUID
    service_date: date
    start: int
    end: int
    party_size: int
    resource_ids: tuple[UUID, ...]
    """None for a request that keeps no room."""
    occupations: tuple[Occupation, ...]
    """When it has each of them, buffers included."""
    overridden: frozenset[Rule]


def stranding(plan: Plan, commitment: Commitment, blocks: Iterable[Block] = ()) -> Stranding | None:
    """Why the plan, or a block, does not allow a booking any more; None when they do.

    Rules that staff set aside for it do not count, and neither do notice and the grid of starts: it was
    booked when they allowed it.
    """
    if Rule.CLOSED not in commitment.overridden:
        reason = _against_time(plan, commitment)
        if reason is not None:
            return reason
    if not commitment.resource_ids:
        return None
    if any(_blocks(block, commitment) for block in blocks):
        return Stranding.RESOURCE_OUT_OF_SERVICE
    party = Party(commitment.party_size, Channel.STAFF, any_size=Rule.PARTY_SIZE in commitment.overridden)
    try:
        exceptions.chosen_demands(
            plan,
            plan.offering(commitment.offering_id),
            commitment.resource_ids,
            party,
            commitment.service_date,
        )
    except ResourceNotFound:
        return Stranding.RESOURCE_OUT_OF_SERVICE
    except NoTableForParty:
        return Stranding.NO_TABLE_FOR_PARTY
    return None


def _against_time(plan: Plan, commitment: Commitment) -> Stranding | None:
    """Closed, unless on one of the service days that the start can belong to it may be."""
    offering = plan.offerings.get(commitment.offering_id)
    if offering is None:
        return Stranding.CLOSED
    found: Stranding | None = Stranding.CLOSED
    for day in {commitment.service_date, *calendar.service_dates_of(plan.zone, commitment.start)}:
        hours = plan.hours.day(offering, day)
        if hours.admits(plan.zone, commitment.start):
            refusals = hours.refusals(
                plan.zone, start=commitment.start, end=commitment.end, now=commitment.start
            )
            against = next((_OF_TIME[each] for each in refusals if each in _OF_TIME), None)
            if against is None:
                return None
            if against is Stranding.MUST_FINISH:
                found = against
    return found


def _blocks(block: Block, commitment: Commitment) -> bool:
    """Whether a block has something while the booking has it: not every operation needs everything."""
    start, end = block.start.timestamp(), block.end.timestamp()
    return any(
        each.resource_id in block.resource_ids and start < each.end and each.start < end
        for each in commitment.occupations
    )
